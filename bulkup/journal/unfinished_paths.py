"""The paths of files that are not uploaded yet, for a run that takes its files from the journal.

A run reads them while it writes the rows of the same files. They come in the order of their key, each once.
"""

from __future__ import annotations

from collections.abc import Iterator

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import open_for_reading, sqlite_errors
from bulkup.journal.destination import Destination
from bulkup.model.states import DONE, FileState

_PATHS = """
SELECT path FROM main.files WHERE destination_id = ? AND source_id = ? AND path >= ? AND state NOT IN ({passed_over})
ORDER BY path LIMIT ?
"""
_DESTINATION = "SELECT id FROM destinations WHERE provider = ? AND base_url = ? AND scope = ?"


@dataclass(frozen=True, slots=True)
class PathsOptions:
    """How many rows a query reads at most."""

    rows_per_page: int = 500


_DEFAULTS = PathsOptions()


class UnfinishedPaths:
    """Reads the paths of the files of one destination that are not uploaded. Owns a connection until `close`.

    Used by one thread at a time. Rejected files are among them only with `rejected`.
    """

    def __init__(
        self, path: str, destination: Destination, *, rejected: bool, options: PathsOptions = _DEFAULTS
    ) -> None:
        passed_over = DONE if rejected else DONE | {FileState.REJECTED}
        self._path = path
        self._options = options
        self._query = _PATHS.format(passed_over=", ".join(f"'{state.value}'" for state in sorted(passed_over)))
        self._connection = open_for_reading(path)
        with sqlite_errors(path):
            key = (destination.provider, destination.base_url, destination.scope)
            row = self._connection.execute(_DESTINATION, key).fetchone()
        self._destination: int = row[0] if row is not None else 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def of(self, source_id: int) -> Iterator[bytes]:
        """Yield the paths of a source in their order. Raises `JournalError`."""
        start, full = b"", True  # an empty path is that of the source itself
        while full:
            page = self._page(source_id, start)
            full = len(page) == self._options.rows_per_page
            yield from page
            start = page[-1] + b"\0" if page else start  # the next possible path

    def _page(self, source_id: int, start: bytes) -> list[bytes]:
        with sqlite_errors(self._path):
            values = (self._destination, source_id, start, self._options.rows_per_page)
            return [path for (path,) in self._connection.execute(self._query, values).fetchall()]
