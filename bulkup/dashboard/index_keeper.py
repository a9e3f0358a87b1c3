"""Reads journals into indexes on demand, keeps them while they are used, and reads them again after changes.

A journal changes all the time while a run is under way. Reading it again then waits for many times as long as the last
reading took, so that watching a run costs it little. After the end of the run it is read again soon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

import anyio
import anyio.abc
import anyio.to_thread

from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.file_index import FileIndex
from bulkup.dashboard.journal_list import Signature, signature_of
from bulkup.errors import BulkupError
from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Reader
from bulkup.journal.index_rows import index_rows
from bulkup.journal.reader import ReaderOptions

_ROWS_PER_PAGE = 5000


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """An index of a journal. `number` tells it from others of the same journal, `read_at` is a Unix time."""

    index: FileIndex
    number: int
    read_at: float
    signature: Signature


@dataclass(slots=True)
class _Kept:
    now: KeptIndex | None = None
    before: KeptIndex | None = None  # for lists that were begun with it
    took: float = 0.0
    ended: float = 0.0
    used: float = 0.0
    building: bool = False
    read: int = 0
    error: BulkupError | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)


class IndexKeeper:
    """Belongs to the event loop. Reading happens in threads, of tasks in `group`."""

    def __init__(
        self, group: anyio.abc.TaskGroup, alike: Callable[[str], str], clock: Clock, options: DashboardOptions
    ) -> None:
        self._group = group
        self._alike = alike
        self._clock = clock
        self._options = options
        self._kept: dict[str, _Kept] = {}
        self._number = 0
        self._one = anyio.CapacityLimiter(1)  # reading two journals at once takes as long, and more memory

    async def find(
        self, path: str, patience: float, number: int | None = None, *, running: bool = False
    ) -> KeptIndex | int:
        """Return the index of a journal, or while it is being read, after `patience` seconds, the files read so far.

        `number` asks for the index that a list was begun with, and `running` says that a run changes the journal.
        Raises KeyError if the index is gone, and `BulkupError` if the journal cannot be read.
        """
        kept = self._kept.setdefault(path, _Kept())
        kept.used = self._clock.monotonic()
        if number is not None:
            return self._numbered(kept, number)
        self._refresh(path, kept, running)
        if kept.now is None:
            with anyio.move_on_after(patience):
                await kept.changed.wait()
        if kept.error is not None:
            error, kept.error = kept.error, None
            raise error
        return kept.now if kept.now is not None else kept.read

    def is_current(self, path: str, found: KeptIndex) -> bool:
        """Return whether the journal is as it was when the index was made."""
        return signature_of(path) == found.signature

    def drop_unused(self) -> None:
        """Drop the indexes whose last use was more than `index_kept` ago."""
        limit = self._clock.monotonic() - self._options.index_kept
        for path, kept in list(self._kept.items()):
            if kept.used < limit and not kept.building:
                del self._kept[path]

    def _numbered(self, kept: _Kept, number: int) -> KeptIndex:
        for one in (kept.now, kept.before):
            if one is not None and one.number == number:
                return one
        raise KeyError(number)

    def _refresh(self, path: str, kept: _Kept, running: bool) -> None:
        """Start reading, if there is no index or the journal has changed since, and the last reading is long ago."""
        if kept.building:
            return
        options = self._options
        if kept.now is not None:
            rest = max(options.index_rest_least, kept.took * (options.index_rest if running else 1))
            if self._clock.monotonic() - kept.ended < rest or signature_of(path) == kept.now.signature:
                return
        kept.building, kept.read, kept.changed = True, 0, anyio.Event()
        self._group.start_soon(self._build, path, kept)

    async def _build(self, path: str, kept: _Kept) -> None:
        begun = self._clock.monotonic()
        try:
            self._number += 1
            found = await anyio.to_thread.run_sync(
                self._read, path, kept, self._number, abandon_on_cancel=True, limiter=self._one
            )
            kept.before, kept.now = kept.now, found
        except BulkupError as error:
            kept.error, kept.now, kept.before = error, None, None
        finally:
            kept.ended = self._clock.monotonic()
            kept.took, kept.building = kept.ended - begun, False
            kept.changed.set()

    def _read(self, path: str, kept: _Kept, number: int) -> KeptIndex:
        signature, at = signature_of(path), self._clock.now()
        index = FileIndex(self._alike)
        with Reader(path, options=ReaderOptions(_ROWS_PER_PAGE, self._options.journal_wait)) as reader:
            for row in index_rows(reader):
                index.add(row)
                if not len(index) % _ROWS_PER_PAGE:
                    kept.read = len(index)
        index.seal()
        return KeptIndex(index, number, at, signature)
