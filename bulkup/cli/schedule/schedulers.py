"""The interface of the service managers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bulkup.cli.schedule.scheduled_job import Mark, ScheduledJob
from bulkup.helpers.quick_dataclass import dataclass

KINDS = ("systemd", "cron", "launchd")


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """The state of a schedule in its service manager. Times are Unix times, None if it does not know them.

    `place` is the path of its file, or the name of the crontab. `running` says that the upload runs now. `exit_code` is
    that of the last start.
    """

    place: str
    mark: Mark
    enabled: bool
    running: bool
    next_run: float | None = None
    last_run: float | None = None
    exit_code: int | None = None
    result: str | None = None


class Scheduler(Protocol):
    """A service manager. `kind` is one of `KINDS`."""

    @property
    def kind(self) -> str:
        """The name of the kind."""
        ...

    def rendered(self, job: ScheduledJob) -> Mapping[str, str]:
        """Return the text that `install` writes, by its place."""
        ...

    def install(self, job: ScheduledJob) -> list[str]:
        """Write and enable the job, and return notes for the user. Raises UsageError and MachineError."""
        ...

    def names(self) -> list[str]:
        """Return the names of the installed schedules."""
        ...

    def mark(self, name: str) -> Mark | None:
        """Return the mark of an installed schedule, None if there is none of that name."""
        ...

    def remove(self, name: str) -> list[str]:
        """Undo `install`, and return the places that were removed."""
        ...

    def state(self, name: str) -> ScheduleState | None:
        """Return the state of a schedule, None if there is none of that name."""
        ...
