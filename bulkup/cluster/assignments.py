"""Which file is with which worker, and what the coordinator knows of it: enough to give it to another one. Pure.

A file has a number for the whole run. Each session with a worker has an epoch, a number that is never used again. A
record counts only if its epoch holds the file. So a worker that was given up and comes back changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.items import Item
from bulkup.model.tickets import Ticket

# The needs of a file, each the name of a route.
ASK, HASH, RESUME, CLOSE = "ask", "hash", "resume", "close"


class StaleRecordError(Exception):
    """A worker reported about a file that it does not hold any more."""


@dataclass(slots=True, eq=False)
class Assigned:
    """A file on its way. `epoch` is 0 while it waits for a worker.

    `asked` says that the intent to ask for its ticket is on disk, and no answer. `stored` says that storage's receipt
    is on disk.
    """

    number: int
    need: str
    item: Item
    epoch: int = 0
    asked: bool = False
    stored: bool = False


class Assignments:
    """The files between scanner and recorder. `waiting` lack a worker."""

    def __init__(self) -> None:
        self.waiting: deque[Assigned] = deque()
        self._given: dict[int, Assigned] = {}
        self._of_epoch: dict[int, set[int]] = {}
        self._last = 0

    @property
    def given(self) -> int:
        """The number of files that workers hold."""
        return len(self._given)

    def add(self, need: str, item: Item) -> None:
        """Take a file from the scanner."""
        self._last += 1
        self.waiting.append(Assigned(self._last, need, item))

    def give(self, epoch: int, files: Iterable[Assigned]) -> None:
        """Give files to the worker of an epoch."""
        held = self._of_epoch.setdefault(epoch, set())
        for file in files:
            file.epoch = epoch
            self._given[file.number] = file
            held.add(file.number)

    def held_by(self, epoch: int, number: int) -> Assigned:
        """Return a file that the worker of an epoch holds. Raises `StaleRecordError` if it does not."""
        file = self._given.get(number)
        if file is None or file.epoch != epoch:
            raise StaleRecordError
        return file

    def settle(self, epoch: int, number: int) -> Assigned:
        """Take a file out that has come to its end. Raises `StaleRecordError`."""
        file = self.held_by(epoch, number)
        del self._given[number]
        self._of_epoch[epoch].discard(number)
        return file

    def withdraw(self, epoch: int, reusable: Callable[[Ticket], bool]) -> Sequence[Assigned]:
        """Take all files from the worker of an epoch, in their order, and put them before those that wait.

        `reusable` says whether another worker may use a ticket.
        """
        files = [self._given.pop(number) for number in sorted(self._of_epoch.pop(epoch, ()))]
        for file in files:
            file.epoch = 0
            file.need = next_need(file, reusable)
        self.waiting.extendleft(reversed(files))
        return files

    def take_back(self, files: Sequence[Assigned], reusable: Callable[[Ticket], bool]) -> None:
        """Put files that their worker gave back before those that wait. `reusable` is as for `withdraw`."""
        for file in files:
            file.epoch = 0
            file.need = next_need(file, reusable)
            file.asked = False  # the worker has counted the ids of its calls
        self.waiting.extendleft(reversed(files))

    def drain(self) -> Sequence[Assigned]:
        """Take out all files that wait."""
        files = list(self.waiting)
        self.waiting.clear()
        return files


def next_need(file: Assigned, reusable: Callable[[Ticket], bool]) -> str:
    """Return the need of a file whose worker was lost, by what the journal has of it."""
    item = file.item
    if file.stored or (file.need == CLOSE and item.receipt is not None):
        return CLOSE
    if item.ticket is not None and not file.asked and reusable(item.ticket):
        return RESUME
    return HASH if file.need == HASH and item.digest is None else ASK
