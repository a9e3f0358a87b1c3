"""Reads files ahead of the batcher: where the provider wants the checksum before it hands out a URL, and where the
journal knows a file by its content but not by all of its metadata. Everything else passes it by.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import anyio

from bulkup.messages import Digest, FileState, Identity, Item, Kind, Outcome, Problem, ProblemError
from bulkup.pipeline.problems import fatal
from bulkup.pipeline.reading import digest_of
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run

_STATES = {Kind.CHANGED: FileState.CHANGED, Kind.UNREADABLE: FileState.UNREADABLE}


class Hasher:
    """A few tasks that read in threads, and a queue that never blocks: the run's budget bounds it."""

    def __init__(self, run: Run, recorder: Recorder, ask: Callable[[Item], None], emptied: Callable[[], None]) -> None:
        """`ask` takes a file that needs a ticket; `emptied` is called when the last file here has gone on."""
        self._run = run
        self._emptied = emptied
        self._recorder = recorder
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
        """Read one file after the other until cancelled; several of these run beside one another."""
        async for item in self._receive:
            await self._read(item)
            self.depth -= 1
            if not self.depth:
                self._emptied()

    async def _read(self, item: Item) -> None:
        if self._run.stop.requested:
            self._recorder.give_back(item)
            return
        try:
            hashed = await digest_of(
                item.file,
                self._limiter,
                follow_links=self._follow_links,
                stopped=lambda: self._run.stop.requested,
            )
        except ProblemError as error:
            self._after(item, error.problem)
            return
        if hashed is None:
            self._recorder.give_back(item)
        else:
            await self._hashed(item, *hashed)

    def close(self) -> None:
        """Close the queue."""
        self._send.close()
        self._receive.close()

    async def _hashed(self, item: Item, digest: Digest, identity: Identity) -> None:
        item.file = dataclasses.replace(item.file, identity=identity)
        item.digest = digest
        if digest == item.known_digest:
            self._recorder.settle(Outcome(item, FileState.UPLOADED, unchanged=True))
            return
        if self._run.provider.capabilities.checksum_first:
            await self._recorder.pending([item])
        self._ask(item)

    def _after(self, item: Item, problem: Problem) -> None:
        if problem.kind is Kind.MACHINE:
            self._run.stop.fail(fatal(problem))
            self._recorder.give_back(item)
        else:
            self._recorder.settle(Outcome(item, _STATES[problem.kind], problem))
