"""Hashes files ahead of the batcher.

Some providers need the checksum before they hand out a URL. The journal knows the content of some files, but not all of
their metadata. All other files bypass the hasher.

Small files are read in groups: a visit to a thread, and a row in the journal, cost more than reading them.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from bulkup.model.files import Algorithm, Digest
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.files.digests import Hashed, digests_of
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.retry import Recheck, after_change
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.providers import FileSpec

_GROUP_FILES = 64
_GROUP_BYTES = 1024**2


class Hasher:
    """A few tasks that read in threads, and a queue that never blocks: the run's budget bounds it."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._limiter = anyio.CapacityLimiter(run.options.hashers)
        self._send, self._receive = anyio.create_memory_object_stream[Item](run.options.in_flight)
        self._files = 0

    def files(self) -> int:
        """Return how many files wait to be read, or are being read."""
        return self._files

    def add(self, item: Item) -> None:
        """Take a file to be read."""
        self._files += 1
        self._send.send_nowait(item)

    async def work(self) -> None:
        """Read one group after the other until cancelled; several of these tasks run at once."""
        async for first in self._receive:
            for group in self._groups(first):
                await self._read(group)
                self._files -= len(group)
            if not self._files:
                self._routes.hashing_ended()

    def close(self) -> None:
        """Close the queue."""
        self._send.close()
        self._receive.close()

    def _groups(self, first: Item) -> list[list[Item]]:
        """Return the small files that wait, as one group, and the large file that ends it, if any, as another."""
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
        results = await digests_of(
            [item.file for item in group],
            self._limiter,
            self._run.opener,
            algorithms=[self._algorithm(item) for item in group],
            stopped=lambda: self._run.stop.requested,
        )
        hashed = [item for item, result in zip(group, results, strict=True) if self._needs_ticket(item, result)]
        if hashed and self._run.provider.capabilities.checksum_first:
            # On disk, so that an interrupted run need not hash them again.
            await self._record_digests(hashed)
        for item in hashed:
            self._routes.ask(item)

    def _algorithm(self, item: Item) -> Algorithm:
        """Return the algorithm of the digest to compare with, else that of the presign call."""
        if item.known_digest is not None:
            return item.known_digest.algorithm
        return self._run.provider.capabilities.checksum_first or "md5"

    async def _record_digests(self, items: Sequence[Item]) -> None:
        """Record digests. A ticket for the file's earlier content is no longer good."""
        replaced = [(item, item.ticket) for item in items if item.ticket is not None]
        await self._run.journal.pending(items, replaced, self._run.clock.now())
        for item in items:
            item.ticket = None

    def _needs_ticket(self, item: Item, result: Hashed) -> bool:
        """Take the result of one file, and return whether it goes on to the batcher."""
        if result is None:
            self._routes.give_back(item)
            return False
        if isinstance(result, Problem):
            self._failed(item, result)
            return False
        item.digest, identity = result
        item.file = item.file._replace(identity=identity)
        if item.digest == item.known_digest:
            self._routes.settle(Outcome(item, FileState.UPLOADED, unchanged=True))
            return False
        return not self._needs_other_digest(item, item.digest)

    def _needs_other_digest(self, item: Item, digest: Digest) -> bool:
        """Have a changed file read again if an earlier run recorded a digest that the presign call cannot use."""
        needed = self._run.provider.capabilities.checksum_first
        if needed in (None, digest.algorithm) or not self._run.provider.hashes_first(FileSpec.of(item.file)):
            return False
        item.digest = item.known_digest = None
        self._routes.hash(item)
        return True

    def _failed(self, item: Item, problem: Problem) -> None:
        if problem.kind is ProblemKind.MACHINE:
            self._run.stop.fail(fatal(problem))
            self._routes.give_back(item)
        elif problem.kind is ProblemKind.CHANGED:
            item.history.changes += 1
            decision = after_change(item.history, self._run.options.retry, self._run.clock.monotonic())
            if isinstance(decision, Recheck):
                self._routes.recheck(item, problem, decision.at)
            else:
                self._routes.settle(Outcome(item, decision.state, problem))
        else:
            self._routes.settle(Outcome(item, FileState.UNREADABLE, problem))
