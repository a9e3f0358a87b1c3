"""Gives files to sending processes, and takes their results: a group at a time, in place of the workers.

    ready --take_now--> dispatcher --give--> pool --message--> a sending process
                          ^      |
       a slot is free     |      |-- receipts of one message --> recorder (one call) --> slots are free
                          '------'-- a problem --> the general way of a failed attempt

A slot has the part of a worker. There are as many as the worker limit says. Each has one file from the time
it leaves the ready queue until its row is on disk. So a kill makes the next run send at most one file per slot again.
The gate of its host, memory and a slot admit each file before it is given away. Files arrive, end and are recorded in
groups, and no task exists per file.

Files in parts are sent by this process, each by a task of its own: an MD5 in progress cannot move. So are all files
after the processes were withdrawn. Until there are any, the workers take the files.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from bulkup.model.items import Item, Outcome, Stored, Ticketed
from bulkup.model.problems import Problem
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.processes.process_pool import ProcessPool, Result
from bulkup.pipeline.processes.sending_process import Attempt
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.under_way import SentBytes


class AttemptEnds(Protocol):
    """The steps after an attempt, wherever it was made (`workers`)."""

    @property
    def under_way(self) -> dict[Item, tuple[HostGate, float, SentBytes]]:
        """The files of attempts under way, each with its gate, the time of its begin and its bytes."""

    def accepted(self, file: Ticketed, receipt: Receipt, begun: float, now: float) -> None:
        """Note that storage has accepted a file, in an attempt from `begun` to `now`."""

    def closes(self, file: Ticketed) -> bool:
        """Return whether an accepted file needs a closing call before it counts as uploaded."""

    def lost(self, file: Ticketed, gate: HostGate) -> None:
        """Have a file sent again whose process ended during the attempt."""

    def failed(self, file: Ticketed, problem: Problem, gate: HostGate, begun: float) -> None:
        """Pass a file on after an attempt that began at `begun` and failed."""

    async def send_here(self, file: Ticketed, gate: HostGate, begun: float) -> None:
        """Make the attempt of a file in this process. Gate and limit have counted it as begun."""


class Dispatcher:
    """Gives files to a pool, and receives the results, while `work` runs."""

    def __init__(self, run: Run, routes: Routes, pool: ProcessPool, ends: AttemptEnds) -> None:
        self._run = run
        self._routes = routes
        self._pool = pool
        self._ends = ends
        self._numbers = itertools.count()
        self._results: list[Result] = []
        self._error: RuntimeError | None = None
        self._begun = False
        self._wake = asyncio.Event()
        self._tasks: TaskGroup

    async def work(self) -> None:
        """Give files to the processes until cancelled. Raises RuntimeError after an error of the program in one."""
        self._pool.receiver = self
        self._run.worker_limit.on_room(self._wake.set)
        self.pool_changed()
        try:
            async with anyio.create_task_group() as self._tasks:
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    self._take_results()
                    self._dispatch()
        finally:
            self._release([attempt for attempt, _ in self._results])
            await self._pool.cancel()

    def pool_changed(self) -> None:
        """Take the files instead of the workers, from the first process on."""
        if self._pool.takes and not self._begun:
            self._begun = True
            self._routes.dispatch_by(self._wake.set)

    def progressed(self, attempt: Attempt, count: int) -> None:
        """Count bytes of an attempt under way."""
        attempt.sent += count
        counters = self._run.counters
        counters.bytes_sent += count
        counters.bytes_moving += count
        if attempt.file.item.file.identity.size > LARGE:
            self._run.worker_limit.bytes += count

    def ended(self, results: Sequence[Result]) -> None:
        """Take the results of a message. They are handled in this stage's task, with those of other messages."""
        self._results += results
        self._wake.set()

    def lost(self, attempts: Sequence[Attempt]) -> None:
        """Have attempts made again, because their process ended, or will not start."""
        self._release(attempts)
        self._free(attempts, self._run.clock.monotonic(), stored=False)
        for attempt in attempts:
            del self._ends.under_way[attempt.file.item]
            self._ends.lost(attempt.file, attempt.gate)
        self._wake.set()

    def cancelled(self, attempts: Iterable[Attempt]) -> None:
        """Give back slots and memory of attempts, because their processes have stopped sending."""
        self._release(attempts)

    def faulted(self, error: RuntimeError) -> None:
        """End the run because of an error of the program in a sending process."""
        self._error = error
        self._wake.set()

    def _take_results(self) -> None:
        if self._error is not None:
            raise self._error
        results, self._results = self._results, []
        now, stored = self._run.clock.monotonic(), list[Attempt]()
        ends, under_way = self._ends, self._ends.under_way
        for attempt, sent in results:
            item = attempt.file.item
            del under_way[item]
            if isinstance(sent, Receipt):
                attempt.gate.end(None, attempt.begun, now, 0.0)
                ends.accepted(attempt.file, sent, attempt.begun, now)
                stored.append(attempt)
            else:
                self._release([attempt])
                self._free([attempt], now, stored=False)
                ends.failed(attempt.file, sent, attempt.gate, attempt.begun)
        if stored:
            self._tasks.start_soon(self._record, stored)

    async def _record(self, stored: Sequence[Attempt]) -> None:
        try:
            await self._write(stored)
        finally:
            self._release(stored)
        # A slot is free again only when the row is on disk, see `workers`.
        self._free(stored, self._run.clock.monotonic(), stored=True)
        self._wake.set()

    async def _write(self, stored: Sequence[Attempt]) -> None:
        closing, complete = list[Ticketed](), list[Item]()
        for file in [attempt.file for attempt in stored]:
            if self._ends.closes(file):
                closing.append(file)
            else:
                complete.append(file.item)
        if complete:
            await self._routes.record(*map(_outcome, complete))
        if closing:
            await self._run.journal.stored([file.item for file in closing])
            for file in closing:
                assert file.item.receipt is not None
                self._routes.close(Stored(file.item, file.ticket, file.item.receipt))

    def _release(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            self._run.counters.bytes_moving -= attempt.sent
            self._run.memory.give(attempt.held)

    def _free(self, attempts: Iterable[Attempt], now: float, *, stored: bool) -> None:
        for attempt in attempts:
            self._run.worker_limit.end(attempt.begun, now, attempt.file.item.file.identity.size, stored=stored)

    def _dispatch(self) -> None:
        if not self._begun:
            return
        limit, attempts, now = self._run.worker_limit, list[Attempt](), self._run.clock.monotonic()
        while limit.busy < limit.wanted and (taken := self._routes.take_now()) is not None:
            file, gate = taken
            limit.begin(now, file.item.size)
            if file.ticket.more_urls or file.item.part is not None or not self._pool.takes:
                self._tasks.start_soon(self._send_here, file, gate, now)
                continue
            file.item.history.attempts += 1
            attempt = Attempt(next(self._numbers), file, gate, now, min(file.item.file.identity.size, 2 * CHUNK))
            if self._run.memory.try_take(attempt.held):
                attempts.append(attempt)
            else:
                self._tasks.start_soon(self._give_with_memory, attempt)
        self._give(attempts)

    async def _send_here(self, file: Ticketed, gate: HostGate, begun: float) -> None:
        await self._ends.send_here(file, gate, begun)
        self._wake.set()

    async def _give_with_memory(self, attempt: Attempt) -> None:
        await self._run.memory.take(attempt.held)
        attempt.begun = self._run.clock.monotonic()
        self._give([attempt])

    def _give(self, attempts: Sequence[Attempt]) -> None:
        under_way = self._ends.under_way
        for attempt in attempts:
            under_way[attempt.file.item] = attempt.gate, attempt.begun, attempt
        if attempts:
            self._pool.give(attempts)


def _outcome(item: Item) -> Outcome:
    assert item.receipt is not None
    return Outcome(item, FileState.UPLOADED if item.receipt.verified else FileState.UNVERIFIED)
