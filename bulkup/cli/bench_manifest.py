"""The manifest of a bench: every remote id that it created at the service, also after errors and kills."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence

import orjson

from bulkup.cli.output_file import output_file
from bulkup.errors import JournalError, MachineError, UsageError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Reader
from bulkup.model.items import Result
from bulkup.reports.bench_report import CreatedIds, created_objects
from bulkup.reports.json_lines import result_object
from bulkup.reports.json_text import dumps
from bulkup.reports.tables import orphan_json

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class IdsNotWrittenError(MachineError):
    """The ids could not be written to the manifest."""


@dataclass(frozen=True, slots=True)
class ReservedFile:
    """A file that a bench created for its manifest, by the inode that it had then."""

    path: str
    device: int
    inode: int

    def is_replaced(self) -> bool:
        """Return whether another file has its name. A file that was removed may be created anew."""
        try:
            now = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (now.st_dev, now.st_ino) != (self.device, self.inode)


class BenchManifest:
    """Owns the manifest until `close`: gets a line for each settled file, and in the end the full list.

    Raises UsageError if the file exists or cannot be created.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            folder = os.path.realpath(os.path.dirname(path))
            target = os.path.join(folder, os.path.basename(path))
            self._fd = os.open(target, _NEW, 0o666)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror or error}", hint="give --manifest FILE") from error
        stat = os.fstat(self._fd)
        self.reserved = ReservedFile(target, stat.st_dev, stat.st_ino)

    def append(self, results: Sequence[Result]) -> None:
        """Write the ids of settled files, for the case that this process is killed."""
        lines = b"".join(dumps(result_object(result)) + b"\n" for result in results if result.remote_id is not None)
        # A full disk is reported by `complete`, which writes all of it again.
        with contextlib.suppress(OSError):
            while lines:
                lines = lines[os.write(self._fd, lines) :]

    def complete(self, journal: str) -> CreatedIds:
        """Write all ids that the journal knows, and return their numbers."""
        return write_created(journal, self.reserved, self._path)

    def close(self) -> None:
        """Close the file. One that is still empty is removed."""
        with contextlib.suppress(OSError):
            if not os.fstat(self._fd).st_size and not self.reserved.is_replaced():
                os.unlink(self.reserved.path)
        os.close(self._fd)


@contextlib.contextmanager
def bench_manifest(path: str | None) -> Iterator[BenchManifest | None]:
    """Create the file beforehand, to be sure that it can be written."""
    if path is None:
        yield None
        return
    with contextlib.closing(BenchManifest(path)) as manifest:
        yield manifest


def write_created(journal: str, reserved: ReservedFile, named: str) -> CreatedIds:
    """Write all created ids to the manifest, and return their numbers. `named` is its path as the user gave it.

    Raises `IdsNotWrittenError`, also if another file has taken the name of the manifest.
    """
    if not os.path.exists(journal):
        return CreatedIds()
    try:
        with Reader(journal) as reader:
            files = list(created_objects(reader.manifest()))
            orphans = list(map(orphan_json, itertools.chain(reader.orphans(), reader.interrupted())))
        text = b"".join(dumps(line) + b"\n" for line in (*files, *orphans))
        if text:
            _replace(reserved, text)
    except (OSError, JournalError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        hint = f"the ids are in the journal: bulkup manifest --journal {journal}"
        raise IdsNotWrittenError(f"cannot write {named}: {reason}", hint=hint) from error
    unused = sum(orphan["remote_id"] is not None for orphan in orphans)
    unknown = sum(orphan["count"] for orphan in orphans if orphan["remote_id"] is None)
    return CreatedIds(len(files), unused, unknown, named)


def _replace(reserved: ReservedFile, text: bytes) -> None:
    with contextlib.suppress(FileNotFoundError), open(reserved.path, "rb", opener=_regular) as stream:
        if reserved.is_replaced():
            if stream.read(len(text) + 1) == text:  # written before the bench was killed
                return
            raise FileExistsError(0, "another file has its name")
        if not all(map(_is_line_of_bench, stream.read().splitlines(keepends=True))):
            # A file that is made after another was removed often gets its inode.
            raise FileExistsError(0, "it has other content than ids")
    with output_file(reserved.path) as stream:
        stream.write(text)


def _is_line_of_bench(line: bytes) -> bool:
    """Return whether a bench may have written a line. The last one may be cut."""
    if not line.endswith(b"\n"):
        return line.startswith(b"{")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and "remote_id" in value


def _regular(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
