"""Chooses the exit code if several apply (docs/design.md section 7). No I/O."""

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
    ExitCode.SERVICE: "the service refused, or cannot be used",
    ExitCode.LOCKED: "another run holds the journal",
    ExitCode.TIME_UP: "stopped at a limit of time, files or bytes",
    ExitCode.MACHINE: "an error of this machine",
    ExitCode.SIGHUP: "the terminal was closed",
    ExitCode.SIGINT: "interrupted",
    ExitCode.SIGTERM: "terminated",
}


def exit_code(counters: Counters, *, reasons: Iterable[int] = (), lost_source: bool = False) -> int:
    """Return the exit code of a run: the first in `PRECEDENCE` of all that apply.

    `reasons` are the codes of fatal errors, signals and the time limit that ended the run early. `lost_source` says
    that a source is empty although the journal has files in it. Raises ValueError for an unknown code.
    """
    applicable = {int(reason) for reason in reasons} | _of_files(counters, lost_source)
    if unknown := applicable.difference(PRECEDENCE):
        raise ValueError(f"no such exit code: {sorted(unknown)}")
    return next((int(code) for code in PRECEDENCE if code in applicable), int(ExitCode.OK))


def _of_files(counters: Counters, lost_source: bool) -> set[int]:
    codes: set[int] = set()
    if counters.failed:
        codes.add(ExitCode.FILES_FAILED)
    # A run that ends early gives a reason. Without one, the code must still not be 0.
    left_out = counters.changed + counters.unreadable + counters.rejected + counters.remaining + counters.not_removed
    if left_out or lost_source:
        codes.add(ExitCode.INCOMPLETE)
    return codes


def exit_code_text(code: int) -> str:
    """Return a short text for an exit code, with its number if it is unknown."""
    return _MEANING.get(code, f"exit code {code}")
