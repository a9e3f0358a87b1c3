"""Problems that end a run, as the user meets them."""

from __future__ import annotations

from bulkup.errors import BulkupError, MachineError, ServiceError
from bulkup.messages import Kind, Problem

_HINTS = {
    Kind.UNAUTHORIZED: "check the credentials; the same command with good ones goes on where this run stopped",
    Kind.UNUSABLE: "once that is mended, the same command goes on where this run stopped",
}
_UNREACHABLE = "check base_url and the network; the same command goes on where this run stopped"


def fatal(problem: Problem) -> BulkupError:
    """Return the error that ends the run because of this problem."""
    if problem.kind is Kind.MACHINE:
        return MachineError(problem.message, hint="the same command goes on where this run stopped")
    prefix = "the credentials are refused: " if problem.kind is Kind.UNAUTHORIZED else ""
    return ServiceError(prefix + problem.message, hint=_HINTS.get(problem.kind, _UNREACHABLE))
