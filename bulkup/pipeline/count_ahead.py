"""The stage that counts the files of a run ahead of the scanner, for percentage and remaining time alone.

The scanner takes as many files as the budget allows, and then waits for the upload. Only then is a second walk worth
its cost. In a small tree, or where nearly all files are settled, the scanner itself is ahead, and nothing is counted.
"""

from __future__ import annotations

import contextlib
import time

import anyio

from bulkup.pipeline.run import Run
from bulkup.pipeline.scan.counting import CountingWalk, SettledRule, countable
from bulkup.pipeline.scan.decision import ChangePolicy


class CountAhead:
    """Counts into the run's `counted`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._options = run.tunables.counting

    async def work(self) -> None:
        """Wait until the scanner falls behind, then count until the scan or the count is done. Returns at its end."""
        if self._run.unfinished is not None or not countable(self._run.options.scan):
            return  # files from the journal, or from a list that can be read only once
        if not await self._is_needed():
            return
        counted = self._run.counted
        walk = self._counting_walk()
        counted.running = True
        try:
            with contextlib.closing(walk):
                await self._count(walk)
        finally:
            counted.running = False

    async def _is_needed(self) -> bool:
        """Return True once the scanner waits for the upload, False if the scan ends before."""
        run = self._run
        while not self._is_over:
            with run.timeout(self._options.patience):
                await run.stop.wait()
            if run.budget.waited_for and not self._is_over:
                return True
        return False

    @property
    def _is_over(self) -> bool:
        return self._run.counters.scan_done or self._run.stop.requested

    async def _count(self, walk: CountingWalk) -> None:
        run, options = self._run, self._options
        limiter = anyio.CapacityLimiter(1)  # a thread of its own: readers must not delay it
        while not self._is_over:
            begun = time.perf_counter()
            if not await anyio.to_thread.run_sync(walk.work, options.slice, limiter=limiter):
                return
            with run.timeout((time.perf_counter() - begun) * (1 / options.share - 1)):
                await run.stop.wait()

    def _counting_walk(self) -> CountingWalk:
        run, options, now = self._run, self._run.options, self._run.clock.now()
        policy = ChangePolicy(now, options.identity, options.reupload_expired, options.settings_digest)
        return CountingWalk(
            run.sources,
            options.scan,
            options.identity,
            run.own_files,
            run.journal.lookup_earlier,
            SettledRule.of(run.provider, policy),
            run.counted,
            now,
        )
