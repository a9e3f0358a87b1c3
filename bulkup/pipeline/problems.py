"""Problems that end a run, as the user meets them."""

from __future__ import annotations

import dataclasses
import re

from bulkup.errors import BulkupError, MachineError, ServiceError
from bulkup.messages import Kind, Problem
from bulkup.providers import Provider
from bulkup.secrets import MASK

_QUERY = re.compile(r"\?[^\s<>\"')]*")

_HINTS = {
    Kind.UNAUTHORIZED: "check the credentials; the same command with good ones goes on where this run stopped",
    Kind.UNUSABLE: "once that is mended, the same command goes on where this run stopped",
}
_UNREACHABLE = "check base_url and the network; the same command goes on where this run stopped"


def told(problem: Problem, provider: Provider) -> Problem:
    """Return the problem without secrets: what the other side says may quote the key or the URL that we sent."""
    text = _QUERY.sub("?" + MASK, problem.message)
    for secret in provider.secrets:
        text = text.replace(secret.reveal(), MASK) if secret else text
    return dataclasses.replace(problem, message=text)


def fatal(problem: Problem) -> BulkupError:
    """Return the error that ends the run because of this problem."""
    if problem.kind is Kind.MACHINE:
        return MachineError(problem.message, hint="the same command goes on where this run stopped")
    prefix = "the credentials are refused: " if problem.kind is Kind.UNAUTHORIZED else ""
    return ServiceError(prefix + problem.message, hint=_HINTS.get(problem.kind, _UNREACHABLE))
