"""The files that a worker holds: the number of each, and what the coordinator knows of it."""

from __future__ import annotations

from bulkup.cluster.device_numbers import DeviceNumbers
from bulkup.cluster.wire_values import Plain, file_changes
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.files import FoundFile
from bulkup.model.items import Item
from bulkup.model.tickets import Ticket


@dataclass(slots=True)
class HeldFile:
    """A file as it came, and the newest of its tickets that the coordinator has."""

    number: int
    file: FoundFile
    ticket: Ticket | None


class HeldFiles:
    """Finds the numbers of items."""

    def __init__(self) -> None:
        self.devices = DeviceNumbers()
        self._files: dict[Item, HeldFile] = {}

    def __len__(self) -> int:
        return len(self._files)

    def add(self, number: int, item: Item) -> None:
        """Take a file that arrived."""
        self._files[item] = HeldFile(number, item.file, item.ticket)

    def remove(self, item: Item) -> HeldFile:
        """Take out a file that has come to its end here."""
        return self._files.pop(item)

    def number(self, item: Item) -> int:
        """Return the number of a file."""
        return self._files[item].number

    def ticketed(self, item: Item, ticket: Ticket | None) -> None:
        """Note the ticket that the coordinator has recorded."""
        self._files[item].ticket = ticket

    def changes(self, item: Item) -> Plain | None:
        """Return what the coordinator does not know of a file."""
        return file_changes(item, self._files[item].file, self.devices)
