"""The temporary folder of a bench. One whose bench was killed is found and removed by the next bench.

Such a folder holds a journal with signed URLs. It is recognised by a lock file, which a running bench holds. The file
names the manifest, so that the ids in the journal are written there before the folder is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from typing import Any, Self

from bulkup.cli.bench_manifest import IdsNotWrittenError, ReservedFile, write_created
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.bench_report import CreatedIds

_PREFIX = "bulkup-bench-"
_LOCK = "bench.lock"
_LARGEST_LOCK = 64 * 1024  # bytes; a path has at most 4,096


class BenchFolder:
    """A folder that only its owner can read, with a lock that ends with this process."""

    def __init__(self, temporary: str | None = None) -> None:
        self.path = os.path.realpath(tempfile.mkdtemp(prefix=_PREFIX, dir=temporary))
        self._lock = os.open(self._file("bench.new"), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Without locks, as on some network file systems, the file is missing: then no other bench removes the folder.
        with contextlib.suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(None)
            # It gets its name last, so that no other bench sees it without its lock.
            os.rename(self._file("bench.new"), self._file(_LOCK))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The folder is kept only if its journal is the sole record of created ids.
        if kind is None or not issubclass(kind, IdsNotWrittenError):
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    @property
    def journal(self) -> str:
        """The path of the journal."""
        return journal_in(self.path)

    def will_write_to(self, manifest: ReservedFile) -> None:
        """Record the manifest, for the bench that finds this folder after a kill."""
        self._write([manifest.path, manifest.device, manifest.inode])

    def _write(self, manifest: list[Any] | None) -> None:
        os.pwrite(self._lock, json.dumps({"manifest": manifest}).encode(), 0)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def journal_in(folder: str) -> str:
    """Return the path of the journal in the folder of a bench."""
    return os.path.join(folder, "journal.sqlite3")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A folder of a bench that was killed. `kept` is the reason why it could not be removed."""

    folder: str
    created: CreatedIds = CreatedIds()
    kept: str | None = None


def remove_leftovers(temporary: str | None = None) -> Iterator[Leftover]:
    """Remove the folders of killed benches after writing their ids. Yield one entry for each folder."""
    parent = tempfile.gettempdir() if temporary is None else temporary
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(parent)):
            folder = os.path.join(parent, name)
            if name.startswith(_PREFIX) and (lock := _lock_of_killed(folder)) is not None:
                try:
                    yield _remove(folder, lock)
                finally:
                    os.close(lock)


def _lock_of_killed(folder: str) -> int | None:
    """Return the lock of a folder that is surely of a bench of this user, and of none that runs. Else None."""
    try:
        of_folder = os.lstat(folder)
        private = stat.S_ISDIR(of_folder.st_mode) and not of_folder.st_mode & 0o077
        if not private or of_folder.st_uid != os.geteuid():
            return None
        path = os.path.join(folder, _LOCK)
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another bench may have removed the folder in the meantime.
        if stat.S_ISREG(os.fstat(lock).st_mode) and os.path.samestat(os.fstat(lock), os.lstat(path)):
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def _remove(folder: str, lock: int) -> Leftover:
    created, journal = CreatedIds(), journal_in(folder)
    try:
        manifest = json.loads(os.pread(lock, _LARGEST_LOCK, 0))["manifest"]
        if manifest is not None:
            reserved = ReservedFile(*manifest)
            created = write_created(journal, reserved, reserved.path)
        shutil.rmtree(folder)
    except IdsNotWrittenError as error:
        return Leftover(folder, kept=f"{error.message}; {error.hint}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Leftover(folder, kept=getattr(error, "strerror", None) or "its lock file is damaged")
    return Leftover(folder, created)
