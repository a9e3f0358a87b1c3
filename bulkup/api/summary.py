"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bulkup.counters import Counters
from bulkup.errors import BulkupError
from bulkup.messages import Source
from bulkup.reports.summary import summary_object


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run. `exit_code` is that of DESIGN section 7, `error` the fault that ended it early, if one did.

    `lost_sources` are empty although the journal knows files in them.
    """

    run: str
    exit_code: int
    counters: Counters
    seconds: float
    error: BulkupError | None = None
    lost_sources: tuple[Source, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the summary object of `--json`."""
        return summary_object(self.run, self.exit_code, self.counters, self.seconds)
