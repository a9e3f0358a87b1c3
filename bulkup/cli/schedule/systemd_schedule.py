"""A schedule as units of systemd: of the user, or of the system."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import re
from collections.abc import Iterator, Mapping

from bulkup.cli.schedule.manager_programs import attempt, has_program, require
from bulkup.cli.schedule.marked_files import marked_names, read_marked, remove_marked, replaced_files
from bulkup.cli.schedule.scheduled_job import Mark, ScheduledJob
from bulkup.cli.schedule.schedulers import ScheduleState
from bulkup.cli.schedule.systemd_units import unit_texts
from bulkup.config.user_dirs import home_expanded
from bulkup.errors import BulkupError, UsageError
from bulkup.reports.safe_text import printable

_SYSTEM_FOLDER = "/etc/systemd/system"
_NO_MANAGER = (
    "without a running systemd, use --kind cron; `bulkup schedule show` prints the units. For --user, systemd needs a "
    "session of this user: log in directly (not with su), or set XDG_RUNTIME_DIR=/run/user/UID"
)
_ASKED = {
    "timer": ("Id", "ActiveState", "UnitFileState", "NextElapseUSecRealtime", "LastTriggerUSec"),
    "service": (
        "Id",
        "ActiveState",
        "Result",
        "ExecMainStatus",
        "ExecMainStartTimestamp",
        "ExecMainExitTimestamp",
        "UnitFileState",
    ),
}
_EXIT_FROM_SIGNAL = re.compile(r"core-dump|signal|watchdog|timeout")


class SystemdSchedule:
    """Writes the units and has `systemctl` load them."""

    kind = "systemd"

    def __init__(self, *, is_system: bool, folder: str | None = None) -> None:
        self._is_system = is_system
        self._folder = folder or (_SYSTEM_FOLDER if is_system else _user_folder())
        self._systemctl = ("systemctl",) if is_system else ("systemctl", "--user")

    def rendered(self, job: ScheduledJob) -> Mapping[str, str]:
        """Return the texts of the units by path."""
        return {os.path.join(self._folder, name): text for name, text in unit_texts(job).items()}

    def install(self, job: ScheduledJob) -> list[str]:
        """Write the units, and enable the timer, or the service of a watch. If that fails, the files are as before."""
        texts = {path: text.encode() for path, text in self.rendered(job).items()}
        is_new, unit = self.mark(job.name) is None, _started_unit(job.name, is_watch=job.times is None)
        with replaced_files(texts, job):
            try:
                require(*self._systemctl, "daemon-reload", hint=_NO_MANAGER)
                self._require_known_folder()
                for action in ("enable", "restart"):
                    require(*self._systemctl, action, unit, hint=_NO_MANAGER)
            except BulkupError:
                if is_new:
                    attempt(*self._systemctl, "disable", *(("--now",) if job.times is None else ()), unit)
                raise
        return [] if self._is_system else list(_about_lingering("timer" if job.times is not None else "watch"))

    def names(self) -> list[str]:
        """Return the names of the timers that bulkup wrote, and of its watches."""
        services = marked_names(self._folder, "bulkup-", ".service")
        found = {name: read_marked(self._paths(name)[1]) for name in services}
        watches = [name for name, service in found.items() if service is not None and service[1].is_watch]
        return sorted({*marked_names(self._folder, "bulkup-", ".timer"), *watches})

    def mark(self, name: str) -> Mark | None:
        """Return the mark of the timer, else of the service. Raises UsageError if one of them is of somebody else."""
        found = [read_marked(path) for path in self._paths(name)]
        return next((one[1] for one in found if one is not None), None)

    def remove(self, name: str) -> list[str]:
        """Disable the timer, and remove the units. A run in progress is not stopped, but a watch is."""
        mark = self.mark(name)
        if mark is None:
            return []
        unit = _started_unit(name, is_watch=mark.is_watch)
        require(*self._systemctl, "disable", "--now", unit, hint=_NO_MANAGER)
        if not mark.is_watch:
            # Else a schedule that is installed again much later would begin with the time that was "missed".
            attempt(*self._systemctl, "clean", "--what=state", unit)
        removed = [path for path in self._paths(name) if remove_marked(path)]
        require(*self._systemctl, "daemon-reload", hint=_NO_MANAGER)
        attempt(*self._systemctl, "reset-failed", f"bulkup-{name}.service")
        return removed

    def state(self, name: str) -> ScheduleState | None:
        """Return the state of the units in systemd."""
        mark = self.mark(name)
        if mark is None:
            return None
        service = self._shown(f"bulkup-{name}.service", _ASKED["service"])
        if mark.is_watch:
            timer, is_enabled = dict[str, str](), service.get("UnitFileState") == "enabled"
        else:
            timer = self._shown(f"bulkup-{name}.timer", _ASKED["timer"])
            is_enabled = timer.get("UnitFileState") == "enabled" and timer.get("ActiveState") == "active"
        began = _time(service.get("ExecMainStartTimestamp"))
        return ScheduleState(
            place=self._paths(name)[1 if mark.is_watch else 0],
            mark=mark,
            enabled=is_enabled,
            running=service.get("ActiveState") in ("active", "activating", "deactivating"),
            next_run=_time(timer.get("NextElapseUSecRealtime")),
            last_run=began or _time(timer.get("LastTriggerUSec")),
            exit_code=_exit_code(service) if began else None,
            result=service.get("Result") if began else None,
        )

    def _require_known_folder(self) -> None:
        """Raise UsageError if systemd reads no units from the folder: its environment may differ from this one."""
        folders = attempt(*self._systemctl, "show", "--property=UnitPath", "--value").stdout.split()
        if folders and os.fsencode(self._folder) not in folders:
            raise UsageError(
                f"systemd reads no units from {printable(self._folder)}",
                hint="unset XDG_CONFIG_HOME for this command, or set it for systemd too",
            )

    def _shown(self, unit: str, properties: tuple[str, ...]) -> dict[str, str]:
        shown = require(*self._systemctl, "show", unit, f"--property={','.join(properties)}", hint=_NO_MANAGER)
        lines = (line.partition("=") for line in shown.decode("utf-8", "replace").splitlines())
        return {name: value for name, _, value in lines}

    def _paths(self, name: str) -> list[str]:
        return [os.path.join(self._folder, f"bulkup-{name}.{end}") for end in ("timer", "service")]


def _user_folder() -> str:
    configuration = os.environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(configuration if os.path.isabs(configuration) else home_expanded("~/.config"), "systemd/user")


def _started_unit(name: str, *, is_watch: bool) -> str:
    """Return the unit that systemd starts by itself."""
    return f"bulkup-{name}.{'service' if is_watch else 'timer'}"


def _about_lingering(what: str) -> Iterator[str]:
    """Yield a note if the user's service manager ends with the user's last session."""
    if not has_program("loginctl"):
        return
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no name for this number
        user = str(os.geteuid())
    done = attempt("loginctl", "show-user", user, "--property=Linger")
    if done.stdout.strip() != b"Linger=yes":
        yield (
            f"the {what} works only while you are logged in; `loginctl enable-linger` (an administrator may have to "
            f"allow it: `sudo loginctl enable-linger {user}`) makes it work always"
        )


def _time(text: str | None) -> float | None:
    """Return the Unix time of `Mon 2026-11-30 02:03:00 UTC`, None if there is none."""
    try:
        return dt.datetime.strptime(f"{text} +0000", "%a %Y-%m-%d %H:%M:%S UTC %z").timestamp()
    except ValueError:  # "n/a", or nothing
        return None


def _exit_code(service: Mapping[str, str]) -> int | None:
    """Return the exit code of the last start, None if a signal ended it or it is not known."""
    status = service.get("ExecMainStatus", "")
    ended = _time(service.get("ExecMainExitTimestamp")) is not None
    if not ended or not status.isdigit() or _EXIT_FROM_SIGNAL.search(service.get("Result", "")):
        return None
    return int(status)
