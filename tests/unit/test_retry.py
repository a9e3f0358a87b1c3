"""Retry decisions after a problem. Time and chance are passed in."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.history import CallHistory, FileHistory
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.options import RetryPolicy
from bulkup.pipeline.policy.retry import (
    Again,
    AttemptDecision,
    CallDecision,
    EndRun,
    GiveUp,
    Recheck,
    Renew,
    Silence,
    Situation,
    Split,
    after_attempt,
    after_call,
    after_change,
    after_lapse,
    next_poll,
)

POLICY = RetryPolicy()
FILE = FoundFile(Source(b"/data"), b"a.mp4", Identity(1, 2, 3, 4, 5))
FINAL = {
    ProblemKind.REJECTED: FileState.REJECTED,
    ProblemKind.FAILED: FileState.FAILED,
    ProblemKind.CHANGED: FileState.CHANGED,
    ProblemKind.UNREADABLE: FileState.UNREADABLE,
}
FATAL = [ProblemKind.UNAUTHORIZED, ProblemKind.UNUSABLE, ProblemKind.MACHINE]
AT_ONCE = RetryPolicy(base=0.0)


def attempt(
    kind: ProblemKind,
    *,
    policy: RetryPolicy = POLICY,
    now: float = 0.0,
    chance: float = 0.0,
    wait: float | None = None,
    **counters: Any,
) -> AttemptDecision:
    return after_attempt(Problem(kind, "x", wait), FileHistory(**counters), policy, now, chance)


def call(
    kind: ProblemKind,
    *,
    failures: int = 1,
    first: float = 0.0,
    files: int = 4,
    ever: bool = True,
    since: bool = True,
    now: float = 0.0,
    wait: float | None = None,
    policy: RetryPolicy = POLICY,
) -> CallDecision:
    situation = Situation(files, ever_answered=ever, answered_since=since)
    return after_call(Problem(kind, "x", wait), CallHistory(failures, 0, first), situation, policy, now, 0.5)


SILENT = Problem(ProblemKind.TRANSIENT, "no progress", unanswered=True)


def during(silence: Silence, now: float, failures: int = 1, problem: Problem = SILENT) -> AttemptDecision:
    """Return the decision for a file that first failed at 0."""
    history = FileHistory(failures=failures, first_failure=0.0)
    return after_attempt(problem, history, POLICY, now, 1.0, silence=silence)


@pytest.mark.parametrize("silence", [Silence.BUSY, Silence.DEAD])
def test_a_silent_host_costs_a_file_no_try(silence: Silence) -> None:
    """It is tried until the end of `retry_for`, and once more at this time."""
    assert during(silence, 60.0, failures=500) == Again(60.0 + POLICY.cap)
    last = during(silence, POLICY.retry_for - 1, failures=500)
    assert isinstance(last, Again)
    assert last.at == (POLICY.retry_for if silence is Silence.DEAD else POLICY.retry_for - 1 + POLICY.cap)


@pytest.mark.parametrize("failures", [1, 500])
def test_a_silent_host_ends_the_run_and_fails_no_file(failures: int) -> None:
    """Only if no request to it makes progress: otherwise the files of those requests would be cut off."""
    late = POLICY.retry_for + 1
    assert during(Silence.DEAD, late, failures) == EndRun()
    assert isinstance(during(Silence.BUSY, late, failures), Again)
    assert during(Silence.NONE, late, failures) == GiveUp(FileState.FAILED)


def test_failures_during_a_silence_of_the_host_are_not_the_files() -> None:
    """They cost it no try. Its time for retries begins anew once the host has answered others."""
    history = FileHistory()
    for now in (5.0, 10.0, 15.0):
        history.note(SILENT, now, last_answer=1.0)
    assert (history.failures, history.throttles, history.first_failure, history.silent) == (1, 2, 5.0, True)
    history.note(SILENT, 20.0, last_answer=16.0)
    assert (history.failures, history.first_failure, history.silent) == (2, 20.0, False)
    history.note(SILENT, 30.0, last_answer=29.0)
    assert (history.failures, history.first_failure, history.silent) == (3, 20.0, False)


def test_a_host_that_answers_with_errors_is_not_silent() -> None:
    """It may fail for this file alone."""
    answered = Problem(ProblemKind.TRANSIENT, "500")
    assert during(Silence.DEAD, 60.0, POLICY.attempts, answered) == GiveUp(FileState.FAILED)


@pytest.mark.parametrize("kind", FATAL)
def test_a_fatal_problem_ends_the_run(kind: ProblemKind) -> None:
    """Refused credentials, unusable answers and faults of the machine end it, in attempts and in calls."""
    assert attempt(kind) == EndRun()
    assert call(kind) == EndRun()


@pytest.mark.parametrize(("kind", "state"), FINAL.items())
def test_a_final_problem_settles_the_file_in_its_own_state(kind: ProblemKind, state: FileState) -> None:
    """A repetition cannot help, so the file is settled at the first failure."""
    assert attempt(kind, failures=1) == GiveUp(state)


def test_a_transient_failure_is_retried_until_the_attempts_are_used_up() -> None:
    """With 3 attempts, failures 1 and 2 are retried and failure 3 is not."""
    policy = RetryPolicy(attempts=3)
    outcomes = [attempt(ProblemKind.TRANSIENT, policy=policy, failures=n, first_failure=0.0) for n in (1, 2, 3)]
    assert outcomes == [Again(0.0), Again(0.0), GiveUp(FileState.FAILED)]


@given(
    failures=st.integers(1, 10_000),
    chance=st.floats(0, 1, exclude_max=True),
    now=st.floats(0, 1e9),
)
def test_a_wait_is_drawn_between_zero_and_the_capped_doubling(failures: int, chance: float, now: float) -> None:
    """Full jitter: between now and the lesser of base * 2**n and the cap."""
    policy = RetryPolicy(attempts=10**6, retry_for=10**6)
    decision = attempt(
        ProblemKind.TRANSIENT, policy=policy, failures=failures, first_failure=now, now=now, chance=chance
    )
    assert isinstance(decision, Again)
    most = min(policy.cap, policy.base * 2.0 ** min(failures, 100))
    assert now <= decision.at <= now + most + 1e-6


def test_the_wait_uses_all_of_the_jitter() -> None:
    """A chance of 0 means no wait, a chance of 0.5 half of the longest wait."""
    assert attempt(ProblemKind.TRANSIENT, failures=3, now=10.0, chance=0.0) == Again(10.0)
    assert attempt(ProblemKind.TRANSIENT, failures=3, now=10.0, chance=0.5) == Again(11.0)


@given(
    st.floats(0, 300),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([ProblemKind.TRANSIENT, ProblemKind.THROTTLED]),
)
def test_a_wait_is_never_shorter_than_its_retry_after(wait: float, chance: float, kind: ProblemKind) -> None:
    """Retry-After is a lower bound. The jitter on top spreads files that received the same time."""
    decision = attempt(kind, failures=4, first_failure=0.0, chance=chance, wait=wait)
    assert isinstance(decision, Again)
    assert decision.at >= wait


def test_files_with_the_same_retry_after_are_not_retried_in_the_same_instant() -> None:
    early = attempt(ProblemKind.THROTTLED, failures=2, chance=0.1, wait=5.0)
    late = attempt(ProblemKind.THROTTLED, failures=2, chance=0.9, wait=5.0)
    assert early != late


def test_a_retry_after_counts_up_to_its_limit() -> None:
    """After `retry_after_max` the host is asked again, even where it said a year."""
    assert attempt(ProblemKind.THROTTLED, wait=299.0, first_failure=0.0) == Again(299.0)
    assert attempt(ProblemKind.THROTTLED, wait=300.5, first_failure=0.0) == Again(300.0)
    assert attempt(ProblemKind.THROTTLED, wait=float("inf"), first_failure=0.0) == Again(300.0)
    patient = RetryPolicy(retry_for=60.0)
    assert attempt(ProblemKind.THROTTLED, policy=patient, wait=1e9, first_failure=0.0) == GiveUp(FileState.FAILED)


@pytest.mark.parametrize("kind", [ProblemKind.TRANSIENT, ProblemKind.THROTTLED, ProblemKind.UNREACHABLE])
def test_an_outage_of_storage_ends_the_run_and_fails_no_file(kind: ProblemKind) -> None:
    """Tries and time that a file has left do not matter. Problems of the file itself are decided as always."""
    last = FileHistory(failures=8, first_failure=0.0)
    assert after_attempt(Problem(kind, "x"), last, POLICY, 5.0, 0.0, outage=True) == EndRun()
    down = Situation(1, ever_answered=True, answered_since=True, outage=True)
    assert after_call(Problem(kind, "x"), CallHistory(1, 0, 0.0), down, POLICY, 5.0, 0.5) == EndRun()
    changed = Problem(ProblemKind.CHANGED, "x")
    assert after_attempt(changed, last, POLICY, 5.0, 0.0, outage=True) == GiveUp(FileState.CHANGED)


def test_on_change_decides_about_a_file_that_changes() -> None:
    """By default it is `changed` at once, with "fail" it has failed, with "retry" it is rechecked a few times."""
    assert attempt(ProblemKind.CHANGED, changes=1) == GiveUp(FileState.CHANGED)
    assert attempt(ProblemKind.CHANGED, changes=1, policy=RetryPolicy(on_change="fail")) == GiveUp(FileState.FAILED)
    patient = RetryPolicy(on_change="retry")
    looks = [attempt(ProblemKind.CHANGED, changes=changes, policy=patient, now=100.0) for changes in (1, 2, 3, 4)]
    assert looks == [Recheck(101.0), Recheck(104.0), Recheck(116.0), GiveUp(FileState.CHANGED)]
    assert after_change(FileHistory(changes=1), patient, 0.0) == Recheck(1.0)


def test_throttling_costs_no_attempt() -> None:
    """A file that was throttled many times is retried until `retry_for` has passed."""
    assert attempt(ProblemKind.THROTTLED, failures=1000, first_failure=0.0, now=1.0) == Again(1.0)


@pytest.mark.parametrize("kind", [ProblemKind.TRANSIENT, ProblemKind.THROTTLED])
def test_retry_for_counts_from_the_first_failure(kind: ProblemKind) -> None:
    """An attempt that would begin later is not made."""
    policy = RetryPolicy(retry_for=60.0)
    assert attempt(kind, policy=policy, failures=2, first_failure=100.0, now=160.0) == Again(160.0)
    assert attempt(kind, policy=policy, failures=2, first_failure=100.0, now=160.1) == GiveUp(FileState.FAILED)
    assert attempt(kind, policy=policy, failures=1, now=160.1) == Again(160.1)


def test_an_expired_ticket_is_renewed_a_limited_number_of_times() -> None:
    """A file whose URLs always expire fails after `renewals`."""
    outcomes = [attempt(ProblemKind.EXPIRED, renewals=n) for n in (0, 29, 30)]
    assert outcomes == [Renew(), Renew(), GiveUp(FileState.FAILED)]


def test_a_ticket_that_expired_unused_is_renewed_many_more_times() -> None:
    """Storage may throttle for longer than a lease. Leases that are too short to be used end after `lapses`."""
    outcomes = [after_lapse(FileHistory(renewals=10, lapses=n), POLICY) for n in (1, 100, 101)]
    assert outcomes == [Renew(), Renew(), GiveUp(FileState.FAILED)]


def test_an_expired_ticket_is_no_failed_attempt() -> None:
    """A file with one attempt left still gets a new ticket."""
    assert attempt(ProblemKind.EXPIRED, failures=7, renewals=0) == Renew()


def test_an_unknown_refusal_gets_one_new_ticket() -> None:
    """Where storage refuses the new URL as well, the file fails."""
    assert attempt(ProblemKind.REFUSED, refusals=1) == Renew()
    assert attempt(ProblemKind.REFUSED, refusals=2, renewals=1) == GiveUp(FileState.FAILED)
    assert attempt(ProblemKind.REFUSED, refusals=1, renewals=POLICY.renewals) == GiveUp(FileState.FAILED)


def test_a_mismatch_gets_one_fresh_read() -> None:
    """The file is read and sent once more, then it fails."""
    assert attempt(ProblemKind.MISMATCH, mismatches=1, first_failure=0.0) == Again(0.0)
    assert attempt(ProblemKind.MISMATCH, mismatches=2, first_failure=0.0) == GiveUp(FileState.FAILED)


@given(
    kind=st.sampled_from(ProblemKind),
    counters=st.fixed_dictionaries(
        {name: st.integers(0, 20) for name in ("failures", "renewals", "mismatches", "refusals")}
    ),
    first=st.none() | st.floats(0, 1e4),
    now=st.floats(0, 1e4),
    chance=st.floats(0, 1, exclude_max=True),
    wait=st.none() | st.floats(0, 1e4),
)
def test_every_failed_attempt_has_a_decision_and_no_time_is_in_the_past(
    kind: ProblemKind, counters: dict[str, Any], first: float | None, now: float, chance: float, wait: float | None
) -> None:
    """This holds for every history."""
    decision = attempt(kind, now=now, chance=chance, wait=wait, first_failure=first, **counters)
    assert not isinstance(decision, Again) or decision.at >= now


@pytest.mark.parametrize(
    "kind", [kind for kind in ProblemKind if kind not in {*FATAL, ProblemKind.THROTTLED, ProblemKind.UNREACHABLE}]
)
def test_no_file_is_retried_for_ever(kind: ProblemKind) -> None:
    """A file that meets the same problem each time is settled after a bounded number of attempts."""
    history = FileHistory(first_failure=0.0)
    for _ in range(POLICY.attempts + POLICY.renewals + 1):
        history.note(Problem(kind, "x"), 0.0)
        decision = after_attempt(Problem(kind, "x"), history, AT_ONCE, 0.0, 0.0)
        if isinstance(decision, GiveUp):
            return
        history.renewals += isinstance(decision, Renew)
    pytest.fail("it would go on")


@pytest.mark.parametrize("kind", FINAL)
def test_a_call_refused_for_one_file_is_made_in_halves(kind: ProblemKind) -> None:
    """A group is split until the file at fault is alone, and only that file is settled."""
    assert call(kind, files=2) == Split()
    assert call(kind, files=1) == GiveUp(FINAL[kind])


def test_a_failed_call_is_made_again() -> None:
    decision = call(ProblemKind.TRANSIENT, failures=2, now=7.0)
    assert decision == Again(7.0 + 0.5 * POLICY.base * 4)


def test_a_call_waits_for_the_retry_after_of_the_service() -> None:
    decision = call(ProblemKind.THROTTLED, now=7.0, wait=20.0)
    assert isinstance(decision, Again)
    assert decision.at >= 27.0


def test_a_service_that_never_answered_is_given_up_sooner() -> None:
    """Five failed calls end the run, so a wrong address is reported while the user still looks."""
    assert isinstance(call(ProblemKind.UNREACHABLE, failures=4, ever=False, since=False), Again)
    assert call(ProblemKind.UNREACHABLE, failures=5, ever=False, since=False) == EndRun()
    assert isinstance(call(ProblemKind.UNREACHABLE, failures=5, ever=True, since=False), Again)


def test_a_service_that_answers_no_call_with_success_is_given_up_after_its_tries() -> None:
    """A service that sends a Retry-After exists, and the run waits for it."""
    assert isinstance(call(ProblemKind.TRANSIENT, failures=9, ever=False, since=False), Again)
    assert call(ProblemKind.TRANSIENT, failures=10, ever=False, since=False) == EndRun()
    assert isinstance(call(ProblemKind.THROTTLED, failures=10, ever=False, since=False), Again)
    assert isinstance(call(ProblemKind.UNREACHABLE, failures=10, ever=False, since=False, wait=1.0), Again)


def test_attempts_also_limit_the_first_contact() -> None:
    """A user who sets two attempts gets two, also before the first answer."""
    policy = dataclasses.replace(POLICY, attempts=2)
    assert isinstance(call(ProblemKind.TRANSIENT, failures=1, ever=False, since=False, policy=policy), Again)
    assert call(ProblemKind.TRANSIENT, failures=2, ever=False, since=False, policy=policy) == EndRun()


def test_a_service_that_is_down_ends_the_run_and_fails_no_file() -> None:
    """No call was answered since this group first failed, so the files are not at fault."""
    assert call(ProblemKind.TRANSIENT, failures=10, since=False) == EndRun()
    assert call(ProblemKind.TRANSIENT, failures=10, files=1, since=False) == EndRun()
    assert call(ProblemKind.TRANSIENT, failures=2, now=901.0, since=False) == EndRun()


def test_a_group_that_fails_while_others_succeed_is_split() -> None:
    """Other calls are answered, so a file of this group is at fault. A single file fails."""
    assert call(ProblemKind.TRANSIENT, failures=10, since=True) == Split()
    assert call(ProblemKind.TRANSIENT, failures=10, files=1, since=True) == GiveUp(FileState.FAILED)


def test_waits_grow_where_a_host_throttles_without_a_time() -> None:
    """Each refusal doubles the longest wait, up to the cap, although it costs no attempt."""
    history = CallHistory()
    waits = []
    for _ in range(8):
        history.note(Problem(ProblemKind.THROTTLED, "slow down"), 0.0)
        decision = after_call(
            Problem(ProblemKind.THROTTLED, "slow down"), history, Situation(1, True, True), RetryPolicy(), 0.0, 0.999
        )
        assert isinstance(decision, Again)
        waits.append(decision.at)
    assert waits == sorted(waits)
    assert waits[-1] > 14 > waits[0]


def test_an_expired_ticket_does_not_start_the_time_of_retries() -> None:
    """`retry_for` counts from the first failure, and the file may only have waited in a long queue."""
    history = CallHistory()
    history.note(Problem(ProblemKind.EXPIRED, "too late"), 5.0)
    assert history.first_failure is None


def test_an_outage_costs_time_and_no_tries_and_fails_no_file() -> None:
    """The host is tried until `retry_for` has passed. Then the run ends and the files stay for the next run."""
    history = FileHistory()
    for now in range(0, 800, 20):
        history.note(Problem(ProblemKind.UNREACHABLE, "no route"), float(now))
        assert isinstance(
            after_attempt(Problem(ProblemKind.UNREACHABLE, "no route"), history, RetryPolicy(), now, 0.5), Again
        )
    assert after_attempt(Problem(ProblemKind.UNREACHABLE, "no route"), history, RetryPolicy(), 900.0, 0.5) == EndRun()


def test_a_service_that_never_answered_is_given_up_soon() -> None:
    """A wrong address is reported in seconds. A service that has answered before gets more time."""
    history = CallHistory()
    problem = Problem(ProblemKind.UNREACHABLE, "no such name")
    decisions = []
    for _ in range(5):
        history.note(problem, 0.0)
        decisions.append(after_call(problem, history, Situation(10, False, False), RetryPolicy(), 0.0, 0.5))
    assert [type(decision) for decision in decisions] == [Again] * 4 + [EndRun]
    assert isinstance(after_call(problem, history, Situation(10, True, False), RetryPolicy(), 0.0, 0.5), Again)


@given(st.floats(0, 100), st.integers(0, 10_000))
def test_pauses_between_polls_grow(seconds: float, polls: int) -> None:
    """They stay between `shortest_poll` and `longest_poll`, after any number of polls."""
    wait = next_poll(seconds, polls, POLICY)
    assert 0.1 <= wait <= 15.0
    assert wait <= next_poll(seconds, polls + 1, POLICY)


def test_the_first_poll_comes_when_the_service_says() -> None:
    """Each further pause is half as long again, up to 15 seconds."""
    assert [next_poll(4.0, polls, POLICY) for polls in range(5)] == [4.0, 6.0, 9.0, 13.5, 15.0]
    assert next_poll(0.0, 0, POLICY) == 0.1


def test_the_time_of_a_pause_is_no_time_for_retries() -> None:
    """`retry_for` counts from the end of the pause, for attempts and for calls, also while a host is silent."""
    now = 2 * POLICY.retry_for
    file, one = FileHistory(failures=1, first_failure=0.0), CallHistory(1, 0, 0.0)
    busy, situation = Problem(ProblemKind.TRANSIENT, "busy"), Situation(1, ever_answered=True, answered_since=True)
    assert after_attempt(busy, file, POLICY, now, 0.0) == GiveUp(FileState.FAILED)
    assert after_attempt(busy, file, POLICY, now, 0.0, counts_from=now - 1.0) == Again(now)
    assert after_call(busy, one, situation, POLICY, now, 0.0) == GiveUp(FileState.FAILED)
    assert after_call(busy, one, situation, POLICY, now, 0.0, counts_from=now - 1.0) == Again(now)
    file.failures = POLICY.attempts
    silent = after_attempt(SILENT, file, POLICY, now, 1.0, silence=Silence.DEAD, counts_from=now - 1.0)
    assert silent == Again(now + POLICY.cap)
