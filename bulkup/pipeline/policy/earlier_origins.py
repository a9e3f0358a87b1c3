"""Origins that tickets of an earlier run name and that do not answer in this one.

The service may have named a wrong host, and be mended since: then the tickets lead nowhere until they expire. Or the
host is down for a while, and the tickets stay good. One new ticket decides, requested for the first file that fails.

    first failure --> asked anew --new ticket, same origin------> kept: the host is down
                                 `-new ticket, another origin---> left: all files with such tickets get new ones

Pure.
"""

from __future__ import annotations

import enum

from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind

# Of a host that did not answer. `UNUSABLE` is one that its certificate or the host rules show to be a wrong one.
_NO_ANSWER = frozenset({ProblemKind.UNREACHABLE, ProblemKind.UNUSABLE})


class NextTicket(enum.Enum):
    """The next step for a file whose ticket of an earlier run leads to a host that does not answer."""

    NEW = "ask for a new ticket"
    WAIT = "wait for the new ticket of another file"
    SAME = "keep the ticket, and decide as for any other"


class EarlierOrigins:
    """Keeps the origins for which a new ticket was requested, and the decision for each."""

    def __init__(self) -> None:
        self._kept: set[str] = set()
        self._left: set[str] = set()
        self._asked: set[str] = set()
        self._first: dict[Item, str] = {}  # the file that gets the new ticket

    def __bool__(self) -> bool:
        """Return whether tickets of any origin must not be used."""
        return bool(self._left)

    def left(self, origin: str) -> bool:
        """Return whether the service names another origin instead of this one."""
        return origin in self._left

    def failed(self, origin: str, item: Item, problem: Problem) -> NextTicket:
        """Return the decision for a file whose ticket is of an earlier run, and whose host has never answered."""
        if not problem.unanswered and problem.kind not in _NO_ANSWER:
            return NextTicket.SAME
        if origin in self._kept:
            return NextTicket.SAME
        if origin in self._left:
            return NextTicket.NEW
        if origin in self._asked:
            return NextTicket.WAIT
        self._asked.add(origin)
        self._first[item] = origin
        return NextTicket.NEW

    @property
    def undecided(self) -> bool:
        """Whether files wait for the new ticket of another."""
        return bool(self._first)

    def decided_by(self, item: Item) -> bool:
        """Return whether other files wait for the new ticket of this one."""
        return item in self._first

    def needs_no_ticket(self, item: Item) -> None:
        """Forget a file that gets no new ticket, so that another one decides."""
        old = self._first.pop(item, None)
        if old is not None:
            self._asked.discard(old)

    def renewed(self, item: Item, origin: str) -> None:
        """Record the origin of a file's new ticket."""
        old = self._first.pop(item, None)
        if old is not None:
            (self._kept if origin == old else self._left).add(old)
