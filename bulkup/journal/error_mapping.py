"""Turns errors of SQLite and the system into `JournalError`, and keeps a copy of a damaged journal."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import resource
import shutil
import sqlite3
import time

from bulkup.errors import JournalError
from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS
from bulkup.helpers.private_files import open_private

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SQLITE_OPENS = 5  # descriptors at most, at once: the file, its log, index and rollback journal, its folder
_LARGEST_WRITE = 256 * 1024  # bytes, above the size of a page or of the index
_KEPT = "no recorded row is lost"
# What SQLite needs of a file system, by the errors of one that lacks it. Some network and FUSE file systems do.
_UNSUPPORTED = {
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_SHMOPEN,
            sqlite3.SQLITE_IOERR_SHMSIZE,
            sqlite3.SQLITE_IOERR_SHMMAP,
        ),
        "shared memory (mmap)",
    ),
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_SHMLOCK,
            sqlite3.SQLITE_IOERR_LOCK,
            sqlite3.SQLITE_IOERR_RDLOCK,
            sqlite3.SQLITE_IOERR_UNLOCK,
            sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
            sqlite3.SQLITE_PROTOCOL,
        ),
        "locks",
    ),
    sqlite3.SQLITE_IOERR_DELETE: "the removal of files",
}


class DamagedJournalError(JournalError):
    """The journal is damaged. A copy of it was made, and it must not be written to any more."""


class FullDiskError(JournalError):
    """The disk of the journal is full, or a quota is used up."""


class BusyJournalError(JournalError):
    """Another program has locked the journal. No run does: it keeps no reader out."""


def from_sqlite(error: sqlite3.DatabaseError, path: str) -> JournalError:
    """Return the error for the user. A damaged file is copied.

    The text of the error may contain a value of the journal, such as a signed URL. It is replaced by SQLite's name for
    the error, also in the exception itself, which may be printed as the cause.
    """
    # The sqlite3 module itself raises an error without a code, for a text that is not UTF-8.
    undecodable = not hasattr(error, "sqlite_errorcode") and "decode" in str(error)
    text = getattr(error, "sqlite_errorname", "a text is not UTF-8" if undecodable else type(error).__name__)
    error.args = (text,)
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or undecodable:
        return damaged(path, text)
    if kind in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL) and (limit := _reached_size_limit(path)) is not None:
        return JournalError(
            f"the journal {path} would exceed the limit on the size of files ({limit:,} bytes); {_KEPT}",
            hint="raise `ulimit -f`, and run the same command again",
        )
    if kind == sqlite3.SQLITE_FULL:
        return _full(path)
    if getattr(error, "sqlite_errorcode", 0) in _UNSUPPORTED:
        return unsupported(path, _UNSUPPORTED[error.sqlite_errorcode])
    if kind == sqlite3.SQLITE_IOERR:
        return JournalError(
            f"the disk of the journal {path} fails ({text}); {_KEPT}",
            hint="check the quota, the disk and the system's log; then run the same command again",
        )
    if kind == sqlite3.SQLITE_CANTOPEN and _out_of_descriptors():
        return _descriptors(path)
    if kind == sqlite3.SQLITE_READONLY:
        return JournalError(
            f"cannot write the journal {path}: the file, its folder or its file system is read-only",
            hint="change its permissions, or name another file with --journal",
        )
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BusyJournalError(
            f"cannot use the journal {path}: another program has locked it ({text}); {_KEPT}",
            hint="end that program, such as a backup or a shell of SQLite, and run the same command again",
        )
    return JournalError(
        f"cannot use the journal {path}: {text}", hint="check its permissions, or name another file with --journal"
    )


def unsupported(path: str, what: str) -> JournalError:
    """Return the error for a file system that lacks something that SQLite needs."""
    return JournalError(
        f"cannot use the journal {path}: its file system or folder does not allow {what}",
        hint="name a file on a local file system with --journal",
    )


def from_os_error(error: OSError, path: str) -> JournalError:
    """Return the error for the user."""
    if error.errno in NO_DESCRIPTORS:
        return _descriptors(path)
    if error.errno in _FULL:
        return _full(path)
    return JournalError(
        f"cannot use the journal {path}: {error.strerror or error}", hint="name another file with --journal"
    )


def _reached_size_limit(path: str) -> int | None:
    """Return the limit on the size of files if the journal or its log is near it, None otherwise."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return None
    sizes = [0]
    for name in (path, path + "-wal"):
        with contextlib.suppress(OSError):
            sizes.append(os.path.getsize(name))
    return limit if limit - max(sizes) < _LARGEST_WRITE else None


def _full(path: str) -> FullDiskError:
    return FullDiskError(
        f"the disk of the journal {path} is full; {_KEPT}", hint="free some space and run the same command again"
    )


def _descriptors(path: str) -> JournalError:
    return JournalError(
        f"cannot use the journal {path}: {OUT_OF_DESCRIPTORS}",
        hint=f"{DESCRIPTORS_HINT}, and run the same command again",
    )


def _out_of_descriptors() -> bool:
    """Return whether too few descriptors are left for SQLite, which does not report why it cannot open a file."""
    opened: list[int] = []
    try:
        for _ in range(_SQLITE_OPENS):
            opened += [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
    except OSError as error:
        return error.errno in NO_DESCRIPTORS
    finally:
        for fd in opened:
            os.close(fd)
    return False


def _earlier_copy(path: str) -> str | None:
    """Return an existing copy of the same damaged file: without it, every command would make another copy."""
    with contextlib.suppress(OSError):
        now = os.stat(path)
        for copy in glob.glob(glob.escape(path) + ".damaged-*"):
            then = os.stat(copy)
            if (then.st_size, then.st_mtime_ns) == (now.st_size, now.st_mtime_ns):
                return copy
    return None


def damaged(path: str, text: str) -> DamagedJournalError:
    """Copy a damaged journal, and return the error for the user."""
    path = os.path.realpath(path)  # the log is beside the file, not beside a link to it
    copy = _earlier_copy(path) or f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
    kept = f"a copy is kept at {copy}"
    try:
        for side in ("", "-wal"):
            has_content = os.path.exists(path + side) and (not side or os.path.getsize(path + side))
            if has_content and not os.path.exists(copy + side):
                _copy(path + side, copy + side)
    except OSError as error:
        kept = f"a copy could not be made: {error.strerror or error}"
    return DamagedJournalError(
        f"the journal {path} is damaged ({text}); {kept}, and nothing was overwritten",
        hint="restore it from a backup; or move it away, and every file is uploaded again",
    )


def _copy(path: str, copy: str) -> None:
    """Copy a file with its times. The copy is private from the start, and never written through a link."""
    with open(path, "rb") as source, open(copy, "xb", opener=open_private) as target:
        shutil.copyfileobj(source, target)
        target.flush()
        times = os.fstat(source.fileno())
        os.utime(target.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
