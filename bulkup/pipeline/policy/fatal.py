"""Errors that end the run, as the user sees them."""

from __future__ import annotations

from bulkup.errors import BulkupError, MachineError, ServiceError
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemKind
from bulkup.model.reason_hints import hint_for
from bulkup.pipeline.policy.common_refusals import CommonRefusals

_RESUMES = "the same command resumes this run"
_HINTS = {
    ProblemKind.UNAUTHORIZED: f"check the credentials; with valid ones, {_RESUMES}",
    ProblemKind.UNUSABLE: f"fix the cause, and {_RESUMES}",
    ProblemKind.MACHINE: _RESUMES,
    ProblemKind.UNREACHABLE: f"check base_url, the network, and whether the service is up; {_RESUMES}",
    ProblemKind.THROTTLED: f"the service accepts no requests for now (see retry_for, retry_after_max); {_RESUMES}",
}
_STORAGE_HINTS = {
    ProblemKind.UNREACHABLE: (
        f"this is the storage host that the service's upload URLs name; check the network and the proxy; {_RESUMES}"
    ),
    ProblemKind.THROTTLED: f"storage accepts no requests for now (see retry_for, retry_after_max); {_RESUMES}",
    ProblemKind.TRANSIENT: f"the storage host that the service's upload URLs name fails repeatedly; {_RESUMES}",
}
_FAILING = f"the service fails repeatedly, or gives unusable answers; {_RESUMES}"
_PLAIN_HTTP = f"check base_url: does the service expect https://? Otherwise {_FAILING}"


def refuses_every_file(problem: Problem, refusals: CommonRefusals) -> ServiceError:
    """Return the error for a service or a store that refuses every file for the same reason."""
    hint = hint_for(problem.message) or "check the settings and the account that all files have in common"
    message = f"every file is refused: {problem.message}; {refusals.in_common()}, and none was accepted"
    return ServiceError(message, hint=f"{hint}; {_RESUMES}")


_EQUAL_CLOCKS = 60.0  # seconds; a smaller difference ends no lease


def tickets_over(over_by: float | None, skew: float | None, said: str = "") -> ServiceError:
    """Return the error for a service whose upload URLs are useless when they arrive.

    `over_by` is for how many seconds they had expired by their own times, None where storage alone calls them expired,
    with the message `said`.
    `skew` is by how many seconds the service's clock is ahead of this machine's, None where its answers do not say it.
    """
    if over_by is None:
        message = "storage calls every new upload URL expired" + (f": {said}" if said else "")
    else:
        message = f"every upload URL has expired when it arrives, {_span(over_by)} ago"
    if skew is None:
        cause = "the likely cause is the clock of the service, or that of this machine"
    elif abs(skew) < _EQUAL_CLOCKS:
        cause = "the clock of the service's API agrees with this machine's; its leases are too short, or wrong"
    else:
        side = "ahead of" if skew > 0 else "behind"
        cause = f"the likely cause is a clock: the service's is {_span(abs(skew))} {side} this machine's"
    return ServiceError(message, hint=f"{cause}; once this is mended, {_RESUMES}")


def _span(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


def fatal(
    problem: Problem, outage: float | None = None, *, of_storage: bool = False, plain_http: bool = False
) -> BulkupError:
    """Return the error that ends the run because of this problem.

    `outage` is the length of an outage, in seconds. `of_storage` says that the problem is one of a storage host, and
    `plain_http` that the service never answered over http.
    """
    hint = _HINTS.get(problem.kind, _FAILING)
    if of_storage:
        hint = _STORAGE_HINTS.get(problem.kind, hint)
    elif plain_http and problem.kind is ProblemKind.TRANSIENT:
        hint = _PLAIN_HTTP
    if outage is not None and problem.kind in OF_THE_HOST:
        return ServiceError(f"{problem.message}; no other request was answered for {outage:.0f} s", hint=hint)
    if problem.kind is ProblemKind.MACHINE:
        return MachineError(problem.message, hint=hint)
    prefix = "the credentials are refused: " if problem.kind is ProblemKind.UNAUTHORIZED else ""
    return ServiceError(prefix + problem.message, hint=hint)
