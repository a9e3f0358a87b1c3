"""A schedule as a property list of launchd: an agent of the user, or a daemon of the system."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping

from bulkup.cli.schedule.launchd_plist import label_of, plist_text
from bulkup.cli.schedule.manager_programs import attempt, require
from bulkup.cli.schedule.marked_files import marked_names, read_marked, remove_marked, replaced_files
from bulkup.cli.schedule.schedule_times import parse_times
from bulkup.cli.schedule.scheduled_job import Mark, ScheduledJob
from bulkup.cli.schedule.schedulers import ScheduleState
from bulkup.config.user_dirs import home_expanded
from bulkup.errors import MachineError

_LAST_EXIT = re.compile(rb"last exit code = (\d+)")
_RUNNING = re.compile(rb"state = running")


class LaunchdSchedule:
    """Writes the property list and has `launchctl` load it."""

    kind = "launchd"

    def __init__(self, *, is_system: bool, library: str | None = None) -> None:
        self._library = library or ("/Library" if is_system else home_expanded("~/Library"))
        self._folder = os.path.join(self._library, "LaunchDaemons" if is_system else "LaunchAgents")
        self._domain = "system" if is_system else f"gui/{os.geteuid()}"

    def rendered(self, job: ScheduledJob) -> Mapping[str, str]:
        """Return the property list by its path."""
        return {self._path(job.name): plist_text(job, self._log(job.name))}

    def install(self, job: ScheduledJob) -> list[str]:
        """Write the property list, and load it. If that fails, the file is as before."""
        texts = {path: text.encode() for path, text in self.rendered(job).items()}
        try:
            os.makedirs(os.path.dirname(self._log(job.name)), exist_ok=True)
        except OSError as error:
            raise MachineError(f"cannot make the folder of {self._log(job.name)}: {error.strerror}") from error
        with replaced_files(texts, job):
            attempt("launchctl", "bootout", f"{self._domain}/{label_of(job.name)}")  # the earlier one, if any
            require("launchctl", "bootstrap", self._domain, self._path(job.name))
        return [f"the output of the runs is appended to {self._log(job.name)}"]

    def names(self) -> list[str]:
        """Return the names of the property lists that bulkup wrote."""
        return marked_names(self._folder, label_of(""), ".plist")

    def mark(self, name: str) -> Mark | None:
        """Return the mark of the property list."""
        found = read_marked(self._path(name))
        return None if found is None else found[1]

    def remove(self, name: str) -> list[str]:
        """Unload and remove the property list. launchd ends a run in progress, which the next one resumes."""
        if self.mark(name) is None:
            return []
        attempt("launchctl", "bootout", f"{self._domain}/{label_of(name)}")
        return [self._path(name)] if remove_marked(self._path(name)) else []

    def state(self, name: str) -> ScheduleState | None:
        """Return the state of the job in launchd."""
        mark = self.mark(name)
        if mark is None:
            return None
        shown = attempt("launchctl", "print", f"{self._domain}/{label_of(name)}")
        last = _LAST_EXIT.search(shown.stdout)
        return ScheduleState(
            place=self._path(name),
            mark=mark,
            enabled=shown.returncode == 0,
            running=_RUNNING.search(shown.stdout) is not None,
            next_run=None if mark.is_watch else parse_times(mark.at, mark.weekdays).next_time(time.time()),
            exit_code=None if last is None else int(last[1]),
        )

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"{label_of(name)}.plist")

    def _log(self, name: str) -> str:
        return os.path.join(self._library, "Logs", "bulkup", f"{name}.log")
