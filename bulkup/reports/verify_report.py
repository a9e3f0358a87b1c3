"""The results of `bulkup verify` for people and programs, and its exit code.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bulkup.errors import ExitCode
from bulkup.model.disk_states import DiskState
from bulkup.model.verify_results import ContentState, StoreState, VerifiedFile, VerifyCounts
from bulkup.reports.formatting import count_text
from bulkup.reports.json_text import path_fields
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.safe_text import printable, printable_path

_AT_SERVICE = {
    StoreState.MISSING: "missing at the service",
    StoreState.DIFFERENT: "different at the service",
    StoreState.EXPIRED: "expired at the service",
    StoreState.UNKNOWN: "unknown at the service",
}
_CONTENT = {ContentState.DIFFERENT: "damaged on disk", ContentState.UNREADABLE: "unreadable"}


def verify_exit_code(counts: VerifyCounts) -> int:
    """Return 1 if an upload or a file is damaged or lost, 3 if files differ otherwise, else 0."""
    if counts.lost:
        return int(ExitCode.FILES_FAILED)
    return int(ExitCode.INCOMPLETE if counts.differing else ExitCode.OK)


def verified_line(file: VerifiedFile) -> str:
    """Return the line of one file: what differs, its path, and the reason."""
    what = [file.disk.value] if file.disk not in (DiskState.SAME, DiskState.METADATA) else []
    what += [_CONTENT[file.content]] if file.content in _CONTENT else []
    what += [_AT_SERVICE[file.store]] if file.store in _AT_SERVICE else []
    path = printable_path(file.source.rstrip(b"/") + b"/" + file.path)
    return f"{', '.join(what)}: {path}" + (f" ({printable(file.reason)})" if file.reason else "")


def verified_object(file: VerifiedFile) -> dict[str, Any]:
    """Return one file for programs."""
    return {
        "event": "difference",
        **path_fields("path", file.path),
        **path_fields("source", file.source),
        "provider": file.provider,
        "remote_id": file.remote_id,
        "disk": file.disk.value,
        "content": None if file.content is None else file.content.value,
        "store": None if file.store is None else file.store.value,
        "reason": file.reason or None,
    }


def verify_text(counts: VerifyCounts, notes: Iterable[str], options: JournalOptions) -> Iterator[str]:
    """Yield the lines at the end: the result, the figures of each comparison, notes, and the next steps."""
    compared = count_text(counts.files, "uploaded file")
    differ = count_text(counts.differing, "file")
    verb = "differs" if counts.differing == 1 else "differ"
    yield f"{compared} compared: " + (f"{differ} {verb}." if counts.differing else "nothing differs.")
    yield f"  disk:    {_figures(counts.disk)}"
    if counts.content:
        yield f"  content: {_figures(counts.content)}"
    if counts.store:
        yield f"  service: {_figures(counts.store)}"
    for note in notes:
        yield f"Note: {note}" + ("" if note.endswith("?") else ".")
    if counts.not_uploaded:
        left = count_text(counts.not_uploaded, "file")
        yield f"Next: {left} not uploaded, see why: bulkup failures {printable(options.reading)}".rstrip()
    if counts.disk[DiskState.CHANGED]:
        yield f"Next: upload what has changed: bulkup upload {printable(options.running)}".rstrip()
    if counts.lost:
        yield "Next: keep the good copy of each file above; docs/how-to/failures.md says how to upload it again."


def verify_object(counts: VerifyCounts, notes: Iterable[str]) -> dict[str, Any]:
    """Return the last line for programs."""
    return {
        "event": "verified",
        "exit_code": verify_exit_code(counts),
        "files": counts.files,
        "differing": counts.differing,
        "lost": counts.lost,
        "not_uploaded": counts.not_uploaded,
        "disk": _sums(counts.disk, DiskState),
        "content": _sums(counts.content, ContentState) if counts.content else None,
        "store": _sums(counts.store, StoreState) if counts.store else None,
        "notes": list(notes),
    }


def _figures(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{number:,} {state.value}" for state, number in counts.items() if number) or "nothing compared"


def _sums(counts: Mapping[Any, int], states: Iterable[Any]) -> dict[str, int]:
    return {state.value: counts.get(state, 0) for state in states}
