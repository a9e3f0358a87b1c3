"""The first stage on a worker: files that the coordinator gives enter the pipeline, against the worker's budget."""

from __future__ import annotations

import asyncio
from collections import deque

from bulkup.cluster.assignments import CLOSE, HASH, RESUME
from bulkup.model.items import Item, Stored
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run


class GroupIntake:
    """Stands in the place of the scanner. Its methods never block, but for `scan`."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._files: deque[tuple[str, Item]] = deque()
        self._wake = asyncio.Event()
        self._ended = False

    @property
    def depth(self) -> int:
        """Files that wait for the budget."""
        return len(self._files)

    def add(self, need: str, item: Item) -> None:
        """Take a file."""
        self._files.append((need, item))
        self._wake.set()

    def note_last(self, *, last: bool) -> None:
        """Note whether the coordinator has no more files, so that no group waits for others."""
        self._run.counters.scan_done = last
        if last:
            self._routes.hashing_ended()

    def end(self) -> None:
        """Let `scan` return once all files have entered."""
        self._ended = True
        self._wake.set()

    async def scan(self) -> None:
        """Pass files on until `end` was called."""
        while True:
            while self._files:
                if not self._run.budget.try_take(1):
                    await self._run.budget.take(1)
                self._enter(*self._files.popleft())
            if self._ended:
                return
            self._wake.clear()
            await self._wake.wait()

    def _enter(self, need: str, item: Item) -> None:
        routes = self._routes
        if self._run.stop.requested:
            routes.give_back(item)
        elif need == CLOSE and item.ticket is not None and item.receipt is not None:
            routes.close(Stored(item, item.ticket, item.receipt))
        elif need == RESUME and item.ticket is not None:
            self._run.issued.clash(item.ticket, item.file.full_path, item.digest)
            routes.resume(item, item.ticket)
        elif need == HASH:
            routes.hash(item)
        else:
            routes.ask(item)
