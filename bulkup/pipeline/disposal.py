"""The stage that removes uploaded files from their source, or moves them out of it, where a setting asks for that.

Files arrive after their row is on disk. They hold their unit of the budget until they are removed, so the run waits for
them, and their number is bounded. A removal that fails is counted and logged, and the upload counts as before. A file
that this stage did not reach is removed by the next run, which finds its row.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.lowlevel

from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.utf8_mode import path_text
from bulkup.model.files import FoundFile
from bulkup.model.items import Outcome
from bulkup.model.log_events import LogEvent
from bulkup.model.states import FileState
from bulkup.pipeline.files.removal import Ending, FileRemover
from bulkup.pipeline.run import Run

_MOST_AT_ONCE = 64  # files of one thread call: a run that is cut off waits for no more
_log = EventLogger("bulkup.disposal")


class Disposal:
    """Takes uploaded files. `close` closes its descriptors."""

    def __init__(self, run: Run, remover: FileRemover) -> None:
        self._run = run
        self._remover = remover
        self._files: list[FoundFile] = []
        self._wake = anyio.Event()
        self._limiter = anyio.CapacityLimiter(1)

    def close(self) -> None:
        """Close the descriptors of the sources."""
        self._remover.close()

    def add(self, file: FoundFile) -> None:
        """Take a file that holds a unit of the budget. Its upload is proven and on disk in the journal."""
        if not self._files:
            self._wake.set()
        self._files.append(file)

    def take(self, outcomes: Sequence[Outcome]) -> int:
        """Take the files that were uploaded and proven, of outcomes whose rows are on disk. Return their number."""
        proven = [o.item for o in outcomes if o.state is FileState.UPLOADED and not o.unchanged]
        for item in proven:
            # The bytes that were sent have this identity, and the row too.
            identity = item.file.identity if item.receipt is None else item.receipt.identity
            self.add(item.file._replace(identity=identity))
        return len(proven)

    async def work(self) -> None:
        """Remove files until cancelled. Raises `JournalError`."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._files:
                group = self._files[:_MOST_AT_ONCE]
                with anyio.CancelScope(shield=True):  # each file that is removed is counted
                    await self._dispose(group)
                del self._files[: len(group)]
                self._run.budget.give(len(group))
                await anyio.lowlevel.checkpoint()

    async def _dispose(self, group: Sequence[FoundFile]) -> None:
        # Before the removal: an empty source must not look like a lost mount after a kill between the two.
        await self._run.journal.removing(group)
        endings = await anyio.to_thread.run_sync(self._remove_all, group, limiter=self._limiter)
        for file, ending in zip(group, endings, strict=True):
            self._count(file, ending)

    def _remove_all(self, group: Sequence[FoundFile]) -> list[Ending | OSError]:
        return [self._remove(file) for file in group]

    def _remove(self, file: FoundFile) -> Ending | OSError:
        try:
            return self._remover.remove(file)
        except OSError as error:
            return error

    def _count(self, file: FoundFile, ending: Ending | OSError) -> None:
        counters = self._run.counters
        if isinstance(ending, OSError):
            counters.not_removed += 1
            reason, path = ending.strerror or type(ending).__name__, path_text(file.path)
            if self._run.warnings.admits(LogEvent.FILE_NOT_REMOVED, reason, name=path):
                _log.warning(LogEvent.FILE_NOT_REMOVED, path=path, reason=reason)
        elif ending is Ending.REMOVED:
            counters.removed += 1
        elif ending is Ending.MOVED:
            counters.moved += 1
        elif ending is Ending.KEPT:
            counters.kept += 1
