"""A schedule as a marked block in a user's crontab."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bulkup.cli.schedule.cron_block import block_names, block_text, find_block, with_block, without_block
from bulkup.cli.schedule.manager_programs import attempt, require
from bulkup.cli.schedule.marked_files import require_same_job
from bulkup.cli.schedule.schedule_times import parse_times
from bulkup.cli.schedule.scheduled_job import Mark, ScheduledJob, read_mark
from bulkup.cli.schedule.schedulers import ScheduleState
from bulkup.errors import MachineError, UsageError
from bulkup.reports.safe_text import printable

_NOTE = (
    "cron makes up for no night that was missed because the machine was off, and sends a mail about errors only where "
    "mail is set up; see docs/how-to/nightly.md"
)


class CronSchedule:
    """Reads the crontab, changes the block of a schedule, and has `crontab` replace the whole."""

    kind = "cron"

    def __init__(self, user: str | None = None) -> None:
        self._crontab = ("crontab",) if user is None else ("crontab", "-u", user)
        self._place = "the crontab" if user is None else f"the crontab of {user}"

    def rendered(self, job: ScheduledJob) -> Mapping[str, str]:
        """Return the block by the name of the crontab."""
        return {self._place: block_text(job)}

    def install(self, job: ScheduledJob) -> list[str]:
        """Add the block, or replace the earlier one of this schedule."""
        block, crontab = block_text(job).encode(), self._read()
        mark = self._mark_in(crontab, job.name)
        if mark is not None:
            require_same_job(self._place, mark, job)
        self._write(with_block(crontab, job.name, block))
        return [_NOTE]

    def names(self) -> list[str]:
        """Return the names of the blocks in the crontab."""
        return block_names(self._read())

    def mark(self, name: str) -> Mark | None:
        """Return the mark in the block of a schedule."""
        return self._mark_in(self._read(), name)

    def remove(self, name: str) -> list[str]:
        """Remove the block. A crontab that has no other line is removed too."""
        crontab = self._read()
        if self._mark_in(crontab, name) is None:
            return []
        rest = without_block(crontab, name)
        if rest:
            self._write(rest)
        else:
            require(*self._crontab, "-r")
        return [f"the lines of bulkup-{name} in {self._place}"]

    def state(self, name: str) -> ScheduleState | None:
        """Return when the next run begins. cron knows nothing of earlier ones."""
        mark = self.mark(name)
        if mark is None:
            return None
        return ScheduleState(
            place=self._place,
            mark=mark,
            enabled=True,
            running=False,
            next_run=parse_times(mark.at, mark.weekdays).next_time(time.time()),
        )

    def _mark_in(self, crontab: bytes, name: str) -> Mark | None:
        found = find_block(crontab, name)
        if found is None:
            return None
        mark = read_mark(crontab[found[0] : found[1]])
        if mark is None:
            raise UsageError(
                f"the lines of bulkup-{name} in {self._place} were changed: their mark is missing",
                hint="remove them with `crontab -e`",
            )
        return mark

    def _read(self) -> bytes:
        done = attempt(*self._crontab, "-l")
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode("utf-8", "replace")
        if "no crontab for" in said:
            return b""
        shown = printable(" ".join(said.split()))
        raise MachineError(f"cannot read {self._place}: {shown or f'exit code {done.returncode}'}")

    def _write(self, crontab: bytes) -> None:
        require(*self._crontab, "-", given=crontab)
