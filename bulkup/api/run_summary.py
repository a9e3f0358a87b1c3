"""The summary of a run."""

from __future__ import annotations

from typing import Any

from bulkup.errors import BulkupError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Counters
from bulkup.model.files import Source
from bulkup.model.progress import WorkerProgress
from bulkup.reports.summary import summary_object


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run. `exit_code` is that of docs/design.md section 7, `error` the error that ended the run early.

    `lost_sources` are sources without files in which earlier runs found files. `workers` has a row for
    each worker of a cluster. `paused` is for how many of its `seconds` the run was paused.
    """

    run: str
    exit_code: int
    counters: Counters
    seconds: float
    error: BulkupError | None = None
    lost_sources: tuple[Source, ...] = ()
    workers: tuple[WorkerProgress, ...] = ()
    paused: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the summary object of `--json`."""
        return summary_object(
            self.run,
            self.exit_code,
            self.counters,
            self.seconds,
            self.workers,
            empty_sources=len(self.lost_sources),
            paused=self.paused,
        )
