"""A job of a service manager, for the tests of what is rendered from it."""

from __future__ import annotations

from typing import Any

from bulkup.cli.schedule.schedule_times import ScheduleTimes
from bulkup.cli.schedule.scheduled_job import ScheduledJob


def job(**changes: Any) -> ScheduledJob:
    """Return a job of a user, with changes."""
    values: dict[str, Any] = {
        "name": "nightly",
        "profile": "nightly",
        "config": "/home/u/bulkup.toml",
        "command": ("/opt/bulkup", "upload", "--profile", "nightly", "--config", "/home/u/bulkup.toml"),
        "environment": {"HOME": "/home/u"},
        "credentials": (),
        "writable": ("/home/u/.local/state/bulkup",),
        "times": ScheduleTimes(((2, 0),)),
        "delay": 300,
        "stop_after": 90,
        "is_system": False,
    }
    return ScheduledJob(**{**values, **changes})
