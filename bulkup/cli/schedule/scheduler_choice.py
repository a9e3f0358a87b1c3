"""The choice of a service manager: the one that is named, else the one that runs on this machine."""

from __future__ import annotations

import os
import sys

from bulkup.cli.schedule.cron_schedule import CronSchedule
from bulkup.cli.schedule.launchd_schedule import LaunchdSchedule
from bulkup.cli.schedule.manager_programs import has_program
from bulkup.cli.schedule.schedulers import KINDS, Scheduler
from bulkup.cli.schedule.systemd_schedule import SystemdSchedule
from bulkup.errors import UsageError

_RUNNING_SYSTEMD = "/run/systemd/system"  # as sd_booted(3) tests it


def chosen_scheduler(kind: str | None, *, is_system: bool, user: str | None = None) -> Scheduler:
    """Return the service manager of a kind, else the one that this machine has. Raises UsageError if it has none."""
    chosen = kind or _present_kind()
    if chosen == "systemd":
        return SystemdSchedule(is_system=is_system)
    if chosen == "cron":
        return CronSchedule(user=user)
    if chosen == "launchd":
        return LaunchdSchedule(is_system=is_system)
    raise UsageError(f"--kind: expected {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {chosen}")


def _present_kind() -> str:
    if sys.platform == "darwin":
        return "launchd"
    if os.path.isdir(_RUNNING_SYSTEMD) and has_program("systemctl"):
        return "systemd"
    if has_program("crontab"):
        return "cron"
    raise UsageError(
        "this machine runs neither systemd nor a cron with `crontab`",
        hint="`bulkup schedule show --kind systemd` (or cron) prints what to install elsewhere; "
        "docs/how-to/nightly.md shows Kubernetes and Docker",
    )
