"""The last stage on a worker: outcomes go to the coordinator, whose recorder writes, counts and reports them.

The budget of a file is given back once its row is on disk. So a worker takes no other file before, as on one machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio

from bulkup.cluster.held_files import HeldFiles
from bulkup.cluster.journal_proxy import JournalProxy
from bulkup.cluster.uplink import Uplink
from bulkup.model.items import Outcome
from bulkup.pipeline.run import Run


class RemoteRecorder:
    """Takes outcomes from every stage; only `record` waits."""

    def __init__(self, run: Run, uplink: Uplink, files: HeldFiles, journal: JournalProxy) -> None:
        self._run = run
        self._uplink = uplink
        self._files = files
        self._journal = journal
        self._open = 0

    @property
    def depth(self) -> int:
        """Outcomes that wait for their rows."""
        return self._open

    def settle(self, outcome: Outcome) -> None:
        """Take the terminal outcome of an item."""
        self._send(outcome, None)

    def record(self, *outcomes: Outcome) -> asyncio.Future[None]:
        """Take outcomes; the future is done once they are on disk."""
        on_disk = asyncio.get_running_loop().create_future()
        for outcome in outcomes[:-1]:
            self._send(outcome, None)
        # Outcomes of one message are recorded together, and later messages after it.
        self._send(outcomes[-1], lambda: None if on_disk.done() else on_disk.set_result(None))
        return on_disk

    def count_failure(self) -> None:
        """Have a file counted as failed that is settled later."""
        self._uplink.tell("failure")

    async def work(self) -> None:
        """Do nothing until cancelled: the coordinator collects outcomes."""
        await anyio.sleep_forever()

    async def flush(self) -> None:
        """Do nothing: outcomes that have no row by now are left to the next run."""

    def _send(self, outcome: Outcome, then: Callable[[], None] | None) -> None:
        plain = self._journal.outcome(outcome)
        self._files.remove(outcome.item)
        self._open += 1

        def settled() -> None:
            self._open -= 1
            if then is not None:
                then()
            self._run.budget.give(1)

        self._uplink.outcome(plain, settled)
