"""Walking a source: a generator over directories or a list of names, which the scanner runs in a thread.

Memory grows with the depth of the tree, not with its size. A directory is opened, and its entries are examined, by
their names in the open directory above. So a directory that becomes a link is not entered, unless links are followed.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile, Identity, Source, Stat
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.opening import VANISHED, machine_fault
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.scan.filters import Filters
from bulkup.pipeline.scan.ignore_file import read_ignore_file
from bulkup.pipeline.scan.name_list import listed_names
from bulkup.pipeline.scan.open_folders import OpenFolders
from bulkup.pipeline.scan.own_files import NO_OWN_FILES, OwnFiles

# A name that is listed twice must not be sent twice at once. Beyond this distance the journal has the first one.
_RECENT = 65_536
# Entries of a block; between two blocks the run can be stopped, and files handed on.
_AT_ONCE = 64
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_VANISHED = Problem(ProblemKind.CHANGED, "it vanished, or became a link, after its directory was listed")
_A_DIRECTORY = "it is named in the list and is a directory"
_AFTER_SLASH = b"0"  # the byte that follows the slash


@dataclass(frozen=True, slots=True)
class Unexamined:
    """An entry without a `stat`, and the problem: it is unreadable, or vanished. A directory stands for its content."""

    source: Source
    path: bytes
    problem: Problem


Entry = FoundFile | Unexamined


class WalkBlock(NamedTuple):
    """Some entries of a source: files by path with their `stat` values, and entries that could not be examined.

    Most files need no more than that, so no `FoundFile` is made of them.
    """

    files: dict[bytes, Stat]
    unexamined: list[Unexamined]


class Walk:
    """Lists the files of a run's sources, each once. `now` is Unix time, for `min_age`.

    With `unfinished`, a source is not walked. The function returns the paths to look at, in order, by the number of the
    source: files that an earlier run has not uploaded, and directories that it could not read. `too_new` is called with
    source and path of files that `min_age` leaves out.
    """

    def __init__(
        self,
        sources: tuple[Source, ...],
        options: ScanOptions,
        ignored: Ignored,
        now: float,
        opener: FileOpener | None = None,
        own: OwnFiles = NO_OWN_FILES,
        unfinished: Callable[[int], Iterable[bytes]] | None = None,
        too_new: Callable[[bytes, bytes], None] | None = None,
    ) -> None:
        self._options = options
        self._shard = options.shard
        self._unfinished = unfinished
        self._note_too_new = too_new
        self._opener = opener or FileOpener(options.symlinks)
        self._own = own
        self.first_own: bytes | None = None  # the first path that led to a file of bulkup
        self.gone = 0  # of the unfinished paths, those that are not on disk any more
        self.first_gone: bytes | None = None
        self._filters = Filters(options)  # of the current source
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
            yield from block.unexamined
            for path, status in block.files.items():
                yield FoundFile(source, path, Identity.of_stat(status))

    def blocks(self, source: Source) -> Generator[WalkBlock, None, None]:
        """Yield the entries of a source, a few at a time. An empty block only says that time has passed."""
        self.seen = 0
        if self._options.ignore_file:
            self._filters = Filters(self._options, read_ignore_file(self._opener, source))
            self._takes_all = self._filters.takes_all and not self._named
        if self._unfinished is not None:
            yield from self._again(source, self._unfinished(source.id))
        elif self._options.files_from is not None:
            yield from self._listed(source)
        elif source.only is not None:
            yield self._look_at(source, source.only)
        else:
            yield from self._walked(source)

    def _walked(self, source: Source, start: bytes = b"") -> Generator[WalkBlock, None, None]:
        """Walk a source, or one directory in it."""
        reopen = functools.partial(self._opener.open_folder, source)
        leaves_out = self._is_of_other_shard if self._shard is not None else None
        folders = OpenFolders(reopen, same_inode=self._opener.trusts_inodes, leaves_out=leaves_out)
        with contextlib.closing(folders):
            block = WalkBlock({}, [])
            self._enter(source, start, folders, block, linked=start != b"")
            yield block
            while folders:
                yield self._next_block(source, folders)

    def _is_of_other_shard(self, prefix: bytes, entry: os.DirEntry[str]) -> bool:
        """Return whether a listed entry is a regular file of another shard, and count it. It takes no `stat` call.

        Where a file system does not tell the kind of an entry in its listing, `_file` decides.
        """
        with contextlib.suppress(OSError):
            if entry.is_file(follow_symlinks=False) and not self._takes_path(prefix + os.fsencode(entry.name)):
                self.seen += 1
                return True
        return False

    def _takes_path(self, path: bytes) -> bool:
        """Return whether the shard of the run takes a file, and count it if not."""
        if self._shard is None or self._shard.takes(path):
            return True
        self._ignored.other_shards += 1
        return False

    def _enter(
        self, source: Source, path: bytes, folders: OpenFolders, block: WalkBlock, *, linked: bool = False
    ) -> None:
        try:
            descriptor = self._open_folder(source, path, folders, linked=linked)
            if self._own.has_folder(descriptor):
                os.close(descriptor)
                self._skip_own(path)
            elif not folders.enter(path, descriptor):
                self._ignored.symlinks += 1  # a link back to a directory above
        except OSError as error:
            self.seen += 1
            block.unexamined.append(_unexamined(source, path, error, listed=path != b""))

    def _open_folder(self, source: Source, path: bytes, folders: OpenFolders, *, linked: bool) -> int:
        if linked or not path:
            return self._opener.open_folder(source, path)
        return os.open(os.path.basename(path), _DIRECTORY, dir_fd=folders.descriptor())

    def _next_block(self, source: Source, folders: OpenFolders) -> WalkBlock:
        """Read the next entries of the innermost directory, and leave it at its end."""
        folder, block, before = folders.innermost, WalkBlock({}, []), self.seen
        try:
            self._read_names(source, itertools.islice(folder.names, _AT_ONCE), block, folders)
            ended = self.seen == before
        except OSError as error:
            block.unexamined.append(_unexamined(source, folder.prefix.rstrip(b"/"), error, listed=True))
            ended = True
        if ended:
            folders.leave()
        return block

    def _read_names(self, source: Source, names: Iterable[bytes], block: WalkBlock, folders: OpenFolders) -> None:
        """Read names of a directory, up to a directory to enter. Every file of every run passes here: keep it fast."""
        level, skips_hidden = folders.innermost, self._options.hidden == "skip"
        takes_all = self._takes_all and self._shard is None
        prefix, folder, files = level.prefix, folders.descriptor(), block.files
        lstat, is_regular, stat_of = os.lstat, stat.S_ISREG, self._opener.stat_of
        own, own_inodes, own_prefix = self._own, self._own.inodes, self._own.name_prefix
        for name in names:
            self.seen += 1
            if skips_hidden and self._filters.hides(name):
                self._ignored.hidden += 1
                continue
            path = prefix + name
            try:
                status = lstat(name, dir_fd=folder)
            except OSError as error:
                self._missed(source, path, error, block)
                continue
            if (status.st_ino in own_inodes or name.startswith(own_prefix) or status.st_nlink > 1) and own.has_file(
                name, status
            ):
                self._skip_own(path)
                continue
            if takes_all and is_regular(status.st_mode):
                files[path] = stat_of(status)
                continue
            self._classify(source, path, status, block, folders)
            if folders.innermost is not level:
                return

    def _missed(self, source: Source, path: bytes, error: OSError, block: WalkBlock) -> None:
        if error.errno in VANISHED and not self._takes_path(path):
            return  # otherwise it may be a directory, with files of every shard
        if self._filters.takes_name(path):
            block.unexamined.append(_unexamined(source, path, error, listed=True))
        else:
            self._ignored.filtered += 1

    def _classify(
        self, source: Source, path: bytes, status: os.stat_result, block: WalkBlock, folders: OpenFolders
    ) -> None:
        linked = stat.S_ISLNK(status.st_mode)
        if linked:
            target = self._target(source, path, block)
            if target is None:
                return
            status = target
        if stat.S_ISDIR(status.st_mode):
            self._directory(source, path, folders, block, linked=linked)
        else:
            self._file(source, path, status, block)

    def _target(self, source: Source, path: bytes, block: WalkBlock) -> os.stat_result | None:
        """Return the `stat` of a path that may lead through links, None if it is not to be followed or found."""
        try:
            status = self._opener.status(source, path)
        except OSError as error:
            if source.only is None and error.errno == errno.ELOOP and not self._follows(source, path):
                self._ignored.symlinks += 1
            elif error.errno not in VANISHED or self._takes_path(path):
                block.unexamined.append(_unexamined(source, path, error, listed=source.only is not None))
            return None
        if self._leads_to_own(source, path, status):
            self._skip_own(path)
            return None
        return status

    def _leads_to_own(self, source: Source, path: bytes, status: os.stat_result) -> bool:
        """Return whether a path leads to a file of bulkup. It has a link in it, or was not found by the walk."""
        if self._own.has_file(os.path.basename(path), status):
            return True
        return self._own.has_store and self._own.has_target(self._opener.real_path(source, path))

    def _skip_own(self, path: bytes) -> None:
        self._ignored.own += 1
        self.first_own = path if self.first_own is None else self.first_own
        self.seen += not path  # the source itself: it is not empty

    def _directory(self, source: Source, path: bytes, folders: OpenFolders, block: WalkBlock, *, linked: bool) -> None:
        if self._filters.prunes(path) or self._filters.too_deep(path):
            self._ignored.filtered += 1
        elif len(self._roots) > 1 and self._opener.real_path(source, path) in self._roots:
            self._ignored.other_sources += 1
        else:
            self._enter(source, path, folders, block, linked=linked)

    def _file(self, source: Source, path: bytes, status: os.stat_result, block: WalkBlock) -> None:
        if not stat.S_ISREG(status.st_mode):
            self._ignored.special += 1
        elif not self._takes_path(path):
            pass  # counted
        elif self._takes_all or self._takes(source, path, self._opener.identity_of(status)):
            block.files[path] = self._opener.stat_of(status)

    def _takes(self, source: Source, path: bytes, identity: Identity) -> bool:
        size_and_age = self._filters.takes_size(identity) and not self._filters.too_old(identity, self._now)
        if not size_and_age or not self._filters.takes_name(path):
            self._ignored.filtered += 1
            return False
        if self._filters.too_new(identity, self._now):
            self._ignored.too_new += 1
            if self._note_too_new is not None:
                self._note_too_new(source.root, path)
            return False
        if self._named and source.only is None and self._opener.real_path(source, path) in self._named:
            self._ignored.other_sources += 1
            return False
        return True

    def _follows(self, source: Source, path: bytes) -> bool:
        if self._options.symlinks == "follow":
            return True
        if self._options.symlinks == "skip":
            return False
        target = self._opener.real_path(source, path)
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
                if self._takes_path(path):
                    yield self._look_at(source, path)

    def _again(self, source: Source, paths: Iterable[bytes]) -> Iterator[WalkBlock]:
        """Yield the entries with these paths, which are in order, and the content of the directories among them.

        Paths below such a directory are not looked at again. Entries that are gone are only counted.
        """
        walked: list[bytes] = []
        for path in paths:
            walked = [start for start in walked if not start or path < start[:-1] + _AFTER_SLASH]
            if any(map(path.startswith, walked)) or not self._is_wanted_again(source, path):
                continue
            try:
                status = self._opener.status(source, path or b".")
            except OSError as error:
                yield self._missed_again(source, path, error)
                continue
            if stat.S_ISDIR(status.st_mode):
                walked.append(os.path.join(path, b"") if path else b"")
                if path and (self._filters.prunes(path) or self._filters.too_deep(path)):
                    self._ignored.filtered += 1
                else:
                    yield from self._walked(source, path)
            else:
                self.seen += 1
                block = WalkBlock({}, [])
                self._file(source, path, status, block)
                yield block

    def _is_wanted_again(self, source: Source, path: bytes) -> bool:
        """Return whether the sources and settings of this run include a path of an earlier one."""
        if source.only is not None and path != source.only:
            return False
        if self._options.hidden == "skip" and any(map(self._filters.hides, path.split(b"/"))):
            self._ignored.hidden += 1
            return False
        folder = os.path.dirname(path)
        if folder and self._filters.too_deep(folder):
            self._ignored.filtered += 1
            return False
        inside, full = os.path.join(source.root, b""), os.path.join(source.root, path, b"")
        roots = self._roots - {source.root}
        if any(root.startswith(inside) and full.startswith(os.path.join(root, b"")) for root in roots):
            self._ignored.other_sources += 1
            return False
        return True

    def _missed_again(self, source: Source, path: bytes, error: OSError) -> WalkBlock:
        if error.errno == errno.ELOOP and not self._follows(source, path):
            self._ignored.symlinks += 1
        elif error.errno in VANISHED:
            self.gone += 1
            self.first_gone = path if self.first_gone is None else self.first_gone
        else:
            return WalkBlock({}, [_unexamined(source, path, error, listed=True)])
        return WalkBlock({}, [])

    def _look_at(self, source: Source, path: bytes) -> WalkBlock:
        self.seen += 1
        block = WalkBlock({}, [])
        status = self._target(source, path, block)
        if status is None:
            return block
        if stat.S_ISDIR(status.st_mode):
            return _refused(source, path, _A_DIRECTORY)
        self._file(source, path, status, block)
        return block


def _refused(source: Source, path: bytes, reason: str) -> WalkBlock:
    return WalkBlock({}, [Unexamined(source, path, Problem(ProblemKind.UNREADABLE, reason))])


def _within(source: Source, name: bytes) -> bytes:
    """Return a listed name relative to the source; an absolute name may lead there through links."""
    if not os.path.isabs(name):
        return os.path.normpath(name)
    path = os.path.relpath(name, source.root)
    if path != b".." and not path.startswith(b"../"):
        return path  # `--symlinks` decides about links within the source
    folder, last = os.path.split(os.path.normpath(name))
    return os.path.relpath(os.path.join(os.path.realpath(folder), last), source.root)


def _unexamined(source: Source, path: bytes, error: OSError, *, listed: bool = False) -> Unexamined:
    """Return the entry with its problem. One that its directory has `listed` has vanished if it is missing.

    Raises `MachineError` if the machine caused the error.
    """
    fault = machine_fault(error)
    if fault is not None:
        raise fatal(fault) from error
    if listed and error.errno in VANISHED:
        return Unexamined(source, path, _VANISHED)
    return Unexamined(source, path, Problem(ProblemKind.UNREADABLE, error.strerror or type(error).__name__))
