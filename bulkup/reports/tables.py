"""What `status`, `runs` and `orphans` show: renderables for people, plain dicts for `--json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from bulkup.model.journal_rows import JournalStatus, OrphanRow, PruneCounts, RunRow
from bulkup.model.states import FileState
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import count_text, duration_text, size_text
from bulkup.reports.json_text import path_fields, public_state, time_text
from bulkup.reports.safe_text import printable, printable_path
from bulkup.reports.summary import expired_text

_RUN_COLUMNS = ("run", "started", "took", "exit", "provider", "found", "uploaded", "failed", "sources")


def status_text(status: JournalStatus) -> Text:
    """Return the journal at a glance. What is under way in any state counts as pending."""
    lines = [f"Journal {printable(status.journal)}" + (", a run is going on" if status.running else "")]
    files, sizes = _by_public_state(status.files), _by_public_state(status.bytes)
    lines += [f"  {state:<11}{files[state]:>12,}  {size_text(sizes.get(state, 0))}" for state in files]
    if not files:
        lines.append("  no files yet")
    if status.orphans:
        lines.append(f"  {count_text(status.orphans, 'remote id')} created and never uploaded to")
    if status.unknown_ids:
        lines.append(f"  {_unknown_ids(status.unknown_ids)}")
    if status.superseded:
        lines.append(f"  {count_text(status.superseded, 'remote id')} of files that were uploaded again since")
    if status.expired:
        lines.append(f"  {expired_text(status.expired)}")
    if status.last_run is not None:
        lines.append(f"Last run {_run_line(status.last_run, running=status.running)}")
    return Text("\n".join(lines))


def status_json(status: JournalStatus) -> dict[str, Any]:
    """Return the journal at a glance for programs; states as in the manifest."""
    return {
        "event": "status",
        "journal": status.journal,
        "running": status.running,
        "files": _by_public_state(status.files),
        "bytes": _by_public_state(status.bytes),
        "orphans": status.orphans,
        "unknown_ids": status.unknown_ids,
        "superseded": status.superseded,
        "expired": status.expired,
        "last_run": None if status.last_run is None else run_json(status.last_run),
    }


def runs_table(runs: Iterable[RunRow]) -> Table:
    """Return the runs as a table, in the order given."""
    table = Table(*_RUN_COLUMNS)
    for run in runs:
        files = (run.summary or {}).get("files", {})
        figures = [f"{files[name]:,}" if name in files else "-" for name in ("found", "uploaded", "failed")]
        sources = "\n".join(printable_path(source) for source in run.sources)
        cells = [printable(run.run), time_text(run.started_at) or "-", _took(run), _ended_how(run)]
        # Text, not str: a str in a table is parsed as markup.
        table.add_row(*(Text(cell) for cell in [*cells, printable(run.provider), *figures, sources]))
    return table


def run_json(run: RunRow) -> dict[str, Any]:
    """Return one run for programs; times are RFC 3339, `summary` is what the run printed last."""
    sources = [path_fields("path", source) for source in run.sources]
    return {
        "event": "run",
        "run": run.run,
        "started_at": time_text(run.started_at),
        "ended_at": time_text(run.ended_at),
        "exit_code": run.exit_code,
        "running": run.running,
        "provider": run.provider,
        "base_url": run.base_url,
        "sources": sources,
        "summary": run.summary,
    }


def orphans_lines(orphans: Iterable[OrphanRow]) -> Iterator[Text]:
    """Yield a line for each orphan as it comes; there may be many."""
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
    """Return one orphan for programs; `remote_id` null stands for up to `count` ids that nobody saw."""
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


def pruned_text(pruned: PruneCounts, before: float, *, dry_run: bool) -> Text:
    """Return what was taken out of a journal, or would be."""
    parts = [
        count_text(pruned.runs, "run"),
        count_text(pruned.orphans, "orphan"),
        count_text(pruned.superseded, "superseded id"),
        f"{count_text(pruned.files, 'file')} that never arrived",
    ]
    what = f"{', '.join(parts)}, from before {time_text(before)}"
    if dry_run:
        return Text(f"Would go: {what}. Nothing was written.")
    return Text(
        f"Gone: {what}. The journal had {size_text(pruned.size_before)} and has {size_text(pruned.size_after)}."
    )


def pruned_json(pruned: PruneCounts, before: float, *, dry_run: bool) -> dict[str, Any]:
    """Return the same for programs; sizes in bytes."""
    return {"event": "prune", "dry_run": dry_run, "before": time_text(before), **dataclasses.asdict(pruned)}


def _unknown_ids(count: int) -> str:
    return f"up to {count:,} unknown {'id' if count == 1 else 'ids'} (call cut off before its answer)"


def _by_public_state(figures: Mapping[FileState, int]) -> dict[str, int]:
    """Sum up by the states that users know, in the order of their life, without those that no file is in."""
    sums: dict[str, int] = {}
    for state in FileState:
        if number := figures.get(state, 0):
            sums[public_state(state)] = sums.get(public_state(state), 0) + number
    return sums


def _run_line(run: RunRow, *, running: bool) -> str:
    ended = _ended_how(run)
    if run.exit_code is None:
        ended = "running" if running else "cut off; the same command goes on"
    return f"{printable(run.run)}: started {time_text(run.started_at)}, took {_took(run)}, {ended}"


def _took(run: RunRow) -> str:
    return "-" if run.ended_at is None else duration_text(run.ended_at - run.started_at)


def _ended_how(run: RunRow) -> str:
    if run.exit_code is None:
        return "running" if run.running else "cut off"
    return f"{run.exit_code} ({exit_code_text(run.exit_code)})"
