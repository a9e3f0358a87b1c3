"""Walking a source: a generator over directories or a list of names, which the scanner runs in a thread.

Memory grows with the depth of the tree, not with its size: only the directories on the current path are open. The
names of a directory are sorted, like their rows in the journal; a very large directory is read in its own order.
"""

from __future__ import annotations

import itertools
import operator
import os
import stat
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile, Identity, Source, Stat, stat_of
from bulkup.pipeline.files.opening import machine_fault
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.scan.filters import Filters
from bulkup.pipeline.scan.name_list import listed_names

if TYPE_CHECKING:
    from os import _ScandirIterator as ScandirIterator

# A name that is listed twice must not be sent twice at once. Beyond this distance the journal has the first one.
_RECENT = 65_536
# The most names of a directory that are sorted.
_SORTED = 10_000
# Entries of a block; between two blocks the run can be stopped, and files handed on.
_AT_ONCE = 64
_name = operator.attrgetter("name")
_A_DIRECTORY = "it is named in the list and is a directory"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry without a readable `stat`, and the reason; a directory stands for its content."""

    source: Source
    path: bytes
    reason: str


Entry = FoundFile | Unreadable


class WalkBlock(NamedTuple):
    """Some entries of a source: files by path with their `stat` values, and unreadable entries.

    Most files need no more than that, so no `FoundFile` is made of them.
    """

    files: dict[bytes, Stat]
    unreadable: list[Unreadable]


class _Level(NamedTuple):
    """A directory that is being read.

    `prefix` begins the paths of its entries, `names` are the remaining ones, and `place` is its device and inode.
    """

    prefix: bytes
    names: Iterator[bytes]
    place: tuple[int, int]
    descriptor: int
    listing: ScandirIterator[bytes]

    def close(self) -> None:
        self.listing.close()
        os.close(self.descriptor)


class Walk:
    """Lists the files of a run's sources, each once. `now` is Unix time, for `min_age`."""

    def __init__(self, sources: tuple[Source, ...], options: ScanOptions, ignored: Ignored, now: float) -> None:
        self._options = options
        self._filters = Filters(options)
        self._ignored = ignored
        self._now = now
        self.seen = 0  # entries of the current source, ignored ones included
        # A source inside another one is walked on its own; otherwise its files would be found twice.
        self._roots = {source.root for source in sources if source.only is None}
        self._named = {os.path.join(source.root, source.only) for source in sources if source.only is not None}
        self._takes_all = self._filters.takes_all and not self._named

    def entries(self, source: Source) -> Generator[Entry, None, None]:
        """Yield the entries of a source one by one."""
        for block in self.blocks(source):
            yield from block.unreadable
            for path, status in block.files.items():
                yield FoundFile(source, path, Identity.of_stat(status))

    def blocks(self, source: Source) -> Generator[WalkBlock, None, None]:
        """Yield the entries of a source, a few at a time. An empty block only says that time has passed."""
        self.seen = 0
        if self._options.files_from is not None:
            yield from self._listed(source)
        elif source.only is not None:
            yield self._look_at(source, source.only)
        else:
            yield from self._walked(source)

    def _walked(self, source: Source) -> Generator[WalkBlock, None, None]:
        open_dirs: list[_Level] = []
        try:
            block = WalkBlock({}, [])
            self._enter(source, b"", open_dirs, block)
            yield block
            while open_dirs:
                yield self._next_block(source, open_dirs)
        finally:
            for level in open_dirs:
                level.close()

    def _enter(self, source: Source, folder: bytes, open_dirs: list[_Level], block: WalkBlock) -> None:
        full = os.path.join(source.root, folder)
        try:
            status = os.stat(full)
            place = (status.st_dev, status.st_ino)
            if any(place == above.place for above in open_dirs):
                self._ignored.symlinks += 1  # a link back to a directory above
            else:
                open_dirs.append(_opened(full, os.path.join(folder, b""), place))
        except OSError as error:
            self.seen += 1
            block.unreadable.append(_unreadable(source, folder, error))

    def _next_block(self, source: Source, open_dirs: list[_Level]) -> WalkBlock:
        """Read the next entries of the innermost directory, and leave it at its end."""
        level, block, before = open_dirs[-1], WalkBlock({}, []), self.seen
        try:
            self._read_names(source, itertools.islice(level.names, _AT_ONCE), block, open_dirs)
            ended = self.seen == before
        except OSError as error:
            block.unreadable.append(_unreadable(source, level.prefix.rstrip(b"/"), error))
            ended = True
        if ended:
            open_dirs.pop().close()
        return block

    def _read_names(self, source: Source, names: Iterable[bytes], block: WalkBlock, open_dirs: list[_Level]) -> None:
        """Read names of a directory, up to a directory to enter. Every file of every run passes here: keep it fast."""
        level, takes_all, skips_hidden = open_dirs[-1], self._takes_all, self._options.hidden == "skip"
        prefix, folder, files = level.prefix, level.descriptor, block.files
        lstat, is_regular = os.lstat, stat.S_ISREG
        for name in names:
            self.seen += 1
            if skips_hidden and self._filters.hides(name):
                self._ignored.hidden += 1
                continue
            path = prefix + name
            try:
                status = lstat(name, dir_fd=folder)
            except OSError as error:
                block.unreadable.append(_unreadable(source, path, error))
                continue
            if takes_all and is_regular(status.st_mode):
                files[path] = stat_of(status)
                continue
            self._classify(source, path, status, block, open_dirs)
            if open_dirs[-1] is not level:
                return

    def _classify(
        self, source: Source, path: bytes, status: os.stat_result, block: WalkBlock, open_dirs: list[_Level]
    ) -> None:
        try:
            if stat.S_ISLNK(status.st_mode):
                if not self._follows(source, path):
                    self._ignored.symlinks += 1
                    return
                status = os.stat(os.path.join(source.root, path))
            if stat.S_ISDIR(status.st_mode):
                self._directory(source, path, open_dirs, block)
            else:
                self._file(source, path, status, block)
        except OSError as error:
            block.unreadable.append(_unreadable(source, path, error))

    def _directory(self, source: Source, path: bytes, open_dirs: list[_Level], block: WalkBlock) -> None:
        if self._filters.prunes(path):
            self._ignored.filtered += 1
        elif len(self._roots) > 1 and os.path.realpath(os.path.join(source.root, path)) in self._roots:
            self._ignored.other_sources += 1
        else:
            self._enter(source, path, open_dirs, block)

    def _file(self, source: Source, path: bytes, status: os.stat_result, block: WalkBlock) -> None:
        if not stat.S_ISREG(status.st_mode):
            self._ignored.special += 1
        elif self._takes_all or self._takes(source, path, Identity.of(status)):
            block.files[path] = stat_of(status)

    def _takes(self, source: Source, path: bytes, identity: Identity) -> bool:
        if not self._filters.takes_size(identity) or not self._filters.takes_name(path):
            self._ignored.filtered += 1
            return False
        if self._filters.too_new(identity, self._now):
            self._ignored.too_new += 1
            return False
        if self._named and source.only is None and os.path.realpath(os.path.join(source.root, path)) in self._named:
            self._ignored.other_sources += 1
            return False
        return True

    def _follows(self, source: Source, path: bytes) -> bool:
        if self._options.symlinks == "follow":
            return True
        if self._options.symlinks == "skip":
            return False
        target = os.path.realpath(os.path.join(source.root, path))
        return target == source.root or target.startswith(os.path.join(source.root, b""))

    def _listed(self, source: Source) -> Iterator[WalkBlock]:
        recent: dict[bytes, None] = {}
        for name in listed_names(self._options.files_from or "-", null=self._options.null):
            if name is None:
                yield WalkBlock({}, [])
                continue
            path = _within(source, name)
            if path == b".." or path.startswith(b"../"):
                yield _refused(source, name, "it is named in the list and lies outside the source")
            elif path == b".":
                yield _refused(source, name, _A_DIRECTORY)
            elif path in recent:
                self._ignored.repeated += 1
            else:
                recent[path] = None
                if len(recent) > _RECENT:
                    del recent[next(iter(recent))]
                yield self._look_at(source, path)

    def _look_at(self, source: Source, path: bytes) -> WalkBlock:
        self.seen += 1
        full, block = os.path.join(source.root, path), WalkBlock({}, [])
        try:
            # A link anywhere in the path counts, not only at its end.
            if source.only is None and os.path.realpath(full) != full and not self._follows(source, path):
                self._ignored.symlinks += 1
                return block
            status = os.stat(full)
        except OSError as error:
            block.unreadable.append(_unreadable(source, path, error))
            return block
        if stat.S_ISDIR(status.st_mode):
            return _refused(source, path, _A_DIRECTORY)
        self._file(source, path, status, block)
        return block


def _opened(full: bytes, prefix: bytes, place: tuple[int, int]) -> _Level:
    """Open a directory for its listing and for `stat` by name. Raises OSError."""
    descriptor = os.open(full, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listing = os.scandir(full)  # not of the descriptor: that would turn names into text
    except OSError:
        os.close(descriptor)
        raise
    return _Level(prefix, _in_order(listing), place, descriptor, listing)


def _in_order(listing: ScandirIterator[bytes]) -> Iterator[bytes]:
    """Yield the names of a directory, sorted unless there are very many. Raises OSError after the names read so far."""
    names, broken = list[bytes](), None
    try:
        names.extend(map(_name, itertools.islice(listing, _SORTED)))  # keeps the names before an error
    except OSError as error:
        broken = error
    if len(names) < _SORTED:
        names.sort()
    yield from names
    if broken is not None:
        raise broken
    yield from map(_name, listing)


def _refused(source: Source, path: bytes, reason: str) -> WalkBlock:
    return WalkBlock({}, [Unreadable(source, path, reason)])


def _within(source: Source, name: bytes) -> bytes:
    """Return a listed name relative to the source; an absolute name may lead there through links."""
    if not os.path.isabs(name):
        return os.path.normpath(name)
    path = os.path.relpath(name, source.root)
    if path != b".." and not path.startswith(b"../"):
        return path  # `--symlinks` decides about links within the source
    folder, last = os.path.split(os.path.normpath(name))
    return os.path.relpath(os.path.join(os.path.realpath(folder), last), source.root)


def _unreadable(source: Source, path: bytes, error: OSError) -> Unreadable:
    """Return the entry as unreadable. Raises `MachineError` if the machine caused the error."""
    fault = machine_fault(error)
    if fault is not None:
        raise fatal(fault) from error
    return Unreadable(source, path, error.strerror or type(error).__name__)
