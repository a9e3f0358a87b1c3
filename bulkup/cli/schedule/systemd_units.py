"""The text of systemd's units for a job: a service and its timer; a watch has a service alone. Pure."""

from __future__ import annotations

import os

from bulkup.cli.schedule.schedule_times import ScheduleTimes
from bulkup.cli.schedule.scheduled_job import ScheduledJob
from bulkup.cli.schedule.systemd_text import command_line, plain, quoted

WATCHDOG = 600  # seconds without a sign of life; a disk that does not answer for so long ends the run
# 6: the run has stopped at its time limit, and the next one resumes. 143: `systemctl stop`, or the machine went down.
GOOD_EXITS = (6, 143)
# Wrong settings, and a journal that another run uses: a new start would not help.
_LASTING_EXITS = (2, 5)
_RESTART = 60  # seconds before a watch is started again

# All of these work without namespaces, which a user's service manager may not be allowed to make.
_HARDENING = """\
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM"""
_SYSTEM_HARDENING = """\
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes"""
# Root needs these to read files of all users, and to remove them.
_ROOT_CAPABILITIES = "CapabilityBoundingSet=CAP_DAC_READ_SEARCH"
_TO_REMOVE_FILES = " CAP_DAC_OVERRIDE CAP_FOWNER"
_NO_CAPABILITIES = "CapabilityBoundingSet="


def unit_texts(job: ScheduledJob) -> dict[str, str]:
    """Return the text of each unit by its name. Raises UsageError if a unit cannot contain a value."""
    service = {f"{job.unit}.service": service_text(job)}
    return service if job.times is None else {**service, f"{job.unit}.timer": timer_text(job, job.times)}


def service_text(job: ScheduledJob) -> str:
    """Return the service: the run, what it may do, and which exit codes are no failure."""
    program, *arguments = job.command
    what = "Upload with bulkup" if job.times is not None else "Upload with bulkup what arrives"
    lines = [*_head(job), "[Unit]", f"Description={what}, profile {plain(job.profile or '-')}"]
    if job.is_system:
        lines += ["Wants=network-online.target", "After=network-online.target"]
    lines += [
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        f"WatchdogSec={WATCHDOG}",
        f"ExecStart={command_line(program, *arguments)}",
        "ExecReload=/bin/kill -HUP $MAINPID",  # the run reads its profile again
        f"SuccessExitStatus={' '.join(map(str, GOOD_EXITS))}",
        f"TimeoutStopSec={job.stop_after}",
        f"SyslogIdentifier={job.unit}",
        "Nice=10",
        *(f"Environment={quoted(f'{name}={value}')}" for name, value in job.environment.items()),
        *(f"LoadCredential={one.name}:{plain(one.path)}" for one in job.credentials),
    ]
    if job.times is None:
        lasting = " ".join(map(str, _LASTING_EXITS))
        lines += ["Restart=on-failure", f"RestartSec={_RESTART}", f"RestartPreventExitStatus={lasting}"]
    if job.user is not None:
        lines.append(f"User={plain(job.user)}")
    lines += ["", "# What the run may not do.", _HARDENING]
    if job.is_system:
        of_root = _ROOT_CAPABILITIES + (_TO_REMOVE_FILES if job.takes_files_away else "")
        lines += [_SYSTEM_HARDENING, of_root if job.user is None else _NO_CAPABILITIES]
        if not job.uses_temporary:
            lines.append("PrivateTmp=yes")
        lines += [f"ReadWritePaths={quoted(path)}" for path in job.writable]
    if job.times is None:
        lines += ["", "[Install]", f"WantedBy={'multi-user' if job.is_system else 'default'}.target"]
    return "\n".join(lines) + "\n"


def timer_text(job: ScheduledJob, times: ScheduleTimes) -> str:
    """Return the timer. A time that was missed, because the machine was off, is made up for."""
    lines = [
        *_head(job),
        "[Unit]",
        f"Description=Start the upload of bulkup's profile {plain(job.profile or '-')}",
        "",
        "[Timer]",
        *(f"OnCalendar={event}" for event in times.on_calendar()),
        "Persistent=true",
        f"RandomizedDelaySec={job.delay}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _head(job: ScheduledJob) -> list[str]:
    scope = "" if job.is_system else " --user"
    return [
        f'# Written by "bulkup schedule install". To change it, use "systemctl{scope} edit {job.unit}.service".',
        f"# {job.mark()}",
    ]


def below_temporary(path: str) -> bool:
    """Return whether a path is below a folder that PrivateTmp= replaces."""
    whole = os.path.normpath(path)
    return whole.startswith(("/tmp/", "/var/tmp/"))  # noqa: S108  # compared, not used
