"""What comes after a problem: again, a new ticket, another look, giving up, or the end of the run.

Pure: time and chance come in.
"""

from __future__ import annotations

from dataclasses import dataclass

from bulkup.model.history import CallHistory, FileHistory
from bulkup.model.problems import COSTS_TIME, OF_THE_HOST, Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.options import RetryPolicy


@dataclass(frozen=True, slots=True)
class Again:
    """The same thing once more, not before `at` (monotonic seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class Renew:
    """A new ticket for this file alone."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The file as it is then, not before `at` (monotonic seconds): with another identity, digest and ticket."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Settle the file in `state`."""

    state: FileState


@dataclass(frozen=True, slots=True)
class Split:
    """Ask for the two halves of the group apart: one file in it is at fault, and nobody knows which."""


@dataclass(frozen=True, slots=True)
class EndRun:
    """Going on is pointless."""


AttemptDecision = Again | Renew | LookAgain | GiveUp | EndRun
CallDecision = Again | Split | GiveUp | EndRun

_FINAL = {
    ProblemKind.REJECTED: FileState.REJECTED,
    ProblemKind.FAILED: FileState.FAILED,
    ProblemKind.CHANGED: FileState.CHANGED,
    ProblemKind.UNREADABLE: FileState.UNREADABLE,
}
_FATAL = frozenset({ProblemKind.UNAUTHORIZED, ProblemKind.UNUSABLE, ProblemKind.MACHINE})
_FRESH_READS = 1
_NEW_TICKETS_AFTER_REFUSAL = 1
# A service that never answered yet is more likely a wrong address than a bad minute: the user is told sooner.
_FIRST_CONTACT_TRIES = 5
# Seconds before each further look at a file that changes: enough for one that is just being finished, and an end for a
# log that is written all night.
_LOOKS = (1.0, 4.0, 16.0)
_SHORTEST_POLL = 0.1
_LONGEST_POLL = 15.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What a failed call stood for: a group of `files`, and whether the service answered other calls.

    `answered_since` says whether any call has succeeded since this group first failed. Where none has, it is the
    service that is down and not the files that are bad: the run ends, and they stay for the next one. `outage` says
    that it has answered nothing at all for longer than anybody is to wait.
    """

    files: int
    ever_answered: bool
    answered_since: bool
    outage: bool = False


def next_poll(seconds: float, polls: int) -> float:
    """Return how many seconds to wait before asking again; `polls` were answered with "not yet" before."""
    return min(_LONGEST_POLL, max(_SHORTEST_POLL, seconds) * 1.5 ** min(polls, 32))


def after_attempt(
    problem: Problem, history: FileHistory, policy: RetryPolicy, now: float, chance: float, *, outage: bool = False
) -> AttemptDecision:
    """Decide what comes after a failed attempt. `now` is monotonic, `chance` in [0, 1).

    The item's counters must include this failure. `outage` says that storage has answered nobody for longer than
    anybody is to wait: that is no fault of this file's, and going on would take all night.
    """
    if problem.kind in _FATAL or (outage and problem.kind in OF_THE_HOST):
        return EndRun()
    if problem.kind is ProblemKind.CHANGED:
        return after_change(history, policy, now)
    if problem.kind in _FINAL:
        return GiveUp(_FINAL[problem.kind])
    if problem.kind is ProblemKind.EXPIRED:
        return Renew() if history.renewals < policy.renewals else GiveUp(FileState.FAILED)
    if problem.kind is ProblemKind.REFUSED:
        spent = history.refusals > _NEW_TICKETS_AFTER_REFUSAL or history.renewals >= policy.renewals
        return GiveUp(FileState.FAILED) if spent else Renew()
    if problem.kind is ProblemKind.MISMATCH and history.mismatches > _FRESH_READS:
        return GiveUp(FileState.FAILED)
    at = _next_try(problem, history, policy, now, chance, policy.attempts)
    if at is not None:
        return Again(at)
    # Storage that nobody reaches is no fault of this file's: it stays for the next run, as the others do.
    return EndRun() if problem.kind is ProblemKind.UNREACHABLE else GiveUp(FileState.FAILED)


def after_change(history: FileHistory, policy: RetryPolicy, now: float) -> LookAgain | GiveUp:
    """Decide what comes after a file changed or vanished under our hands; the item's `changes` include it."""
    if policy.on_change == "fail":
        return GiveUp(FileState.FAILED)
    if policy.on_change == "skip" or history.changes > len(_LOOKS):
        return GiveUp(FileState.CHANGED)
    return LookAgain(now + _LOOKS[history.changes - 1])


def after_lapse(history: FileHistory, policy: RetryPolicy) -> Renew | GiveUp:
    """Decide what comes after a ticket that ran out while its file waited; the item's `lapses` include it.

    That is no fault of the file's. The bound is for leases that nobody could ever use.
    """
    return Renew() if history.lapses <= policy.lapses else GiveUp(FileState.FAILED)


def after_call(
    problem: Problem, history: CallHistory, situation: Situation, policy: RetryPolicy, now: float, chance: float
) -> CallDecision:
    """Decide what comes after a failed call; the history must include this failure."""
    if problem.kind in _FATAL or (situation.outage and problem.kind in OF_THE_HOST):
        return EndRun()
    if problem.kind in _FINAL:
        return Split() if situation.files > 1 else GiveUp(_FINAL[problem.kind])
    if not situation.ever_answered and _in_vain(problem, history, policy):
        return EndRun()
    at = _next_try(problem, history, policy, now, chance, policy.attempts)
    if at is not None:
        return Again(at)
    if not situation.answered_since or problem.kind is ProblemKind.UNREACHABLE:
        return EndRun()
    return Split() if situation.files > 1 else GiveUp(FileState.FAILED)


def _in_vain(problem: Problem, history: CallHistory, policy: RetryPolicy) -> bool:
    """Say whether a service that never answered is to be given up; one that says "later" is there, and busy."""
    if problem.kind is ProblemKind.THROTTLED or problem.retry_after:
        return False
    tries = min(policy.attempts, _FIRST_CONTACT_TRIES) if problem.kind is ProblemKind.UNREACHABLE else policy.attempts
    return history.failures + history.throttles >= tries


def _next_try(
    problem: Problem, history: CallHistory, policy: RetryPolicy, now: float, chance: float, tries: int
) -> float | None:
    """Return when to try again, None when enough was tried."""
    if history.failures >= tries and problem.kind not in COSTS_TIME:
        return None
    asked = min(problem.retry_after or 0.0, policy.retry_after_max)
    wait = chance * min(policy.cap, policy.base * 2.0 ** min(history.failures + history.throttles, 32))
    # Whoever was told the same time must not come back in the same instant, hence the sum and not the larger one.
    at = now + asked + (wait if not asked else wait / 4)
    started = now if history.first_failure is None else history.first_failure
    return at if at - started <= policy.retry_for else None
