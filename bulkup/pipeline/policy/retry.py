"""Decisions after a problem: try again, renew the ticket, recheck the file, give up, or end the run.

Pure: time and chance are passed in.
"""

from __future__ import annotations

import enum
import math

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.history import CallHistory, FileHistory
from bulkup.model.problems import COSTS_TIME, OF_THE_HOST, Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.options import RetryPolicy


@dataclass(frozen=True, slots=True)
class Again:
    """Repeat the attempt or the call, not before `at` (monotonic seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Ask for a new ticket for this file; other files keep theirs."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """Look at the changed file, not before `at` (monotonic seconds), and start over with it."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Settle the file in `state`."""

    state: FileState


@dataclass(frozen=True, slots=True)
class Split:
    """Make one call for each half of the group: one of its files is at fault, and it is not known which."""


@dataclass(frozen=True, slots=True)
class EndRun:
    """End the run: every other file would fail as well."""


AttemptDecision = Again | Renew | Recheck | GiveUp | EndRun
CallDecision = Again | Split | GiveUp | EndRun

_FINAL = {
    ProblemKind.REJECTED: FileState.REJECTED,
    ProblemKind.FAILED: FileState.FAILED,
    ProblemKind.CHANGED: FileState.CHANGED,
    ProblemKind.UNREADABLE: FileState.UNREADABLE,
}
# The problem of a file whose ticket expired before a worker began to use it.
LAPSED = Problem(ProblemKind.EXPIRED, "its upload URL expired before it could be used")
# Problems of a refused call. The cause is one of its files, or something that all files have in common.
CALL_REFUSALS = frozenset({ProblemKind.REJECTED, ProblemKind.FAILED})
# Problems of a file that storage refused, with the same two causes.
STORAGE_REFUSALS = frozenset({ProblemKind.REFUSED, ProblemKind.FAILED})
_FATAL = frozenset({ProblemKind.UNAUTHORIZED, ProblemKind.UNUSABLE, ProblemKind.MACHINE})


@dataclass(frozen=True, slots=True)
class Situation:
    """The context of a failed call: the number of its `files`, and whether the service answered other calls.

    `ever_answered` says whether any call of the run has succeeded, `answered_since` whether one has succeeded since
    this one first failed. If none has, the service is down and the files are not at fault: the run ends, and they stay
    for the next one. `outage` says that the service has answered nothing for longer than `retry_for`.
    """

    files: int
    ever_answered: bool
    answered_since: bool
    outage: bool = False


def next_poll(seconds: float, polls: int, policy: RetryPolicy) -> float:
    """Return the seconds until the next poll. The service asked for `seconds`, and answered `polls` polls before."""
    return min(policy.longest_poll, max(policy.shortest_poll, seconds) * 1.5 ** min(polls, 32))


class Silence(enum.Enum):
    """Whether the host of a file has been silent since the file first failed."""

    NONE = "the host has answered another request since the file first failed"
    BUSY = "it has not, and a long request to it makes progress"
    DEAD = "it has not, and no request to it makes progress"


def after_attempt(
    problem: Problem,
    history: FileHistory,
    policy: RetryPolicy,
    now: float,
    chance: float,
    *,
    outage: bool = False,
    silence: Silence = Silence.NONE,
    counts_from: float = -math.inf,
) -> AttemptDecision:
    """Decide after a failed attempt, which the history includes. `now` is monotonic, `chance` in [0, 1).

    `outage` says that storage has answered no request for longer than `retry_for`: the file is not at fault, and every
    other file would fail as well. A file is not given up during the `silence` of its host. `retry_for` counts from
    `counts_from` at the earliest: before it the run was paused.
    """
    if problem.kind in _FATAL or (outage and problem.kind in OF_THE_HOST):
        return EndRun()
    if problem.kind is ProblemKind.CHANGED:
        return after_change(history, policy, now)
    if problem.kind in _FINAL:
        return GiveUp(_FINAL[problem.kind])
    if problem.kind in (ProblemKind.EXPIRED, ProblemKind.GONE):
        return Renew() if history.renewals < policy.renewals else GiveUp(FileState.FAILED)
    if problem.kind is ProblemKind.REFUSED:
        spent = history.refusals > policy.tickets_after_refusal or history.renewals >= policy.renewals
        return GiveUp(FileState.FAILED) if spent else Renew()
    if problem.kind is ProblemKind.MISMATCH and history.mismatches > policy.fresh_reads:
        return GiveUp(FileState.FAILED)
    started = _started(history, now, counts_from)
    at = _next_try(problem, history, policy, now, chance, started)
    if at is not None:
        return Again(at)
    if silence is not Silence.NONE and problem.unanswered:
        return _during(silence, policy, now, chance, started)
    # The file is not at fault where storage cannot be reached: it stays for the next run, like all others.
    return EndRun() if problem.kind is ProblemKind.UNREACHABLE else GiveUp(FileState.FAILED)


def _during(silence: Silence, policy: RetryPolicy, now: float, chance: float, started: float) -> Again | EndRun:
    """Decide for a file that has no try or no time left, while its host answers nothing."""
    wait = policy.cap * (1 + chance) / 2
    left = started + policy.retry_for - now
    if silence is Silence.BUSY:
        return Again(now + wait)
    # The last try begins within `retry_for`, so the run ends soon after it.
    return Again(now + min(wait, left)) if left > 0 else EndRun()


def after_change(history: FileHistory, policy: RetryPolicy, now: float) -> Recheck | GiveUp:
    """Decide after a file changed or vanished while it was read, which the history includes."""
    if policy.on_change == "fail":
        return GiveUp(FileState.FAILED)
    if policy.on_change == "skip" or history.changes > len(policy.rechecks):
        return GiveUp(FileState.CHANGED)
    return Recheck(now + policy.rechecks[history.changes - 1])


def after_lapse(history: FileHistory, policy: RetryPolicy) -> Renew | GiveUp:
    """Decide after a ticket expired while its file waited, which the history includes.

    The file is not at fault. The bound is for leases that are too short to be used at all.
    """
    return Renew() if history.lapses <= policy.lapses else GiveUp(FileState.FAILED)


def after_call(
    problem: Problem,
    history: CallHistory,
    situation: Situation,
    policy: RetryPolicy,
    now: float,
    chance: float,
    *,
    counts_from: float = -math.inf,
) -> CallDecision:
    """Decide after a failed call, which the history includes. `counts_from` is as for `after_attempt`."""
    if problem.kind in _FATAL or (situation.outage and problem.kind in OF_THE_HOST):
        return EndRun()
    if problem.kind in _FINAL:
        return Split() if situation.files > 1 else GiveUp(_FINAL[problem.kind])
    if not situation.ever_answered and _never_answers(problem, history, policy):
        return EndRun()
    at = _next_try(problem, history, policy, now, chance, _started(history, now, counts_from))
    if at is not None:
        return Again(at)
    if not situation.answered_since or problem.kind is ProblemKind.UNREACHABLE:
        return EndRun()
    return Split() if situation.files > 1 else GiveUp(FileState.FAILED)


def _never_answers(problem: Problem, history: CallHistory, policy: RetryPolicy) -> bool:
    """Return whether to give up a service that never answered; one that answers "later" is there, and busy."""
    if problem.kind is ProblemKind.THROTTLED or problem.retry_after:
        return False
    tries = policy.attempts
    if problem.kind is ProblemKind.UNREACHABLE:
        tries = min(tries, policy.first_contact_tries)
    return history.failures + history.throttles >= tries


def _started(history: CallHistory, now: float, counts_from: float) -> float:
    """Return the time from which `retry_for` counts."""
    return now if history.first_failure is None else max(history.first_failure, counts_from)


def _next_try(
    problem: Problem, history: CallHistory, policy: RetryPolicy, now: float, chance: float, started: float
) -> float | None:
    """Return when to try again, None when no try or no time is left."""
    if history.failures >= policy.attempts and problem.kind not in COSTS_TIME:
        return None
    asked = min(problem.retry_after or 0.0, policy.retry_after_max)
    wait = chance * min(policy.cap, policy.base * 2.0 ** min(history.failures + history.throttles, 32))
    # Files that received the same time must not come back in the same instant: hence the sum, and not the maximum.
    at = now + asked + (wait if not asked else wait / 4)
    return at if at - started <= policy.retry_for else None
