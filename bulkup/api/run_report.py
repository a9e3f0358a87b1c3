"""Gathers the facts of a run from its journal, and renders its report in one of the formats."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Reader, read_record
from bulkup.journal.failure_groups import failure_groups
from bulkup.model.journal_rows import FailureGroup, RunRow
from bulkup.model.states import DONE, NOT_UPLOADED, FileState
from bulkup.pipeline.policy.common_refusals import alike
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.run_report.report_figures import COMPARED, not_uploaded
from bulkup.reports.run_report.run_facts import RunFacts

FORMATS = ("html", "markdown", "terminal", "json")


@dataclass(frozen=True, slots=True)
class GatheringOptions:
    """How many earlier runs are looked at to find those that can be compared."""

    earlier: int = 200


DEFAULT_OPTIONS = GatheringOptions()


def gather(
    reader: Reader,
    number: int,
    options_of: Callable[[RunRow], JournalOptions],
    made_at: float,
    options: GatheringOptions = DEFAULT_OPTIONS,
) -> RunFacts:
    """Return the facts of the run with this number. `options_of` returns the options of commands for its journal.

    The rows of files are read only for failures, and to count what a cut-off run has left: then once or twice. Raises
    `JournalError`.
    """
    runs = reader.runs(up_to=number)
    run = next(runs)
    record, current = read_record(reader, number), reader.run_numbers("last") == [number]
    facts = RunFacts(
        journal=reader.path,
        run=run,
        record=record,
        groups=(),
        current=current,
        earlier=_comparable(run, itertools.islice(runs, options.earlier)),
        options=options_of(run),
        made_at=made_at,
    )
    ended = run.exit_code is not None
    groups: Sequence[FailureGroup] = ()
    if not current:
        groups = _counted_groups(facts.summary)
    elif not ended or not_uploaded(facts):
        groups = failure_groups(reader, alike, number)
        if ended and not groups and not_uploaded(facts):  # their rows were removed since
            groups, current = _counted_groups(facts.summary), False
    left = _left(reader) if current and facts.cut_off else None
    return replace(facts, groups=groups, current=current, left=left)


def render(facts: RunFacts, form: str, *, blocks: bool = True) -> str:
    """Return the report in a format of `FORMATS`. `blocks` is that of `terminal_report`. Raises `UsageError`."""
    # Each format is imported when it is used.
    if form == "html":
        from bulkup.reports.run_report.html_report import html_report  # noqa: PLC0415

        return html_report(facts)
    if form == "json":
        from bulkup.reports.run_report.json_report import json_report  # noqa: PLC0415

        return json_report(facts) + "\n"
    if form == "markdown":
        from bulkup.reports.run_report.markdown_report import markdown_report  # noqa: PLC0415

        return markdown_report(facts)
    from bulkup.reports.run_report.terminal_report import terminal_report  # noqa: PLC0415

    return terminal_report(facts, blocks=blocks)


def _comparable(run: RunRow, earlier: Iterable[RunRow]) -> list[RunRow]:
    """Return the runs before this one of the same files and service, the newest first."""
    same = (one for one in earlier if _of(one) == _of(run))
    return list(itertools.islice(same, COMPARED))


def _of(run: RunRow) -> tuple[str, str, frozenset[bytes], str | None]:
    return run.provider, run.base_url, frozenset(run.sources), run.shard


def _counted_groups(summary: Mapping[str, Any]) -> list[FailureGroup]:
    """Return the groups that a run counted itself: later runs may have replaced the rows of their files."""
    return [
        FailureGroup(FileState(entry["status"]), entry["reason"], entry["files"], 0, b"", b"", entry["reason"])
        for entry in summary.get("reasons", ())
    ]


def _left(reader: Reader) -> int:
    """Return the number of files in the journal that are neither uploaded nor given up."""
    files = reader.status().files
    return sum(number for state, number in files.items() if state not in DONE and state not in NOT_UPLOADED)
