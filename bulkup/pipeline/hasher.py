"""Reads files ahead of the batcher: where the provider wants the checksum before it hands out a URL, and where the
journal knows a file by its content but not by all of its metadata. Everything else passes it by.

Small files are read in groups: a visit to a thread, and a row in the journal, cost more than the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.files.digests import Hashed, digests_of
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.retry import LookAgain, after_change
from bulkup.pipeline.rechecker import Rechecker
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run

_GROUP_FILES = 64
_GROUP_BYTES = 1024**2


class Hasher:
    """A few tasks that read in threads, and a queue that never blocks: the run's budget bounds it."""

    def __init__(
        self,
        run: Run,
        recorder: Recorder,
        second_look: Rechecker,
        ask: Callable[[Item], None],
        emptied: Callable[[], None],
    ) -> None:
        """`ask` takes a file that needs a ticket; `emptied` is called when the last file here has gone on."""
        self._run = run
        self._emptied = emptied
        self._recorder = recorder
        self._second_look = second_look
        self._ask = ask
        self._limiter = anyio.CapacityLimiter(run.options.hashers)
        self._send, self._receive = anyio.create_memory_object_stream[Item](run.options.in_flight)
        self._follow_links = run.options.scan.symlinks != "skip"

        self.depth = 0  # files that wait to be read, or are being read

    def add(self, item: Item) -> None:
        """Take a file to be read."""
        self.depth += 1
        self._send.send_nowait(item)

    async def work(self) -> None:
        """Read one group after the other until cancelled; several of these run beside one another."""
        async for first in self._receive:
            for group in self._groups(first):
                await self._read(group)
                self.depth -= len(group)
            if not self.depth:
                self._emptied()

    def close(self) -> None:
        """Close the queue."""
        self._send.close()
        self._receive.close()

    def _groups(self, first: Item) -> list[list[Item]]:
        """Return the small files that wait, together, and the large one that ends them, if any, by itself."""
        small: list[Item] = []
        size, item = 0, first
        while item.file.identity.size <= _GROUP_BYTES:
            small.append(item)
            size += item.file.identity.size
            if size >= _GROUP_BYTES or len(small) >= _GROUP_FILES:
                return [small]
            try:
                item = self._receive.receive_nowait()
            except anyio.WouldBlock:
                return [small]
        return [small, [item]] if small else [[item]]

    async def _read(self, group: Sequence[Item]) -> None:
        hashed = await digests_of(
            [item.file for item in group],
            self._limiter,
            follow_links=self._follow_links,
            stopped=lambda: self._run.stop.requested,
        )
        told = [item for item, result in zip(group, hashed, strict=True) if self._told(item, result)]
        if self._run.provider.capabilities.checksum_first:
            # On disk, so that a run that is cut off does not leave this work to be done again.
            await self._recorder.pending(told)
        for item in told:
            self._ask(item)

    def _told(self, item: Item, result: Hashed) -> bool:
        """Take what came of one file; say whether it needs a ticket."""
        if result is None:
            self._recorder.give_back(item)
            return False
        if isinstance(result, Problem):
            self._after(item, result)
            return False
        item.digest, identity = result
        item.file = item.file._replace(identity=identity)
        if item.digest == item.known_digest:
            self._recorder.settle(Outcome(item, FileState.UPLOADED, unchanged=True))
            return False
        return True

    def _after(self, item: Item, problem: Problem) -> None:
        if problem.kind is ProblemKind.MACHINE:
            self._run.stop.fail(fatal(problem))
            self._recorder.give_back(item)
        elif problem.kind is ProblemKind.CHANGED:
            self._changed(item, problem)
        else:
            self._recorder.settle(Outcome(item, FileState.UNREADABLE, problem))

    def _changed(self, item: Item, problem: Problem) -> None:
        item.history.changes += 1
        decision = after_change(item.history, self._run.options.retry, self._run.clock.monotonic())
        if isinstance(decision, LookAgain):
            self._second_look.add(item, problem, decision.at)
        else:
            self._recorder.settle(Outcome(item, decision.state, problem))
