"""All that is known of one file, for `bulkup status FILE`: text for people, a plain dict for `--json`.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulkup.model.disk_states import DiskState
from bulkup.model.journal_rows import FileRecord, OrphanRow
from bulkup.model.reason_hints import hint_for
from bulkup.model.states import DONE
from bulkup.reports.formatting import count_text, size_text
from bulkup.reports.json_text import path_fields, public_remote_id, public_state, time_text
from bulkup.reports.next_commands import JournalOptions, next_commands
from bulkup.reports.safe_text import printable, printable_path

_ON_DISK = {
    DiskState.SAME: "as it was recorded",
    DiskState.METADATA: "its size and modification time are as recorded; inode, device or change time differ",
    DiskState.CHANGED: "changed since it was recorded",
    DiskState.DELETED: "deleted",
    DiskState.REMOVED: "removed from its source by a run after its upload",
    DiskState.UNREADABLE: "it cannot be examined",
}
_NAME_WIDTH = 10


def file_lines(record: FileRecord, on_disk: DiskState, options: JournalOptions) -> Iterator[str]:
    """Yield the lines about a file. `options` are those of the suggested command."""
    row = record.row
    yield printable_path(row.source.rstrip(b"/") + b"/" + row.path)
    for name, text in _facts(record, on_disk, options):
        yield f"  {name:<{_NAME_WIDTH}} {text}"


def file_object(record: FileRecord, on_disk: DiskState, options: JournalOptions) -> dict[str, Any]:
    """Return one file for programs."""
    row = record.row
    return {
        "event": "file",
        **path_fields("path", row.path),
        **path_fields("source", row.source),
        "status": public_state(row.status),
        "reason": row.error,
        "hint": hint_for(row.error or "") or None,
        "attempts": row.attempts,
        "provider": row.provider,
        "base_url": record.base_url,
        "remote_id": public_remote_id(row.status, row.remote_id),
        "remote": row.remote,
        "size": row.size,
        "checksum": row.checksum,
        "uploaded_at": time_text(row.uploaded_at),
        "kept_until": time_text(row.kept_until),
        "on_disk": on_disk.value,
        "run": record.run,
        "run_started_at": time_text(record.run_started),
        "other_ids": [_other_id(other) for other in record.other_ids],
        "next": _next(record, options),
    }


def _facts(record: FileRecord, on_disk: DiskState, options: JournalOptions) -> Iterator[tuple[str, str]]:
    row = record.row
    yield "status", public_state(row.status)
    if row.error is not None:
        yield "why", printable(row.error)
        if hint := hint_for(row.error):
            yield "hint", hint
    tries = count_text(row.attempts, "attempt")
    if record.run is None:
        yield "run", f"removed from the journal; {tries}"
    else:
        yield "run", f"{printable(record.run)}, started {time_text(record.run_started)}; {tries}"
    yield "service", printable(f"{row.provider} {record.base_url}".rstrip())
    if (remote_id := public_remote_id(row.status, row.remote_id)) is not None:
        yield "remote id", printable(remote_id)
    yield "size", f"{size_text(row.size)}, {row.checksum or 'no checksum'}"
    if row.uploaded_at is not None and row.status in DONE:
        kept = f"; the service keeps it until {time_text(row.kept_until)}" if row.kept_until is not None else ""
        yield "uploaded", f"{time_text(row.uploaded_at)}{kept}"
    yield "on disk", _ON_DISK[on_disk]
    for other in record.other_ids:
        yield "other id", _other_text(other)
    for command in _next(record, options):
        yield "next", printable(command)


def _next(record: FileRecord, options: JournalOptions) -> list[str]:
    row = record.row
    return [] if row.status in DONE else next_commands(row.status, row.error or "", options.running)


def _other_id(other: OrphanRow) -> dict[str, Any]:
    return {
        "remote_id": other.remote_id,
        "kind": other.kind,
        "reason": other.reason,
        "created_at": time_text(other.created_at),
        "run": other.run or None,
    }


def _other_text(other: OrphanRow) -> str:
    run = f"; run {other.run}" if other.run else ""
    return printable(f"{other.remote_id or 'unknown'} ({other.reason}; {time_text(other.created_at)}{run})")
