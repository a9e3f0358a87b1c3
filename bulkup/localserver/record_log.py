"""A log of records that survives a restart. The newest records are in memory; every change is appended to the log.

An entry is a line break followed by the whole record as JSON, so a write that was cut short damages only its own entry.
The log is rotated after `max_records` new records. It then replaces the old log, whose records have left memory by
then. So neither memory nor disk grows with the number of files.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import orjson

from bulkup.helpers.private_files import open_private


class RecordLog:
    """Records of one kind by their id. `put` takes a dataclass of plain values; `get` returns its fields.

    Keeps the newest `max_records` records. Changes are written at once, without fsync. Methods raise OSError when the
    disk fails.
    """

    def __init__(self, path: str, max_records: int) -> None:
        self.max_records = max_records
        self._path = path
        self._records: OrderedDict[str, bytes] = OrderedDict()
        self._load(self._old)
        self._new_in_log = self._load(path)
        self._file = open(path, "ab", buffering=0, opener=open_private)  # noqa: SIM115 - closed by close()

    def get(self, record_id: str) -> dict[str, Any] | None:
        """Return the fields of a record, None if the id is unknown or its record was dropped."""
        entry = self._records.get(record_id)
        return None if entry is None else _decoded(entry)

    def put(self, record_id: str, record: Any) -> None:
        """Store a record. Replaces an earlier one of the same id."""
        # The encoder's result keeps its whole initial buffer of 4 KiB alive, so a copy is stored.
        entry = bytes(memoryview(orjson.dumps({"id": record_id, "record": record})))
        self._file.write(b"\n" + entry)
        self._new_in_log += self._remember(record_id, entry)
        if self._new_in_log >= self.max_records:
            self._rotate()

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ids and records, oldest first."""
        for record_id, entry in self._records.items():
            yield record_id, _decoded(entry)

    def close(self) -> None:
        """Close the log."""
        self._file.close()

    @property
    def _old(self) -> str:
        return f"{self._path}.old"

    def _load(self, path: str) -> int:
        """Read a log and return the number of new ids in it."""
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            return sum(self._take(line.rstrip(b"\n")) for line in file)
        return 0

    def _take(self, entry: bytes) -> bool:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # cut short when the server or its disk failed
            return self._remember(orjson.loads(entry)["id"], entry)
        return False

    def _remember(self, record_id: str, entry: bytes) -> bool:
        """Store an entry in memory and return whether its id is new."""
        is_new = record_id not in self._records
        self._records[record_id] = entry
        if len(self._records) > self.max_records:
            self._records.popitem(last=False)
        return is_new

    def _rotate(self) -> None:
        os.replace(self._path, self._old)
        self._file.close()
        self._file = open(self._path, "ab", buffering=0, opener=open_private)  # noqa: SIM115 - closed by close()
        self._new_in_log = 0


def _decoded(entry: bytes) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(entry)["record"]
    return record
