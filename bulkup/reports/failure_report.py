"""Files that were not uploaded, for people and programs: by reason with advice and the next command, and one by one.

Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from bulkup.model.journal_rows import FailureGroup, ManifestRow
from bulkup.model.reason_hints import hint_for
from bulkup.reports.formatting import count_text, size_text
from bulkup.reports.json_text import path_fields
from bulkup.reports.next_commands import JournalOptions, next_commands
from bulkup.reports.safe_text import printable, printable_path


def failure_lines(groups: Sequence[FailureGroup], options: JournalOptions) -> Iterator[str]:
    """Yield the lines about the groups, each with a hint, an example and the next commands."""
    for group in groups:
        size = f" ({size_text(group.size)})" if group.size else ""
        yield f"{count_text(group.files, 'file')} {group.status}: {printable(group.reason)}{size}"
        if hint := hint_for(group.example):
            yield f"  hint:  {hint}"
        yield f"  file:  {_full(group.source, group.path)}"
        if group.example != group.reason:
            yield f"         {printable(group.example)}"
        if group.files > 1:
            listing = f"bulkup failures {options.reading} --reason {shlex.quote(group.reason)}"
            yield f"  files: {printable(listing)}"
        for command in next_commands(group.status, group.example, options.running):
            yield f"  next:  {printable(command)}"
        yield ""


def failure_object(group: FailureGroup, options: JournalOptions) -> dict[str, Any]:
    """Return one group for programs."""
    return {
        "event": "failures",
        "status": group.status.value,
        "reason": group.reason,
        "files": group.files,
        "bytes": group.size,
        "hint": hint_for(group.example) or None,
        "next": next_commands(group.status, group.example, options.running),
        "example": {
            **path_fields("path", group.path),
            **path_fields("source", group.source),
            "reason": group.example,
        },
    }


def failed_file_line(row: ManifestRow) -> str:
    """Return the line of one file."""
    return f"{row.status:<10} {_full(row.source, row.path)}: {printable(row.error or 'no reason was recorded')}"


def failed_file_object(row: ManifestRow) -> dict[str, Any]:
    """Return one file for programs."""
    return {
        "event": "failure",
        **path_fields("path", row.path),
        **path_fields("source", row.source),
        "status": row.status.value,
        "reason": row.error,
        "size": row.size,
        "attempts": row.attempts,
    }


def _full(source: bytes, path: bytes) -> str:
    return printable_path(source.rstrip(b"/") + b"/" + path if path else source)
