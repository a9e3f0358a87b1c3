"""The manifest as Parquet."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pyarrow.parquet as pq

from bulkup.model.disk_states import DiskState
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState
from bulkup.reports.manifest import CSV_FIELDS
from bulkup.reports.parquet_manifest import write_parquet


def a_row(**changes: Any) -> ManifestRow:
    values: dict[str, Any] = {
        "path": b"a.mp4",
        "source": b"/data",
        "size": 1 << 60,
        "md5": "0" * 32,
        "status": FileState.UPLOADED,
        "provider": "s3",
        "remote_id": "id",
        "remote": {"key": "k"},
        "etag": None,
        "attempts": 1,
        "error": None,
        "uploaded_at": 1.5,
        "kept_until": None,
    }
    return ManifestRow(**(values | changes))


def read(*rows: ManifestRow, **options: Any) -> Any:
    stream = io.BytesIO()
    assert write_parquet(iter(rows), stream, **options) == len(rows)
    assert not stream.closed
    return pq.ParquetFile(io.BytesIO(stream.getvalue()))


def test_columns_have_types() -> None:
    file = read(a_row())
    (found,) = file.read().to_pylist()
    assert tuple(file.schema_arrow.names) == CSV_FIELDS
    assert (found["path"], found["size"], found["status"]) == ("a.mp4", 1 << 60, "uploaded")
    assert found["remote"] == '{"key":"k"}'
    assert found["uploaded_at"] == dt.datetime(1970, 1, 1, 0, 0, 1, 500_000, dt.UTC)
    assert found["kept_until"] is None


def test_odd_values() -> None:
    """Names that are not UTF-8, surrogates in messages, times beyond all calendars, and the state on disk."""
    row = a_row(path=b"a\xff", error="\udc80", kept_until=1e300, on_disk=DiskState.DELETED)
    (found,) = read(row, on_disk=True).read().to_pylist()
    assert (found["path"], found["path_b64"], found["error"]) == ("a\ufffd", "Yf8=", "\ufffd")
    assert (found["kept_until"], found["on_disk"]) == (None, "deleted")


def test_rows_are_written_in_groups() -> None:
    """So that memory does not grow with the journal."""
    file = read(*[a_row()] * 5, rows_per_group=2)
    assert [file.metadata.row_group(number).num_rows for number in range(3)] == [2, 2, 1]


def test_without_rows() -> None:
    assert read().read().num_rows == 0
