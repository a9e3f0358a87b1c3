"""When to ask for tickets, and for how many files. A ticket is a lease that expires: no more are held than get used.

Pure: a `Demand` describes the moment, `group_size` answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.helpers.quick_dataclass import dataclass

_SHORT_LEASE = 60.0
# Nothing is known before the first answer. This many bytes go out within a short lease on any usable link.
_SURELY_SENT = 5 * 1024**2
# Tickets are requested for this share of the files that could begin within a lease. The rate may fall, and each ticket
# that expires unused costs another call and leaves an orphan.
_SHARE_OF_LEASE = 0.5


@dataclass(frozen=True, slots=True)
class Demand:
    """The situation of the batcher. Ages and leases are in seconds, `rate` in files per second.

    `fresh` files wait for their group. `first_group` bounds the first group, None for a full one. `no_more` says that
    no other file will come, renewals apart. `unused` tickets wait for a worker, `asked` files are in calls under way.
    `lease` is the shortest time that tickets of the last answer were good for, margin taken off; None for ever.
    `answered` says whether the service has answered a call, and `proven` whether storage has taken a file. `in_doubt`
    says that a new ticket is likely to be useless. `decides` says that unused tickets, of an earlier run, wait for the
    new one of the first fresh file.
    """

    fresh: int
    first_group: int | None
    oldest_age: float
    no_more: bool
    unused: int
    asked: int
    calls: int
    workers: int
    batch_size: int
    calls_in_flight: int
    group_age: float
    answered: bool
    lease: float | None
    rate: float | None
    proven: bool
    in_doubt: bool = False
    decides: bool = False


def group_size(demand: Demand) -> int:
    """Return for how many of the fresh files to ask now, 0 for not yet.

    Groups are full, unless no more files come, or a file has waited for `group_age` while fewer tickets wait than there
    are workers. A file whose ticket decides about the others is asked for alone, and at once.
    """
    if not demand.fresh or demand.calls >= demand.calls_in_flight:
        return 0
    if demand.decides:
        return 1
    ahead = tickets_ahead(demand)
    room = ahead - demand.unused - demand.asked
    full = min(demand.batch_size, ahead)
    if demand.fresh >= full:
        return full if room >= full else 0
    due = demand.no_more or (demand.oldest_age >= demand.group_age and demand.unused < demand.workers)
    return demand.fresh if due and room >= demand.fresh else 0


def tickets_ahead(demand: Demand) -> int:
    """Return how many tickets may be unused or requested at once.

    Until the first answer that is one group, or a part of one: nothing is known of the leases yet. Until storage has
    taken a file, it is a group, or a few more than there are workers: all tickets may be useless. While tickets are in
    doubt it is a single one.
    """
    if demand.in_doubt:
        return 1
    if not demand.answered:
        return demand.batch_size if demand.first_group is None else min(demand.batch_size, demand.first_group)
    most = demand.batch_size * demand.calls_in_flight + demand.workers
    if not demand.proven:
        most = max(demand.batch_size, demand.workers + demand.calls_in_flight)
    if demand.lease is None:
        return most
    if demand.rate is None:
        return most if demand.lease >= _SHORT_LEASE else demand.workers
    return max(1, int(min(most, demand.rate * demand.lease * _SHARE_OF_LEASE)))


def first_group_size(sizes: Sequence[int], workers: int) -> int | None:
    """Return for how many files of these sizes, in bytes, to ask at first: one for each worker, and a little more.

    None where all of them are small. Most tickets of a full group of large files would expire on a slow link, where
    leases are short.
    """
    left = _SURELY_SENT
    for number, size in enumerate(sizes[workers:], start=workers):
        left -= size
        if left < 0:
            return number
    return None


def good_for(expires_at: float | None, now: float, margin: float) -> float | None:
    """Return for how many seconds from `now` a ticket may be begun; Unix times, None where it does not expire.

    Storage checks the start of a request. The margin covers clocks and queues; of a short lease it is a quarter, or no
    time to use it would be left.
    """
    if expires_at is None:
        return None
    left = expires_at - now
    return left - min(margin, max(0.0, left) / 4)


def renewal_time(expires_at: float | None, now: float, monotonic: float, margin: float) -> float | None:
    """Return the monotonic time from which a ticket must not be begun; None for never. `now` is Unix time.

    It is counted in monotonic seconds, so a clock that is set during the run changes the age of no ticket.
    """
    left = good_for(expires_at, now, margin)
    return None if left is None else monotonic + left
