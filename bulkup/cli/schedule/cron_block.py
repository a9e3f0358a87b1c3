"""The lines of a schedule in a crontab, between two marks; all other lines stay as they are, byte for byte. Pure."""

from __future__ import annotations

import shlex

from bulkup.cli.schedule.scheduled_job import ScheduledJob
from bulkup.errors import UsageError
from bulkup.reports.safe_text import printable

# 6: the run has stopped at a limit of time, files or bytes, and the next one continues.
_AFTER_FAILURE = """{ CODE=$?; [ $CODE = 6 ] || printf '%s\\n' "$OUTPUT" "exit code $CODE"; }"""
_LONGEST_LINE = 990  # bytes; some crons cut or refuse lines of 1,000


def block_text(job: ScheduledJob) -> str:
    """Return the lines of a job. Raises UsageError for a watch, or if a crontab cannot contain a value.

    The output is printed only after a bad night, so cron sends a mail only about one that needs it.
    """
    if job.times is None:
        raise UsageError(
            "cron starts programs at times, and cannot keep a watch running",
            hint="use --kind systemd or launchd, or a container that is restarted; or start runs often: --at for each",
        )
    values = [f"{name}={shlex.quote(value)}" for name, value in job.environment.items()]
    upload = " ".join([*values, *map(shlex.quote, job.command), "--log-level warning"])
    command = _escaped(f"OUTPUT=$({upload} 2>&1) || {_AFTER_FAILURE}")
    lines = [
        _begin(job.name),
        '# Written by "bulkup schedule install"; "bulkup schedule remove" removes it.',
        f"# {job.mark()}",
        *(f"{fields} {command}" for fields in job.times.cron_fields()),
        _end(job.name),
    ]
    if max(len(line.encode()) for line in lines) > _LONGEST_LINE:
        raise UsageError(
            f"the line for cron would have more than {_LONGEST_LINE} bytes", hint="use shorter paths, or --kind systemd"
        )
    return "\n".join(lines) + "\n"


def block_names(crontab: bytes) -> list[str]:
    """Return the names of the schedules in a crontab."""
    begin = _begin("").encode()
    lines = (line.rstrip(b"\r\n") for line in crontab.splitlines())
    return [line.removeprefix(begin).decode("utf-8", "replace") for line in lines if line.startswith(begin)]


def find_block(crontab: bytes, name: str) -> tuple[int, int] | None:
    """Return where the block of a schedule begins and ends, None if there is none. Raises UsageError without an end."""
    begin, end = _begin(name).encode(), _end(name).encode()
    start = position = 0
    inside = False
    for line in crontab.splitlines(keepends=True):
        if line.rstrip(b"\r\n") == begin:
            start, inside = position, True
        position += len(line)
        if inside and line.rstrip(b"\r\n") == end:
            return start, position
    if inside:
        raise UsageError(
            f'the crontab has the line "{begin.decode()}", and no line "{end.decode()}" after it',
            hint="remove the rest of that schedule with `crontab -e`",
        )
    return None


def with_block(crontab: bytes, name: str, block: bytes) -> bytes:
    """Return a crontab with the block of a schedule, in the place of its earlier block if there is one."""
    found = find_block(crontab, name)
    if found is not None:
        return crontab[: found[0]] + block + crontab[found[1] :]
    separator = b"\n" if crontab and not crontab.endswith(b"\n") else b""
    return crontab + separator + block


def without_block(crontab: bytes, name: str) -> bytes:
    """Return a crontab without the block of a schedule."""
    found = find_block(crontab, name)
    return crontab if found is None else crontab[: found[0]] + crontab[found[1] :]


def _begin(name: str) -> str:
    return f"# BEGIN bulkup schedule {name}"


def _end(name: str) -> str:
    return f"# END bulkup schedule {name}"


def _escaped(command: str) -> str:
    r"""Return a command for cron, which takes `%` for the end of the line; it removes the backslash of `\%` itself."""
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in command):
        what = f"{printable(command)} cannot be written into a crontab"
        raise UsageError(
            f"{what}: it has a control character, or bytes that are not UTF-8", hint="give the file another name"
        )
    return command.replace("%", "\\%")
