"""The groups of this run with a file that has no row of its own since the call, in memory.

Their rows stay in the journal. A file leaves its group with its own row, or with its next group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkup.model.items import Group, Item
from bulkup.model.tickets import Ticket

Key = tuple[int, bytes]  # a source's number and a path in it


class OpenGroups:
    """Numbers the groups of a run, and says which of them are closed. `last` is the number of the last group."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self._groups: dict[Key, _OpenGroup] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._groups

    def outside(self, keys: Sequence[Key]) -> list[Key]:
        """Return the files among these that are in no group."""
        groups = self._groups
        return [key for key in keys if key not in groups]

    def open(self, group: Group) -> list[int]:
        """Give a group its number. Its files leave the groups that they were in; return those that are closed by it."""
        self.last += 1
        group.number = self.last
        keys = [(item.file.source.id, item.file.path) for item in group.items]
        closed = self.leave(keys)
        opened = _OpenGroup(group, len(keys))
        self._groups.update(dict.fromkeys(keys, opened))
        return closed

    def answer(self, group: Group, tickets: Sequence[Ticket | None]) -> None:
        """Keep the tickets of a group."""
        for item in group.items:
            opened = self._groups.get((item.file.source.id, item.file.path))
            if opened is not None and opened.group is group:
                opened.tickets = tickets
                return

    def leave(self, keys: Sequence[Key]) -> list[int]:
        """Take files out of their groups, and return the numbers of the groups that no file is left in."""
        closed = []
        for key in keys:
            opened = self._groups.pop(key, None)
            if opened is not None:
                opened.files -= 1
                if not opened.files:
                    closed.append(opened.group.number)
        return closed

    def ticketed(self) -> Iterator[tuple[Item, Ticket]]:
        """Yield the files in groups that have a ticket, with it."""
        for opened in set(self._groups.values()):
            for item, ticket in zip(opened.group.items, opened.tickets, strict=False):
                if ticket is not None and self._groups.get((item.file.source.id, item.file.path)) is opened:
                    yield item, ticket


class _OpenGroup:
    """A group and the number of files left in it. `tickets` are empty until the call is answered."""

    __slots__ = ("files", "group", "tickets")

    def __init__(self, group: Group, files: int) -> None:
        self.group = group
        self.files = files
        self.tickets: Sequence[Ticket | None] = ()
