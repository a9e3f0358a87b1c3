"""Files that changed while they were read, where `on_change` says to try again: looked at once more after a pause.

Such a file continues as another file, with a new identity, digest and ticket. The old ticket is not used again,
although its URL might take other bytes: storage may have received the old content whole, and the service may already
work on it. The old id becomes an orphan when the new ticket is requested.
"""

from __future__ import annotations

import anyio

from bulkup.helpers.alarm import Alarm
from bulkup.helpers.delay_queue import DelayQueue
from bulkup.model.files import FoundFile
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.files.opening import identity_now
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.scan.filters import Filters
from bulkup.providers import FileSpec


class Rechecker:
    """Keeps changed files until their time. Its methods never block."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._filters = Filters(run.options.scan)
        self._due: DelayQueue[tuple[Item, Problem]] = DelayQueue()
        self._alarm = Alarm(run.timeout)

    @property
    def depth(self) -> int:
        """Files that wait for their time."""
        return len(self._due)

    def add(self, item: Item, problem: Problem, not_before: float) -> None:
        """Take a file that changed, to be looked at not before a time (monotonic seconds)."""
        self._run.counters.retries += 1
        item.digest = item.sent = None  # of the old content
        item.parts = ()
        self._due.push((item, problem), not_before)
        self._alarm.wake()

    def wake(self) -> None:
        """Look again: a stop was requested."""
        self._alarm.wake()

    async def work(self) -> None:
        """Look at files when they are due, until cancelled."""
        while True:
            now = self._run.clock.monotonic()
            if self._run.stop.requested:
                for item, _ in self._due.drain():
                    self._routes.give_back(item)
            for item, problem in self._due.pop_due(now):
                await self._look(item, problem)
            due = self._due.next_due()
            await self._alarm.wait(None if due is None else due - now)

    async def _look(self, item: Item, problem: Problem) -> None:
        try:
            identity = await anyio.to_thread.run_sync(identity_now, item.file, self._run.opener)
        except ProblemError as error:
            self._gone(item, error.problem)
            return
        file = item.file._replace(identity=identity)
        if self._is_wanted(item, file):
            self._start_over(item, file)
        else:
            self._routes.give_up(Outcome(item, FileState.CHANGED, problem))

    def _is_wanted(self, item: Item, file: FoundFile) -> bool:
        """Return whether the run's filters still accept the file, and its place at the service is the same."""
        provider = self._run.provider
        if not self._filters.takes_size(file.identity) or self._filters.too_new(file.identity, self._run.clock.now()):
            return False
        return not provider.capabilities.placed or provider.place(FileSpec.of(file)) == item.place

    def _start_over(self, item: Item, file: FoundFile) -> None:
        self._run.counters.bytes_found += file.identity.size - item.file.identity.size
        item.file = file
        if item.history.attempts:
            item.known_digest = None  # its row no longer describes the upload of an earlier run
        if item.known_digest is not None or self._run.provider.hashes_first(FileSpec.of(file)):
            self._routes.hash(item)
        else:
            self._routes.ask(item)

    def _gone(self, item: Item, problem: Problem) -> None:
        if problem.kind is ProblemKind.MACHINE:
            self._run.stop.fail(fatal(problem))
            self._routes.give_back(item)
        else:
            state = FileState.UNREADABLE if problem.kind is ProblemKind.UNREADABLE else FileState.CHANGED
            self._routes.give_up(Outcome(item, state, problem))
