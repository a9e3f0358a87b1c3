"""Reads the rows of many files with one query for a group of paths.

If the paths are sorted, as a walk finds them, their rows are neighbours, and a range of rows is read. That takes half
as long as a lookup for each path.
"""

from __future__ import annotations

import itertools
import operator
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RowQueryOptions:
    """How much is read at once.

    A query by paths always has `paths_per_query` of them, so that the statement is prepared only once. A range may
    contain rows of other files: deleted ones, or those that a pattern excludes. At most twice the number of paths plus
    `spare_rows` rows are read; the remaining paths are looked up one by one.
    """

    paths_per_query: int = 256
    spare_rows: int = 64


DEFAULT_OPTIONS = RowQueryOptions()


class RowQuery:
    """Reads `columns` of the rows for which `condition` holds, at one destination."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        destination_id: int,
        columns: str,
        condition: str = "1",
        options: RowQueryOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._connection = connection
        self._destination = destination_id
        self._options = options
        query = f"SELECT path, {columns} FROM main.files WHERE destination_id = ? AND source_id = ? AND {condition}"
        self._range = f"{query} AND path BETWEEN ? AND ? ORDER BY path LIMIT ?"
        self._keys = f"{query} AND path IN ({', '.join('?' * options.paths_per_query)})"

    def read(self, source_id: int, paths: Sequence[bytes]) -> Mapping[bytes, Row]:
        """Return the rows of these paths, by path, which is also a row's first column. There may be rows of others.

        Raises `sqlite3.Error`.
        """
        if not paths:
            return {}
        rows, left = self._read_range(source_id, paths) if _is_sorted(paths) else (dict[bytes, Row](), paths)
        size = self._options.paths_per_query
        for start in range(0, len(left), size):
            keys = left[start : start + size]
            padding = [keys[-1]] * (size - len(keys))
            found = self._connection.execute(self._keys, (self._destination, source_id, *keys, *padding))
            rows.update((row[0], row) for row in found)
        return rows

    def _read_range(self, source_id: int, paths: Sequence[bytes]) -> tuple[dict[bytes, Row], Sequence[bytes]]:
        """Return the rows from the first path to the last, up to a limit, and the paths beyond the last row read."""
        limit = 2 * len(paths) + self._options.spare_rows
        values = (self._destination, source_id, paths[0], paths[-1], limit)
        found = self._connection.execute(self._range, values).fetchall()
        rows = {row[0]: row for row in found}
        return rows, () if len(found) < limit else [path for path in paths if path > found[-1][0]]


def _is_sorted(paths: Sequence[bytes]) -> bool:
    return all(map(operator.lt, paths, itertools.islice(paths, 1, None)))
