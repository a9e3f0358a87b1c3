"""Errors that end the run, as the user sees them."""

from __future__ import annotations

from bulkup.errors import BulkupError, MachineError, ServiceError
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemKind

_GOES_ON = "the same command goes on where this run stopped"


_HINTS = {
    ProblemKind.UNAUTHORIZED: "check the credentials; the same command with good ones goes on where this run stopped",
    ProblemKind.UNUSABLE: "once that is mended, the same command goes on where this run stopped",
    ProblemKind.MACHINE: _GOES_ON,
    ProblemKind.UNREACHABLE: f"check base_url and the network; {_GOES_ON}",
    ProblemKind.THROTTLED: f"the service takes no more for now (see retry_for and retry_after_max); {_GOES_ON}",
}


_FAILING = f"the service fails over and over, or its answers make no sense; {_GOES_ON}"


def fatal(problem: Problem, outage: float | None = None) -> BulkupError:
    """Return the error that ends the run because of this problem, the last of an `outage` of so many seconds."""
    hint = _HINTS.get(problem.kind, _FAILING)
    if outage is not None and problem.kind in OF_THE_HOST:
        return ServiceError(f"{problem.message}; nothing else was answered for {outage:.0f} s", hint=hint)
    if problem.kind is ProblemKind.MACHINE:
        return MachineError(problem.message, hint=hint)
    prefix = "the credentials are refused: " if problem.kind is ProblemKind.UNAUTHORIZED else ""
    return ServiceError(prefix + problem.message, hint=hint)
