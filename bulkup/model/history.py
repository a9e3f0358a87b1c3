"""The failures of a call, and of a file: the facts behind retry decisions (`bulkup.pipeline.policy.retry`)."""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.problems import COSTS_TIME, Problem, ProblemKind


@dataclass(slots=True)
class CallHistory:
    """The failures of one API call. `first_failure` is monotonic seconds, None before the first failure.

    `failures` count against the number of tries; `throttles` cost time only.
    """

    failures: int = 0
    throttles: int = 0
    first_failure: float | None = None

    def note(self, problem: Problem, now: float) -> None:
        """Add a problem met at `now` (monotonic seconds).

        Throttling and an unreachable host cost time and no tries: every file meets them, and an outage outlasts a few
        tries. An expired ticket is no failure.
        """
        if problem.kind is ProblemKind.EXPIRED:
            return
        self.failures += problem.kind is ProblemKind.TRANSIENT
        self.throttles += problem.kind in COSTS_TIME
        self.first_failure = now if self.first_failure is None else self.first_failure

    def answered_since(self, last_answer: float | None) -> bool:
        """Return whether the service answered another call after this one first failed."""
        first = self.first_failure
        return last_answer is not None and first is not None and last_answer >= first


@dataclass(slots=True)
class FileHistory(CallHistory):
    """The attempts and failures of one file in this run.

    `renewals` are tickets requested because storage refused the old one, `lapses` are tickets that expired before they
    were used. `changes` counts how often the file changed while it was read.

    `gone` says that storage does not know the upload of this part any more.

    `silent` says that the host has answered no request between the last two failures. Such a failure is the host's: it
    costs the file no try, and after the silence the time for retries begins anew.
    """

    attempts: int = 0
    renewals: int = 0
    lapses: int = 0
    changes: int = 0
    mismatches: int = 0
    refusals: int = 0
    gone: bool = False
    silent: bool = False
    last_failure: float | None = None

    def note(self, problem: Problem, now: float, last_answer: float | None = None) -> None:
        """Add the problem of an attempt that failed at `now`; `last_answer` of its host, also in monotonic seconds."""
        CallHistory.note(self, problem, now)
        self._note_silence(problem, now, last_answer)
        self.mismatches += problem.kind is ProblemKind.MISMATCH
        self.refusals += problem.kind is ProblemKind.REFUSED
        self.changes += problem.kind is ProblemKind.CHANGED
        self.gone = self.gone or problem.kind is ProblemKind.GONE

    def _note_silence(self, problem: Problem, now: float, last_answer: float | None) -> None:
        before, was_silent = self.last_failure, self.silent
        self.last_failure = now
        self.silent = problem.unanswered and before is not None and (last_answer is None or last_answer < before)
        if self.silent:
            self.failures -= 1
            self.throttles += 1
        elif was_silent:
            self.first_failure = now

    def note_progress(self) -> None:
        """Forget earlier failures: a part of the file arrived that had not arrived before."""
        self.failures = self.mismatches = 0
        self.first_failure = None
