"""When to ask for tickets and for how many: a ticket is a lease that runs out, so no further ahead than they are used.

Pure: a `Demand` describes the moment, `group_size` answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_SHORT_LEASE = 60.0
# Nothing is known before the first answer. So much, in bytes, goes up within a short lease on any link worth using.
_SURELY_SENT = 5 * 1024**2
# Of the files that could be begun within a lease, half: rates fall, and an expired ticket costs a call and an orphan.
_SHARE_OF_LEASE = 0.5


@dataclass(frozen=True, slots=True)
class Demand:
    """The batcher's situation. Ages and leases in seconds, `rate` in files sent per second.

    `modest` is for how many files to ask at most before anything is known, None for a full group. `scan_done` says that
    no further file will come by itself. `unused` tickets wait for a worker, `asked` files are in calls under way.
    `lease` is the shortest time that tickets were good for, margin taken off, None where they do not tell. `answered`
    says whether any call was.
    """

    fresh: int
    modest: int | None
    oldest_age: float
    scan_done: bool
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


def group_size(demand: Demand) -> int:
    """Return for how many of the fresh files to ask now, 0 for not yet.

    Groups are full unless nothing more comes, or workers wait while a file has waited for its group long enough.
    """
    if not demand.fresh or demand.calls >= demand.calls_in_flight:
        return 0
    ahead = tickets_ahead(demand)
    room = ahead - demand.unused - demand.asked
    full = min(demand.batch_size, ahead)
    if demand.fresh >= full:
        return full if room >= full else 0
    due = demand.scan_done or (demand.oldest_age >= demand.group_age and demand.unused < demand.workers)
    return demand.fresh if due and room >= demand.fresh else 0


def tickets_ahead(demand: Demand) -> int:
    """Return how many tickets may be waiting or asked for at once.

    Until the first answer it is one group, or a part of one: nothing is known of the leases yet.
    """
    if not demand.answered:
        return demand.batch_size if demand.modest is None else min(demand.batch_size, demand.modest)
    most = demand.batch_size * demand.calls_in_flight + demand.workers
    if demand.lease is None:
        return most
    if demand.rate is None:
        return most if demand.lease >= _SHORT_LEASE else demand.workers
    return max(1, int(min(most, demand.rate * demand.lease * _SHARE_OF_LEASE)))


def first_group_size(sizes: Sequence[int], workers: int) -> int | None:
    """Return for how many files of these sizes, in bytes, to ask at first: what workers begin with, and a little more.

    None where all of them are little enough. Of large files on a slow link most tickets of a full group would run out
    where leases are short.
    """
    left = _SURELY_SENT
    for number, size in enumerate(sizes[workers:], start=workers):
        left -= size
        if left < 0:
            return number
    return None


def good_for(expires_at: float | None, now: float, margin: float) -> float | None:
    """Return for how many seconds from `now` a ticket may be begun; Unix times, None where it does not run out.

    Storage looks at the start of a request. The margin is what clocks and queues may be off by; of a short lease it is
    a quarter, or there would be nothing left to use. What is counted is seconds from here on, so that a clock that is
    set in the middle of a run makes no ticket older or younger.
    """
    if expires_at is None:
        return None
    left = expires_at - now
    return left - min(margin, max(0.0, left) / 4)


class Throughput:
    """Files sent per second over the last `window` seconds. Begun ones do not count: a pool begins many at once."""

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._ended: deque[tuple[float, int]] = deque()
        self._total = 0
        self._since: float | None = None

    def begin(self, now: float) -> None:
        """Note that a file is being sent from `now` (monotonic) on."""
        if self._since is None:
            self._since = now

    def count(self, now: float) -> None:
        """Note that a file was sent."""
        if self._ended and now - self._ended[-1][0] < self._window / 100:
            # A hundred entries are fine enough for a rate, and bound the memory at any speed.
            last, before = self._ended.pop()
            self._ended.append((last, before + 1))
        else:
            self._ended.append((now, 1))
        self._total += 1

    def rate(self, now: float) -> float | None:
        """Return the rate, None before there is enough of a past to tell. The file that is next to end counts, too."""
        while self._ended and self._ended[0][0] < now - self._window:
            self._total -= self._ended.popleft()[1]
        if self._since is None or now - self._since < self._window / 10:
            return None
        return (self._total + 1) / min(self._window, now - self._since)
