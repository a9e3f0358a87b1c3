"""docs/reference/exit-codes.md: the exit codes, their precedence, and the next steps."""

from __future__ import annotations

from bulkup.errors import BulkupError, ExitCode
from bulkup.reports.exit_code import PRECEDENCE, exit_code_text

_HEAD = """# Exit codes

The exit code says how a command ended. A run that is stopped can be continued by the same command.

| code | a run is reported as | when | next step |
|---|---|---|---|
"""
_CODES = {
    ExitCode.OK: ("every file found is uploaded; files that an earlier run uploaded count", "none"),
    ExitCode.FILES_FAILED: (
        "at least one file failed permanently; the others were continued",
        "`bulkup failures` shows the reasons; `bulkup retry` sends the files again",
    ),
    ExitCode.USAGE: (
        "an option, a setting or a source is wrong; nothing was started",
        "the message names the place and the remedy; `bulkup config check` finds all errors of a profile",
    ),
    ExitCode.INCOMPLETE: (
        "some files changed, vanished, were unreadable or were not accepted; or a source that had files is empty",
        "`bulkup failures`",
    ),
    ExitCode.SERVICE: (
        "the service refuses the credentials or every request, cannot be reached, or gives unusable answers",
        "`bulkup config check --online` and `bulkup doctor`; then the same command",
    ),
    ExitCode.LOCKED: ("another run holds the journal", "wait for it; `--wait` does"),
    ExitCode.TIME_UP: (
        "`--max-duration`, `--until`, `--max-files` or `--max-bytes` was reached",
        "none; the next run continues",
    ),
    ExitCode.MACHINE: (
        "the disk is full, the journal is damaged, descriptors or memory are used up",
        "`bulkup doctor`; [Recover from a disaster](../how-to/recovery.md)",
    ),
    ExitCode.SIGHUP: ("the terminal was closed (SIGHUP)", "the same command"),
    ExitCode.SIGINT: ("Ctrl-C (SIGINT)", "the same command"),
    ExitCode.SIGTERM: ("`systemctl stop`, `docker stop`, a shutdown (SIGTERM)", "the same command"),
}


def page() -> str:
    """Return the page."""
    rows = "".join(
        f"| {int(code)} | {exit_code_text(code)} | {_CODES[code][0]} | {_CODES[code][1]} |\n" for code in ExitCode
    )
    errors = "".join(
        f"| `{error.__name__}` | {int(error.exit_code)} |\n"
        for error in sorted(BulkupError.__subclasses__(), key=lambda one: (one.exit_code, one.__name__))
        if error.__module__ == "bulkup.errors"
    )
    order = ", ".join(str(int(code)) for code in PRECEDENCE)
    return (
        f"{_HEAD}{rows}\nIf several apply, the first in this order is taken: {order}.\n\n"
        "`bulkup verify` and `bulkup doctor` use the same numbers with meanings of their own "
        "([commands](commands.md#bulkup-verify)). [A run every night](../how-to/nightly.md#good-and-bad-nights) says "
        "which codes are a good night.\n\n## Exceptions of the library\n\n"
        f"| exception | exit code |\n|---|---|\n{errors}"
    )
