"""The last stage, and the only one that settles files: journal first, then counters and results, then the budget.

Outcomes that arrive while a commit is on its way to disk are written together by the next commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import anyio

from bulkup.errors import TooManyFailuresError
from bulkup.model.items import Outcome, Result
from bulkup.model.states import DONE, FileState
from bulkup.pipeline.policy.common_refusals import alike
from bulkup.pipeline.run import Run

_COUNTED = {
    FileState.UPLOADED: "uploaded",
    FileState.UNVERIFIED: "uploaded",
    FileState.FAILED: "failed",
    FileState.REJECTED: "rejected",
    FileState.CHANGED: "changed",
    FileState.UNREADABLE: "unreadable",
}


class Recorder:
    """Takes outcomes from every stage; only `record` waits."""

    def __init__(self, run: Run, dispose: Callable[[Sequence[Outcome]], int] | None = None) -> None:
        """`dispose` takes recorded outcomes whose files may leave the source, and returns how many keep a budget."""
        self._run = run
        self._dispose = dispose
        self._outcomes: list[Outcome] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._results: list[Result] = []  # not emitted yet
        self._wake = anyio.Event()
        self._failures = 0

    @property
    def depth(self) -> int:
        """Outcomes that wait for a commit."""
        return len(self._outcomes)

    def settle(self, outcome: Outcome) -> None:
        """Take the terminal outcome of an item."""
        if not self._outcomes:
            self._wake.set()
        self._outcomes.append(outcome)
        if (outcome.state is FileState.FAILED or outcome.by_service) and not outcome.counted:
            self.count_failure()

    def record(self, *outcomes: Outcome) -> asyncio.Future[None]:
        """Take outcomes; the future is done once they are on disk."""
        for outcome in outcomes:
            self.settle(outcome)
        # A bare future: every file waits here once, and an event costs three times as much.
        on_disk = asyncio.get_running_loop().create_future()
        self._waiting.append(on_disk)
        return on_disk

    async def work(self) -> None:
        """Record until cancelled. Raises `JournalError`."""
        while True:
            await self._wake.wait()
            await self.flush()

    async def flush(self) -> None:
        """Record the outcomes that have arrived."""
        self._wake = anyio.Event()
        outcomes, self._outcomes = self._outcomes, []
        waiting, self._waiting = self._waiting, []
        if not outcomes:
            await self._emit()
            return
        unwritten = [outcome for outcome in outcomes if not outcome.on_disk]
        uploaded_too = self._run.emits_uploaded
        shown = [outcome for outcome in outcomes if uploaded_too or outcome.problem is not None]
        with anyio.CancelScope(shield=True):  # every row that the journal takes is counted, even if the run ends now
            await self._run.journal.settled(unwritten, self._run.clock.now())
        for on_disk in waiting:
            if not on_disk.done():  # else its worker was cancelled
                on_disk.set_result(None)
        for outcome in outcomes:
            self._count(outcome)
        self._results += [result_of(outcome) for outcome in shown if outcome.state is not None]
        await self._emit()
        # Last, because the run ends with the last unit given back: no result may be missing by then.
        kept = self._dispose(outcomes) if self._dispose is not None else 0
        self._run.budget.give(len(outcomes) - kept)

    async def _emit(self) -> None:
        """Emit results. Those of an emission that was cancelled wait for the last flush."""
        if self._results:
            await self._run.emit(self._results)
            self._results = []

    def count_failure(self) -> None:
        """Count a file that failed or that the service rejected, and end the run once there are `max_failures`.

        A file counts before its row is on disk: until then other workers would begin further files.
        """
        self._failures += 1
        most, failed = self._run.options.max_failures, self._failures
        if most is not None and failed >= most and not self._run.stop.requested:
            number = "1 file" if failed == 1 else f"{failed:,} files"
            self._run.stop.fail(
                TooManyFailuresError(
                    f"stopped because {number} failed (max_failures is {most:,})",
                    hint="fix the cause of the failures; the same command resumes this run and retries them",
                )
            )

    def _count(self, outcome: Outcome) -> None:
        counters, state = self._run.counters, outcome.state
        if state is None:
            return
        size = outcome.item.file.identity.size
        counters.bytes_settled += size
        if state is FileState.UPLOADED and not outcome.unchanged:
            counters.uploaded += 1
            if outcome.already_there:
                counters.already_there += 1
            else:
                counters.bytes_uploaded += size
            return
        if outcome.unchanged:
            counters.bytes_skipped += size
            counters.skipped += 1
            counters.expired += outcome.item.expired
            return
        name = _COUNTED[state]
        setattr(counters, name, getattr(counters, name) + 1)
        counters.unverified += state is FileState.UNVERIFIED
        counters.skippable += state is FileState.REJECTED and (outcome.unsupported or outcome.by_service)
        counters.already_there += outcome.already_there
        counters.bytes_uploaded += size if state in DONE and not outcome.already_there else 0
        if outcome.problem is not None and state not in DONE:
            counters.note_reason(state.value, alike(outcome.problem.message))


def result_of(outcome: Outcome) -> Result:
    """Return the result of an outcome with a state, as the user receives it."""
    item, state = outcome.item, outcome.state
    assert state is not None
    done = state in DONE
    digest = item.receipt.digest if item.receipt is not None else item.digest
    return Result(
        source=item.file.source.shown,
        path=item.file.path,
        status=state,
        size=item.file.identity.size,
        md5=digest.hex if digest is not None and digest.algorithm == "md5" else None,
        remote_id=item.ticket.object_id if done and item.ticket is not None else None,
        attempts=item.history.attempts,
        error=outcome.problem.message if outcome.problem is not None else None,
        unchanged=outcome.unchanged,
        checksum=digest.text if digest is not None else None,
        already_there=outcome.already_there,
    )
