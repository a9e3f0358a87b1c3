"""The property list of a schedule for launchd. Pure."""

from __future__ import annotations

import plistlib
from typing import Any

from bulkup.cli.schedule.schedule_times import ScheduleTimes
from bulkup.cli.schedule.scheduled_job import ScheduledJob
from bulkup.errors import UsageError

_RESTART = 60  # seconds before a watch that failed is started again
_LEVEL = 10  # the priority that systemd's unit has too


def label_of(name: str) -> str:
    """Return the label of a schedule, which is also the name of its file."""
    return f"bulkup.{name}"


def plist_text(job: ScheduledJob, log: str) -> str:
    """Return the property list of a job. `log` is the file of its output. Raises UsageError."""
    values: dict[str, Any] = {
        "Label": label_of(job.name),
        "ProgramArguments": list(job.command),
        "EnvironmentVariables": dict(job.environment),
        **_start(job.times),
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": _LEVEL,
        "ExitTimeOut": job.stop_after,
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "Umask": 0o077,
    }
    if job.user is not None:
        values["UserName"] = job.user
    try:
        text = plistlib.dumps(values, sort_keys=False).decode()
    except (ValueError, UnicodeError) as error:
        raise UsageError(
            "a path or the profile's name has a control character, or bytes that are not UTF-8; a property list "
            "cannot contain it",
            hint="give it another name",
        ) from error
    head, marked, rest = text.partition("<plist ")
    return f'{head}<!-- Written by "bulkup schedule install". {job.mark()} -->\n{marked}{rest}'


def _start(times: ScheduleTimes | None) -> dict[str, Any]:
    """Return when launchd starts a job: at times, or always if it is a watch. One that is stopped in order ends."""
    if times is not None:
        return {"StartCalendarInterval": times.launchd_intervals()}
    return {"RunAtLoad": True, "KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": _RESTART}
