"""The manifest: one line for each file in the journal, written in constant memory.

JSON lines keep types and nulls. CSV (RFC 4180: UTF-8, a header, CRLF, doubled quotes) is for spreadsheets. There, null
and the empty string are both an empty cell, `remote` is JSON text, and `path_b64` and `source_b64` are always columns.

A spreadsheet takes a cell that starts with `=`, `+`, `-`, `@`, tab, carriage return or line feed for a formula, and
file names may start so. Such a text cell gets one `'` in front. So does one that already has `'` before such a
character, which makes the rule reversible: remove one `'` from a cell that starts with one or more of them and then
such a character. Columns of numbers (`size`, `attempts`) are not changed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, BinaryIO, Final, Literal

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.journal_rows import ManifestRow
from bulkup.reports import json_text
from bulkup.reports.json_text import dumps, path_fields, time_text
from bulkup.reports.safe_text import printable

FIELDS: Final = (
    "path",
    "source",
    "size",
    "md5",
    "status",
    "provider",
    "remote_id",
    "remote",
    "etag",
    "attempts",
    "error",
    "uploaded_at",
    "kept_until",
    "checksum",
)
CSV_FIELDS: Final = (*FIELDS, "path_b64", "source_b64")
ON_DISK: Final = "on_disk"  # the last field, where the disk was looked at

_FORMULA = lazy_pattern(r"'*[=+\-@\t\r\n]")


def manifest_object(row: ManifestRow) -> dict[str, Any]:
    """Return a row as a line of the manifest: `FIELDS` in order, then `path_b64` and `source_b64` if needed.

    `remote_id` is null unless the file is uploaded. `on_disk` is last, if the disk was looked at. Times are
    RFC 3339 in UTC with milliseconds.
    """
    path, source = path_fields("path", row.path), path_fields("source", row.source)
    return {
        "path": path.pop("path"),
        "source": source.pop("source"),
        "size": row.size,
        "md5": row.md5,
        "status": json_text.public_state(row.status),
        "provider": row.provider,
        "remote_id": json_text.public_remote_id(row.status, row.remote_id),
        "remote": row.remote,
        "etag": row.etag,
        "attempts": row.attempts,
        "error": row.error,
        "uploaded_at": time_text(row.uploaded_at),
        "kept_until": time_text(row.kept_until),
        "checksum": row.checksum,
        **path,
        **source,
        **({} if row.on_disk is None else {ON_DISK: row.on_disk.value}),
    }


def write_manifest(
    rows: Iterable[ManifestRow],
    stream: BinaryIO,
    fmt: Literal["jsonl", "csv"],
    *,
    on_terminal: bool = False,
    on_disk: bool = False,
) -> int:
    """Write the rows one by one and return their number.

    CSV has no escapes. With `on_terminal`, control characters are replaced by visible text, so the output is not exact.
    With `on_disk`, it has that column.

    Raises OSError, for example `BrokenPipeError`, if the stream fails, and the exceptions of `rows`.
    """
    return _write_csv(rows, stream, on_terminal, on_disk) if fmt == "csv" else _write_jsonl(rows, stream)


def _write_jsonl(rows: Iterable[ManifestRow], stream: BinaryIO) -> int:
    count = 0
    for row in rows:
        stream.write(dumps(manifest_object(row)) + b"\n")
        count += 1
    return count


def _write_csv(rows: Iterable[ManifestRow], stream: BinaryIO, on_terminal: bool, on_disk: bool) -> int:
    writer, names = csv.writer(_Utf8(stream)), (*CSV_FIELDS, ON_DISK) if on_disk else CSV_FIELDS
    writer.writerow(names)
    count = 0
    for row in rows:
        line = manifest_object(row)
        cells = [_cell(line.get(name)) for name in names]
        writer.writerow([printable(str(cell)) for cell in cells] if on_terminal else cells)
        count += 1
    return count


def _cell(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    text = json_text.unicode_text(value) if isinstance(value, str) else dumps(value).decode()
    return f"'{text}" if _FORMULA.match(text) else text


class _Utf8:
    """The file object for `csv`. A TextIOWrapper would close the stream when it is garbage-collected."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode("utf-8"))
