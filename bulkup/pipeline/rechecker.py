"""Files that changed under our hands and are to be tried again (`on_change`): looked at once more, after a pause.

What such a file is then, is another file for all that comes: another identity, another digest, another ticket. The old
ticket is not used again, although its URL might take other bytes: what the file was may have come to storage whole, and
the service may have begun to work with it. Its id becomes an orphan when the new one is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import anyio

from bulkup.helpers.delay_queue import DelayQueue
from bulkup.model.files import FoundFile
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.files.opening import identity_now
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.pipeline.scan.decision import spec_of
from bulkup.pipeline.scan.filters import Filters


@dataclasses.dataclass(frozen=True, slots=True)
class Ways:
    """Where a file goes from here; none of those blocks. `give_up` takes one that has a ticket."""

    ask: Callable[[Item], None]
    hash: Callable[[Item], None]
    give_up: Callable[[Outcome], None]


class Rechecker:
    """One loop, and a heap by time."""

    def __init__(self, run: Run, recorder: Recorder, ways: Ways) -> None:
        self._run = run
        self._recorder = recorder
        self._ways = ways
        self._filters = Filters(run.options.scan)
        self._follow_links = run.options.scan.symlinks != "skip"
        self._due: DelayQueue[tuple[Item, Problem]] = DelayQueue()
        self._wake = anyio.Event()

    @property
    def depth(self) -> int:
        """Files that wait for their time."""
        return len(self._due)

    def add(self, item: Item, problem: Problem, not_before: float) -> None:
        """Take a file that changed, to be looked at not before a time (monotonic)."""
        self._run.counters.retries += 1
        item.digest = item.sent = None  # of what it was
        self._due.push((item, problem), not_before)
        self._wake.set()

    def wake(self) -> None:
        """Look again: the run is to stop."""
        self._wake.set()

    async def work(self) -> None:
        """Look until cancelled."""
        while True:
            self._wake = anyio.Event()
            now = self._run.clock.monotonic()
            if self._run.stop.requested:
                self._recorder.give_back_all([item for item, _ in self._due.drain()])
            for item, problem in self._due.pop_due(now):
                await self._look(item, problem)
            due = self._due.next_due()
            with anyio.move_on_after(None if due is None else due - now):
                await self._wake.wait()

    async def _look(self, item: Item, problem: Problem) -> None:
        try:
            identity = await anyio.to_thread.run_sync(identity_now, item.file, self._follow_links)
        except ProblemError as error:
            self._gone(item, error.problem)
            return
        file = item.file._replace(identity=identity)
        if self._is_wanted(item, file):
            self._begin_anew(item, file)
        else:
            self._give_up(Outcome(item, FileState.CHANGED, problem))

    def _is_wanted(self, item: Item, file: FoundFile) -> bool:
        """Say whether what it is now is still the run's business, and to stand where it was to stand."""
        provider = self._run.provider
        if not self._filters.takes_size(file.identity) or self._filters.too_new(file.identity, self._run.clock.now()):
            return False
        return not provider.capabilities.placed or provider.place(spec_of(file)) == item.place

    def _begin_anew(self, item: Item, file: FoundFile) -> None:
        self._run.counters.bytes_found += file.identity.size - item.file.identity.size
        item.file = file
        if item.history.attempts:
            item.known_digest = None  # its row says no longer what an earlier run uploaded
        first = item.known_digest is not None or self._run.provider.hashes_first(spec_of(file))
        (self._ways.hash if first else self._ways.ask)(item)

    def _gone(self, item: Item, problem: Problem) -> None:
        if problem.kind is ProblemKind.MACHINE:
            self._run.stop.fail(fatal(problem))
            self._recorder.give_back(item)
        else:
            state = FileState.UNREADABLE if problem.kind is ProblemKind.UNREADABLE else FileState.CHANGED
            self._give_up(Outcome(item, state, problem))

    def _give_up(self, outcome: Outcome) -> None:
        (self._recorder.settle if outcome.item.ticket is None else self._ways.give_up)(outcome)
