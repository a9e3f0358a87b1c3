"""The counting walk: it meets the files of a run ahead of the scanner, and keeps nothing but their number and size.

It is the scanner's walk, with the same filters. Files that an earlier run settled are counted apart, by the same
comparison with the journal. It decides nothing: the scanner meets each file itself.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Generator, Sequence

from bulkup.errors import BulkupError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Lookup
from bulkup.model.counters import Counted, Ignored
from bulkup.model.files import Source, Stat
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.options import IdentityMode, ScanOptions
from bulkup.pipeline.scan.decision import ChangePolicy, all_settled
from bulkup.pipeline.scan.own_files import OwnFiles
from bulkup.pipeline.scan.walk import Walk
from bulkup.providers import Provider

_BLOCK_FILES = 256  # that the journal is asked about at once


@dataclass(frozen=True, slots=True)
class CountingOptions:
    """The pace of the counting walk, in seconds.

    It begins once the scanner is found waiting after a time of `patience`. It walks for `slice` at a time, and takes
    at most `share` of the time, so that the threads that upload are not held up.
    """

    patience: float = 0.2
    slice: float = 0.01
    share: float = 0.25


class CountingWalk:
    """Counts the files of all sources into `counted`, a slice at a time. `close` it in any case."""

    def __init__(
        self,
        sources: Sequence[Source],
        options: ScanOptions,
        identity: IdentityMode,
        own: OwnFiles,
        lookup: Callable[[], Lookup],
        settled: SettledRule,
        counted: Counted,
        now: float,
    ) -> None:
        self._sources = tuple(sources)
        self._opener = FileOpener(options.symlinks, identity)
        self._walk = Walk(self._sources, options, Ignored(), now, self._opener, own)
        self._open_lookup = lookup
        self._lookup: Lookup | None = None
        self._settled = settled
        self._counted = counted
        self._now = now
        self._steps = self._count()

    def close(self) -> None:
        """Close the folders and the journal. The walk must not be at work in a thread."""
        self._steps.close()
        if self._lookup is not None:
            self._lookup.close()
        self._opener.close()

    def work(self, seconds: float) -> bool:
        """Count for so long; return whether there is more to count. Runs in a thread.

        A walk that meets an error ends. Its count is not complete, and the scanner reports the error.
        """
        deadline = time.monotonic() + seconds
        try:
            for _ in self._steps:
                if time.monotonic() >= deadline:
                    return True
        except (OSError, BulkupError):
            return False
        self._counted.complete = True
        return False

    def _count(self) -> Generator[None, None, None]:
        """Count, and yield between two blocks."""
        if self._settled.kept:
            self._lookup = self._open_lookup()
        for source in self._sources:
            files = dict[bytes, Stat]()
            with contextlib.closing(self._walk.blocks(source)) as blocks:
                for block in blocks:
                    self._counted.files += len(block.unexamined)
                    files.update(block.files)
                    if len(files) >= _BLOCK_FILES:
                        self._add(source, files)
                        files = {}
                    yield
            self._add(source, files)

    def _add(self, source: Source, files: dict[bytes, Stat]) -> None:
        counted = self._counted
        counted.files += len(files)
        counted.bytes += sum([status[0] for status in files.values()])
        if self._lookup is None or not files:
            return
        kept, expired, _ = self._lookup.compare(source, files, self._now)
        settled = [*kept, *(expired if self._settled.expired else ())]
        counted.settled += len(settled)
        counted.bytes_settled += sum([files[path][0] for path in settled])


@dataclass(frozen=True, slots=True)
class SettledRule:
    """Whether uploads that the service keeps are settled, and those that it no longer keeps."""

    kept: bool
    expired: bool

    @classmethod
    def of(cls, provider: Provider, policy: ChangePolicy) -> SettledRule:
        """Return the rule of a run. Where the place of each file decides, no file counts as settled ahead."""
        kept = all_settled(provider, policy, expired=False)
        return cls(kept, kept and all_settled(provider, policy, expired=True))


def countable(options: ScanOptions) -> bool:
    """Return whether the files of a run can be walked twice: a list from a pipe can be read only once."""
    if options.files_from is None:
        return True
    try:
        return options.files_from != "-" and stat.S_ISREG(os.stat(options.files_from).st_mode)
    except OSError:
        return False
