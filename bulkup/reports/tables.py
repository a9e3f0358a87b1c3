"""The output of `status`, `runs --prune` and `orphans`: text for people, plain dicts for `--json`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.text import Text

from bulkup.model.journal_rows import JournalStatus, OrphanRow, PruneCounts, RunRow, UnfinishedRow
from bulkup.model.states import FileState
from bulkup.reports.formatting import count_text, duration_text, size_text
from bulkup.reports.json_text import path_fields, public_state, time_text
from bulkup.reports.runs_list import CUT_OFF, ended_how, run_json
from bulkup.reports.safe_text import printable, printable_path
from bulkup.reports.summary import expired_text


def status_text(status: JournalStatus) -> Text:
    """Return the numbers in a journal as text. Files in progress count as pending."""
    lines = [f"Journal {printable(status.journal)}" + (", a run is in progress" if status.running else "")]
    files, sizes = _by_public_state(status.files), _by_public_state(status.bytes)
    lines += [f"  {state:<11}{files[state]:>12,}  {size_text(sizes.get(state, 0))}" for state in files]
    if not files:
        lines.append("  no files yet")
    if status.orphans:
        lines.append(f"  {count_text(status.orphans, 'remote id')} created and never used")
    if status.unknown_ids:
        lines.append(f"  {_unknown_ids(status.unknown_ids)}")
    if status.superseded:
        lines.append(f"  {count_text(status.superseded, 'remote id')} of files that were uploaded again")
    if status.expired:
        lines.append(f"  {expired_text(status.expired)}")
    if status.last_run is not None:
        lines.append(f"Last run {_run_line(status.last_run, running=status.running)}")
    return Text("\n".join(lines))


def status_json(status: JournalStatus) -> dict[str, Any]:
    """Return the numbers in a journal for programs, with the states of the manifest."""
    return {
        "event": "status",
        **path_fields("journal", os.fsencode(status.journal)),
        "running": status.running,
        "files": _by_public_state(status.files),
        "bytes": _by_public_state(status.bytes),
        "orphans": status.orphans,
        "unknown_ids": status.unknown_ids,
        "superseded": status.superseded,
        "expired": status.expired,
        "last_run": None if status.last_run is None else run_json(status.last_run),
    }


def orphans_lines(orphans: Iterable[OrphanRow]) -> Iterator[Text]:
    """Yield a line for each orphan, one by one, since there may be many."""
    for orphan in orphans:
        what = (
            _unknown_ids(orphan.count).partition(" (")[0] if orphan.remote_id is None else printable(orphan.remote_id)
        )
        parts = [printable(orphan.provider), what]
        if orphan.path is not None:
            parts.append(f"for {printable_path(orphan.path)}")
        why, when = printable(orphan.reason), time_text(orphan.created_at)
        if orphan.superseded_by is not None:
            why += f" as {printable(orphan.superseded_by)}"
        parts.append(f"({why}; {when}; run {printable(orphan.run)})")
        yield Text(" ".join(parts))


def orphan_json(orphan: OrphanRow) -> dict[str, Any]:
    """Return one orphan for programs. A null `remote_id` stands for up to `count` unknown ids."""
    return {
        "event": "orphan",
        "kind": orphan.kind,
        "remote_id": orphan.remote_id,
        "count": orphan.count,
        "provider": orphan.provider,
        **path_fields("path", orphan.path),
        **path_fields("source", orphan.source),
        "reason": orphan.reason,
        "created_at": time_text(orphan.created_at),
        "run": orphan.run,
        "superseded_by": orphan.superseded_by,
        "kept_until": time_text(orphan.kept_until),
    }


def unfinished_line(row: UnfinishedRow) -> Text:
    """Return the line of an unfinished upload."""
    began = f"began {time_text(row.begun)}" if row.begun is not None else "beginning unknown"
    if row.removed:
        what = "removed"
    elif row.resumable:
        what = "the next run continues it"
    else:
        what = "given up" if row.orphan else "unknown to this journal"
    return Text(f"{printable(row.remote_id)} ({began}; {what})")


def unfinished_json(row: UnfinishedRow) -> dict[str, Any]:
    """Return one unfinished upload for programs."""
    return {
        "event": "unfinished",
        "remote_id": row.remote_id,
        "began_at": time_text(row.begun),
        "resumable": row.resumable,
        "orphan": row.orphan,
        "removed": row.removed,
    }


def pruned_text(pruned: PruneCounts, before: float, *, dry_run: bool) -> Text:
    """Return the numbers of deleted rows as text; in a dry run, of rows that would be deleted."""
    parts = [
        count_text(pruned.runs, "run"),
        count_text(pruned.orphans, "orphan"),
        count_text(pruned.superseded, "superseded id"),
        f"{count_text(pruned.files, 'file')} never uploaded",
    ]
    what = f"{', '.join(parts)}, from before {time_text(before)}"
    if dry_run:
        return Text(f"Would delete: {what}. Nothing was written.")
    return Text(
        f"Deleted: {what}. Journal size: {size_text(pruned.size_before)} before, {size_text(pruned.size_after)} now."
    )


def pruned_json(pruned: PruneCounts, before: float, *, dry_run: bool) -> dict[str, Any]:
    """Return the numbers of deleted rows for programs, with sizes in bytes."""
    return {"event": "prune", "dry_run": dry_run, "before": time_text(before), **dataclasses.asdict(pruned)}


def _unknown_ids(count: int) -> str:
    return f"up to {count:,} unknown {'id' if count == 1 else 'ids'} (call cut off before its answer)"


def _by_public_state(figures: Mapping[FileState, int]) -> dict[str, int]:
    """Return the sums by public state, in the order of `FileState`, without those of 0."""
    sums: dict[str, int] = {}
    for state in FileState:
        if number := figures.get(state, 0):
            sums[public_state(state)] = sums.get(public_state(state), 0) + number
    return sums


def _run_line(run: RunRow, *, running: bool) -> str:
    ended = ended_how(run)
    if run.exit_code is None:
        ended = "running" if running else f"{CUT_OFF}; the same command resumes it"
    return f"{printable(run.run)}: started {time_text(run.started_at)}, took {_took(run)}, {ended}"


def _took(run: RunRow) -> str:
    return "-" if run.ended_at is None else duration_text(run.ended_at - run.started_at)
