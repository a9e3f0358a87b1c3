"""Errors that end the run, as the user sees them."""

from __future__ import annotations

from bulkup.errors import BulkupError, MachineError, ServiceError
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemKind

_RESUMES = "the same command resumes this run"
_HINTS = {
    ProblemKind.UNAUTHORIZED: f"check the credentials; with valid ones, {_RESUMES}",
    ProblemKind.UNUSABLE: f"fix the cause, and {_RESUMES}",
    ProblemKind.MACHINE: _RESUMES,
    ProblemKind.UNREACHABLE: f"check base_url and the network; {_RESUMES}",
    ProblemKind.THROTTLED: f"the service accepts no requests for now (see retry_for, retry_after_max); {_RESUMES}",
}
_FAILING = f"the service fails repeatedly, or gives unusable answers; {_RESUMES}"


def fatal(problem: Problem, outage: float | None = None) -> BulkupError:
    """Return the error that ends the run because of this problem. `outage` is the length of an outage, in seconds."""
    hint = _HINTS.get(problem.kind, _FAILING)
    if outage is not None and problem.kind in OF_THE_HOST:
        return ServiceError(f"{problem.message}; no other request was answered for {outage:.0f} s", hint=hint)
    if problem.kind is ProblemKind.MACHINE:
        return MachineError(problem.message, hint=hint)
    prefix = "the credentials are refused: " if problem.kind is ProblemKind.UNAUTHORIZED else ""
    return ServiceError(prefix + problem.message, hint=hint)
