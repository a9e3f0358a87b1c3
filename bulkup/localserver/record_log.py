"""Records that outlive the server: the newest in memory, every change at the end of a log.

An entry of the log is a line break and then the whole record as JSON, so that a write cut short spoils itself alone.
When as many new records as are remembered have gone into the log it becomes the old one, in place of the one before,
whose records are forgotten by then: neither memory nor disk grows with the number of files.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import orjson

from bulkup.helpers.private_files import open_private

REMEMBERED = 100_000  # newest records; a server may see millions


class RecordLog:
    """Records of one kind by their id: dataclasses of plain values go in, their fields come out.

    Changes are written at once and not forced to disk. Methods raise OSError when the disk fails.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._records: OrderedDict[str, bytes] = OrderedDict()
        self._load(self._old)
        self._new_in_log = self._load(path)
        self._file = open(path, "ab", buffering=0, opener=open_private)  # noqa: SIM115 - closed by close()

    def get(self, record_id: str) -> dict[str, Any] | None:
        """Return a record, None for one that is not known or too long ago."""
        entry = self._records.get(record_id)
        return None if entry is None else _decoded(entry)

    def put(self, record_id: str, record: Any) -> None:
        """Keep a record, in place of what was known of its id."""
        # What the encoder returns keeps the four kilobytes that it began with for as long as it lives: hence a copy.
        entry = bytes(memoryview(orjson.dumps({"id": record_id, "record": record})))
        self._file.write(b"\n" + entry)
        self._new_in_log += self._remember(record_id, entry)
        if self._new_in_log >= REMEMBERED:
            self._begin_new_log()

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ids and records, oldest first."""
        for record_id, entry in self._records.items():
            yield record_id, _decoded(entry)

    def close(self) -> None:
        """Let go of the log."""
        self._file.close()

    @property
    def _old(self) -> str:
        return f"{self._path}.old"

    def _load(self, path: str) -> int:
        """Take in a log and return how many records it brought."""
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            return sum(self._take(line.rstrip(b"\n")) for line in file)
        return 0

    def _take(self, entry: bytes) -> bool:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # cut short, when the server or its disk failed
            return self._remember(orjson.loads(entry)["id"], entry)
        return False

    def _remember(self, record_id: str, entry: bytes) -> bool:
        """Keep an entry in memory and return whether its id is new."""
        is_new = record_id not in self._records
        self._records[record_id] = entry
        if len(self._records) > REMEMBERED:
            self._records.popitem(last=False)
        return is_new

    def _begin_new_log(self) -> None:
        os.replace(self._path, self._old)
        self._file.close()
        self._file = open(self._path, "ab", buffering=0, opener=open_private)  # noqa: SIM115 - closed by close()
        self._new_in_log = 0


def _decoded(entry: bytes) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(entry)["record"]
    return record
