"""Checks the journal and its lock as files, before SQLite or `flock` uses them.

SQLite finds the write-ahead log by the journal's name. A file with two names would have two logs, and two runs would
destroy it. The lock would be split too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat

from bulkup.errors import JournalError

_OF_SQLITE = ("-wal", "-shm", "-journal")
SIDE_FILES = (*_OF_SQLITE, ".lock")
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not block the command
_PATH_ONLY = getattr(os, "O_PATH", 0)  # closing such a descriptor does not release SQLite's locks on the file
_OWNER, _OTHERS = 0o700, 0o077


def open_own_file(path: str) -> int:
    """Open or create the journal or its lock for writing, and return its descriptor.

    The file must be a regular file with one name. Its mode is corrected to 0600 if it belongs to this user.

    Raises `JournalError` for any other file, and OSError.
    """
    _refuse_special(path)  # before it is opened: opening a device can have effects
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _is_link(path) from error
    try:
        _check_names(path, os.fstat(fd), fd)
        _make_private(path, fd)
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_for_reading(path: str) -> None:
    """Raise `JournalError` if an existing journal has a second name, because its log may have that name."""
    real = os.path.realpath(path)
    _check_existing(real)
    check_side_files(real)


def check_side_files(path: str) -> None:
    """Raise `JournalError` if a file that SQLite uses beside the journal is not a regular file with one name.

    SQLite would wait for a pipe without end, and write into a file that belongs to another journal.
    """
    for end in _OF_SQLITE:
        _check_existing(os.path.realpath(path) + end)


def make_side_files_private(path: str) -> None:
    """Correct the modes of the log and its index. SQLite creates them with the mode of the journal. Raises OSError.

    They are not opened: closing one would release the locks that SQLite holds on it.
    """
    for end in SIDE_FILES:
        name = os.path.realpath(path) + end
        with contextlib.suppress(FileNotFoundError):
            found = os.lstat(name)
            if stat.S_ISREG(found.st_mode) and found.st_mode & _OTHERS and found.st_uid == os.geteuid():
                os.chmod(name, 0o600)


def is_file_of_journal(path: str, journal: str) -> bool:
    """Return whether a path leads to a journal or one of its side files, also through links."""
    real = os.path.realpath(journal)
    names = [real, *(real + end for end in SIDE_FILES)]
    if os.path.realpath(path) in names:
        return True
    for name in names:
        with contextlib.suppress(OSError):
            if os.path.samefile(path, name):
                return True
    return False


def _check_existing(path: str) -> None:
    """Check a file without opening it: that can have effects, and closing it would release SQLite's locks on it."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        _refuse_special(path)
        if not _PATH_ONLY:
            _check_names(path, os.stat(path), None)
            return
        fd = os.open(path, _PATH_ONLY | os.O_CLOEXEC)
        try:
            _check_names(path, os.fstat(fd), fd)
        finally:
            os.close(fd)


def _refuse_special(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise _is_link(path)
        if not stat.S_ISREG(mode):
            raise JournalError(f"cannot use the journal {path}: it is not a regular file", hint=_not_regular_hint(path))


def _not_regular_hint(path: str) -> str:
    if path.endswith(SIDE_FILES):
        return "move it away; bulkup creates a file there"
    return "name another file with --journal"


def _is_link(path: str) -> JournalError:
    return JournalError(
        f"cannot use {path}: it is a symbolic link", hint="remove the link; bulkup creates a file there"
    )


def _check_names(path: str, found: os.stat_result, fd: int | None) -> None:
    if found.st_nlink > 1:
        raise JournalError(
            f"cannot use {path}: the file has {found.st_nlink} names (hard links), and a journal must have one",
            hint="while no run uses it, replace this name by a copy: cp FILE FILE.copy && mv FILE.copy FILE",
        )
    if fd is not None and _is_mount_point(path, fd):
        raise JournalError(
            f"cannot use {path}: the file itself is a mount point, so its log would not be beside it",
            hint="mount the journal's folder instead of the file",
        )


def _is_mount_point(path: str, fd: int) -> bool:
    """Return whether a file is mounted apart from its folder, as containers do with single files."""
    try:
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _mount_id(fd) != _mount_id(folder)
    finally:
        os.close(folder)


def _mount_id(fd: int) -> str | None:
    """Return the number of the mount that a descriptor belongs to, None where the system does not tell."""
    with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{fd}", encoding="ascii", errors="replace") as lines:
        found = re.search(r"^mnt_id:\s*(\d+)", lines.read(), re.MULTILINE)
        return found[1] if found else None
    return None


def _make_private(path: str, fd: int) -> None:
    """Set mode 0600. Another user may own the file only if no other user can read it.

    SQLite gives its log the mode of the journal, but 0644 if that is 0.
    """
    found = os.fstat(fd)
    if found.st_mode & _OWNER and not found.st_mode & _OTHERS:
        return
    if found.st_mode & _OTHERS and found.st_uid != os.geteuid():
        raise JournalError(
            f"cannot use {path}: it belongs to another user, and others can read it",
            hint="change its owner, and set its mode to 0600; or name another file with --journal",
        )
    with contextlib.suppress(PermissionError):
        os.fchmod(fd, 0o600)
    if os.fstat(fd).st_mode & _OTHERS:
        raise JournalError(
            f"cannot use {path}: other users can read it, and its file system does not let its mode be changed",
            hint="mount that file system with umask=077, or name a file on another one with --journal",
        )
