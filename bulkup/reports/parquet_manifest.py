"""The manifest as Parquet, for data tools. It needs pyarrow (extra `bulkup[parquet]`), which is imported at its use.

The columns are those of the JSON lines. Times are timestamps in UTC, and `remote` is JSON text. Rows are written in
groups of a fixed number, so memory does not grow with the journal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from bulkup.errors import UsageError
from bulkup.model.journal_rows import ManifestRow
from bulkup.reports.json_text import dumps, unicode_text
from bulkup.reports.manifest import CSV_FIELDS, ON_DISK, manifest_object

ROWS_PER_GROUP = 20_000  # about 10 MB
_TIMES = frozenset({"uploaded_at", "kept_until"})
_WHOLE = frozenset({"size", "attempts"})
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, beyond which other programs read no time


def require_pyarrow() -> None:
    """Raise `UsageError` if pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415  # only this format needs it
    except ImportError as error:
        hint = "install it with: pip install 'bulkup[parquet]'"
        raise UsageError("--format parquet needs the package pyarrow, which is not installed", hint=hint) from error


def write_parquet(
    rows: Iterable[ManifestRow], stream: BinaryIO, *, on_disk: bool = False, rows_per_group: int = ROWS_PER_GROUP
) -> int:
    """Write the rows and return their number. With `on_disk`, there is that column.

    Raises OSError if the stream fails, and the exceptions of `rows`.
    """
    import pyarrow as pa  # noqa: PLC0415  # the same
    import pyarrow.parquet as pq  # noqa: PLC0415  # the same

    names = (*CSV_FIELDS, ON_DISK) if on_disk else CSV_FIELDS
    schema = pa.schema([(name, _kind(name, pa)) for name in names])
    coming, count = iter(rows), 0
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while block := list(itertools.islice(coming, rows_per_group)):
            cells = [_cells(row) for row in block]
            columns = {name: [row.get(name) for row in cells] for name in names}
            writer.write_table(pa.Table.from_pydict(columns, schema=schema), row_group_size=rows_per_group)
            count += len(block)
    return count


def _kind(name: str, pa: Any) -> Any:
    if name in _TIMES:
        return pa.timestamp("ms", tz="UTC")
    return pa.int64() if name in _WHOLE else pa.string()


def _cells(row: ManifestRow) -> Mapping[str, Any]:
    cells = manifest_object(row)
    return {
        **{name: _text(value) for name, value in cells.items() if name not in _WHOLE},
        "size": row.size,
        "attempts": row.attempts,
        "uploaded_at": _milliseconds(row.uploaded_at),
        "kept_until": _milliseconds(row.kept_until),
    }


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return unicode_text(value) if isinstance(value, str) else dumps(value).decode()


def _milliseconds(unix: float | None) -> int | None:
    if unix is None or not 0 <= unix * 1000 <= _LAST_MS:
        return None
    return round(unix * 1000)
