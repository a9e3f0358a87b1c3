"""Which status a command exits with when several things hold; the table of docs/design.md section 7. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bulkup.errors import ExitCode
from bulkup.model.counters import Counters

PRECEDENCE: Final[tuple[int, ...]] = (
    ExitCode.USAGE,
    ExitCode.LOCKED,
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.SIGHUP,
    ExitCode.MACHINE,
    ExitCode.SERVICE,
    ExitCode.TIME_UP,
    ExitCode.FILES_FAILED,
    ExitCode.INCOMPLETE,
    ExitCode.OK,
)

_MEANING: Final[dict[int, str]] = {
    ExitCode.OK: "complete",
    ExitCode.FILES_FAILED: "some files failed",
    ExitCode.USAGE: "wrong usage or configuration",
    ExitCode.INCOMPLETE: "incomplete",
    ExitCode.SERVICE: "the service refused or is of no use",
    ExitCode.LOCKED: "another run holds the journal",
    ExitCode.TIME_UP: "time was up",
    ExitCode.MACHINE: "this machine's own fault",
    ExitCode.SIGHUP: "its terminal was closed",
    ExitCode.SIGINT: "interrupted",
    ExitCode.SIGTERM: "terminated",
}


def exit_code(counters: Counters, *, reasons: Iterable[int] = (), lost_source: bool = False) -> int:
    """Return the status of a run: the first in `PRECEDENCE` of all that hold.

    `reasons` are the codes of what ended the run early: fatal errors, signals, the time. `lost_source` says
    that a source is empty although the journal knows files in it. Raises ValueError for a reason that is in
    no table.
    """
    holds = {int(reason) for reason in reasons} | _of_files(counters, lost_source)
    if unknown := holds.difference(PRECEDENCE):
        raise ValueError(f"no such exit code: {sorted(unknown)}")
    return next((int(code) for code in PRECEDENCE if code in holds), int(ExitCode.OK))


def _of_files(counters: Counters, lost_source: bool) -> set[int]:
    codes: set[int] = set()
    if counters.failed:
        codes.add(ExitCode.FILES_FAILED)
    # A run that ends early names its reason. Should that ever be missing, 0 would be a lie.
    left_out = counters.changed + counters.unreadable + counters.rejected + counters.remaining
    if left_out or lost_source:
        codes.add(ExitCode.INCOMPLETE)
    return codes


def exit_code_text(code: int) -> str:
    """Return a few words for an exit status; the number itself for one that is not ours."""
    return _MEANING.get(code, f"exit status {code}")
