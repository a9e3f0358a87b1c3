"""Enumerating a source: a plain generator over `os.scandir` or a list of names, run in a thread by the scanner.

Memory goes with the depth of the tree, not with its size: a directory is read as it comes, and only the way down is
held.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NamedTuple

from bulkup.counters import Ignored
from bulkup.errors import UsageError
from bulkup.messages import FoundFile, Identity, Source
from bulkup.pipeline.filters import Filters
from bulkup.pipeline.opening import machine_fault
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.problems import fatal

if TYPE_CHECKING:
    from os import _ScandirIterator as ScandirIterator

# A name that comes twice must not be sent twice at once. Further apart than this the journal knows the first one.
_RECENT = 65_536
_BLOCK = 64 * 1024
_PATIENCE_MS = 50


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that could not be looked at, and why; a directory stands for whatever it holds."""

    source: Source
    path: bytes
    reason: str


Entry = FoundFile | Unreadable


class _Level(NamedTuple):
    """A directory that is being read: its path within the source, what is left of it, and its device and inode."""

    folder: bytes
    entries: ScandirIterator[bytes]
    place: tuple[int, int]


class Walk:
    """Enumerates the files of a run's sources, each once. `now` is Unix time, for `min_age`."""

    def __init__(self, sources: tuple[Source, ...], options: ScanOptions, ignored: Ignored, now: float) -> None:
        self._options = options
        self._filters = Filters(options)
        self._ignored = ignored
        self._now = now
        self.seen = 0  # entries of the source being walked, whatever became of them
        # A source inside another one is scanned as itself, or its files would be found twice.
        self._roots = {source.root for source in sources if source.only is None}
        self._named = {os.path.join(source.root, source.only) for source in sources if source.only is not None}

    def entries(self, source: Source) -> Generator[Entry | None, None, None]:
        """Yield what the source holds. None says "nothing here, but time has passed"."""
        self.seen = 0
        if self._options.files_from is not None:
            yield from self._listed(source)
        elif source.only is not None:
            yield self._look_at(source, source.only)
        else:
            yield from self._walked(source)

    def _walked(self, source: Source) -> Generator[Entry | None, None, None]:
        way: list[_Level] = []
        try:
            yield self._enter(source, b"", way)
            while way:
                level = way[-1]
                try:
                    entry = next(level.entries, None)
                except OSError as error:
                    yield _unreadable(source, level.folder, error)
                    entry = None
                if entry is None:
                    way.pop().entries.close()
                else:
                    yield self._classified(source, level.folder, entry, way)
        finally:
            for level in way:
                level.entries.close()

    def _enter(self, source: Source, folder: bytes, way: list[_Level]) -> Entry | None:
        full = os.path.join(source.root, folder)
        try:
            status = os.stat(full)
            place = (status.st_dev, status.st_ino)
            if any(place == above.place for above in way):
                self._ignored.symlinks += 1  # a link back to a folder that we are inside of
                return None
            way.append(_Level(folder, os.scandir(full), place))
        except OSError as error:
            self.seen += 1
            return _unreadable(source, folder, error)
        return None

    def _classified(self, source: Source, folder: bytes, entry: os.DirEntry[bytes], way: list[_Level]) -> Entry | None:
        self.seen += 1
        path = os.path.join(folder, entry.name)
        if self._filters.hides(entry.name):
            self._ignored.hidden += 1
            return None
        try:
            if entry.is_symlink() and not self._follows(source, path):
                self._ignored.symlinks += 1
                return None
            if entry.is_dir():
                return self._directory(source, path, way)
            return self._file(source, path, entry.stat())
        except OSError as error:
            return _unreadable(source, path, error)

    def _directory(self, source: Source, path: bytes, way: list[_Level]) -> Entry | None:
        if self._filters.prunes(path):
            self._ignored.filtered += 1
            return None
        if len(self._roots) > 1 and os.path.realpath(os.path.join(source.root, path)) in self._roots:
            self._ignored.other_sources += 1
            return None
        return self._enter(source, path, way)

    def _file(self, source: Source, path: bytes, status: os.stat_result) -> FoundFile | None:
        if not stat.S_ISREG(status.st_mode):
            self._ignored.special += 1
            return None
        identity = Identity.of(status)
        if not self._filters.takes_size(identity) or not self._filters.takes_name(path):
            self._ignored.filtered += 1
            return None
        if self._filters.too_new(identity, self._now):
            self._ignored.too_new += 1
            return None
        if self._named and source.only is None and os.path.realpath(os.path.join(source.root, path)) in self._named:
            self._ignored.other_sources += 1
            return None
        return FoundFile(source, path, identity)

    def _follows(self, source: Source, path: bytes) -> bool:
        if self._options.symlinks == "follow":
            return True
        if self._options.symlinks == "skip":
            return False
        target = os.path.realpath(os.path.join(source.root, path))
        return target == source.root or target.startswith(os.path.join(source.root, b""))

    def _listed(self, source: Source) -> Iterator[Entry | None]:
        recent: dict[bytes, None] = {}
        for name in listed_names(self._options.files_from or "-", null=self._options.null):
            if name is None:
                yield None
                continue
            path = _within(source, name)
            if path == b".." or path.startswith(b"../"):
                yield Unreadable(source, name, "it is named in the list and lies outside the source")
            elif path == b".":
                yield Unreadable(source, name, "it is named in the list and is a directory")
            elif path in recent:
                self._ignored.repeated += 1
            else:
                recent[path] = None
                if len(recent) > _RECENT:
                    del recent[next(iter(recent))]
                yield self._look_at(source, path)

    def _look_at(self, source: Source, path: bytes) -> Entry | None:
        self.seen += 1
        full = os.path.join(source.root, path)
        try:
            # A link on the way there counts as much as one at the end.
            if source.only is None and os.path.realpath(full) != full and not self._follows(source, path):
                self._ignored.symlinks += 1
                return None
            status = os.stat(full)
        except OSError as error:
            return _unreadable(source, path, error)
        if stat.S_ISDIR(status.st_mode):
            return Unreadable(source, path, "it is named in the list and is a directory")
        return self._file(source, path, status)


def _within(source: Source, name: bytes) -> bytes:
    """Return a listed name relative to the source; an absolute one may lead there through links."""
    if not os.path.isabs(name):
        return os.path.normpath(name)
    path = os.path.relpath(name, source.root)
    if path != b".." and not path.startswith(b"../"):
        return path  # what links mean within the source is for `--symlinks` to say
    folder, last = os.path.split(os.path.normpath(name))
    return os.path.relpath(os.path.join(os.path.realpath(folder), last), source.root)


def listed_names(place: str, *, null: bool) -> Iterator[bytes | None]:
    """Yield the names of a list, one a line or NUL-terminated; `-` is standard input. Empty names are passed over.

    Raises `UsageError` when the list cannot be read, or ends its names with NUL and was not said to.
    """
    end = b"\0" if null else b"\n"
    try:
        with sys.stdin.buffer if place == "-" else open(place, "rb") as stream:
            yield from _split(stream, end)
    except OSError as error:
        raise UsageError(f"cannot read the list of files {place}: {error.strerror or error}") from error


def _split(stream: IO[bytes], end: bytes) -> Iterator[bytes | None]:
    rest, ready = b"", select.poll()
    ready.register(stream, select.POLLIN)
    while True:
        if not ready.poll(_PATIENCE_MS):
            yield None  # a pipe with nothing in it: names that came go on, and the run can be stopped
            continue
        block = os.read(stream.fileno(), _BLOCK)
        if not block:
            break
        if end != b"\0" and b"\0" in block:
            raise UsageError("the list of files holds NUL bytes, which no name does", hint="is --null missing?")
        *names, rest = (rest + block).split(end)
        yield from (name for name in names if name)
    if rest:
        yield rest


def _unreadable(source: Source, path: bytes, error: OSError) -> Unreadable:
    """Return the entry as unreadable. Raises `MachineError` where that is no fault of the entry's."""
    fault = machine_fault(error)
    if fault is not None:
        raise fatal(fault) from error
    return Unreadable(source, path, error.strerror or type(error).__name__)
