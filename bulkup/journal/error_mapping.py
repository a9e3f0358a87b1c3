"""Turns errors of SQLite and the system into `JournalError`, and keeps a copy of a damaged journal."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import sqlite3
import time

from bulkup.errors import JournalError
from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS
from bulkup.helpers.private_files import open_private

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SQLITE_OPENS = 5  # descriptors at most, at once: the file, its log, index and rollback journal, its folder
_KEPT = "no recorded row is lost"


def from_sqlite(error: sqlite3.DatabaseError, path: str) -> JournalError:
    """Return the error for the user. A damaged file is copied."""
    text = str(error)
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "malformed" in text:
        return _damaged(path, text)
    if kind == sqlite3.SQLITE_FULL:
        return _full(path)
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
    return JournalError(
        f"cannot use the journal {path}: {text}", hint="check its permissions, or name another file with --journal"
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


def _full(path: str) -> JournalError:
    return JournalError(
        f"the disk of the journal {path} is full; {_KEPT}", hint="free some space and run the same command again"
    )


def _descriptors(path: str) -> JournalError:
    return JournalError(
        f"cannot use the journal {path}: {OUT_OF_DESCRIPTORS}",
        hint=f"{DESCRIPTORS_HINT}, and run the same command again",
    )


def _out_of_descriptors() -> bool:
    """Say whether too few descriptors are left for SQLite, which does not report why it cannot open a file."""
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


def _damaged(path: str, text: str) -> JournalError:
    copy = _earlier_copy(path) or f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
    kept = f"a copy is kept at {copy}"
    try:
        for side in ("", "-wal"):
            if os.path.exists(path + side):
                os.close(open_private(copy + side, os.O_WRONLY))
                shutil.copy2(path + side, copy + side)
                os.chmod(copy + side, 0o600)
    except OSError as error:
        kept = f"a copy could not be made: {error.strerror or error}"
    return JournalError(
        f"the journal {path} is damaged ({text}); {kept}, and nothing was overwritten",
        hint="restore it from a backup; or move it away, and every file is uploaded again",
    )
