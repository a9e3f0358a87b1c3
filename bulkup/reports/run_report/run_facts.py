"""What the journal knows of a run, as its report takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.journal_rows import FailureGroup, RunRow
from bulkup.model.run_record import RunRecord
from bulkup.reports.next_commands import JournalOptions

_TOO_LARGE = 1e30  # of a damaged journal


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts behind a report.

    `record` is None for runs of versions that kept none. `groups` are the files that were not uploaded, by reason. With
    `current`, no later run has begun: the groups are those of the journal's rows, with an example each. Otherwise they
    are those that the run counted itself. `left` counts the files that a cut-off run has left, None if unknown.
    `earlier` are runs of the same sources and service
    before it, the newest first. `options` are those of suggested commands. `made_at` is a Unix time.
    """

    journal: str
    run: RunRow
    record: RunRecord | None
    groups: Sequence[FailureGroup]
    current: bool
    earlier: Sequence[RunRow]
    options: JournalOptions
    made_at: float
    left: int | None = None

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary object of the run; of one without an end that of its record, else an empty one."""
        if self.run.summary:
            return self.run.summary
        return self.record.summary if self.record is not None else {}

    @property
    def cut_off(self) -> bool:
        """Whether the run was cut off before its end."""
        return self.run.exit_code is None and not self.run.running

    @property
    def seconds(self) -> float | None:
        """The duration of the run; of one without an end, up to the last figures that it wrote. None if unknown."""
        seconds = figure(self.summary, "seconds")
        return None if seconds is None else float(seconds)


def figure(summary: Mapping[str, Any], *names: str) -> Any:
    """Return a number of a summary object by the names that lead to it, None if it is not there or beyond all sizes."""
    value: Any = summary
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and abs(value) < _TOO_LARGE else None
