"""Opens files by a path below an open folder, without following a link anywhere in the path.

A path is looked up anew at each use. If one of its folders was replaced by a link meanwhile, the path leads elsewhere:
`O_NOFOLLOW` concerns only its last part. Linux from 5.6 on looks up a whole path without links in one call, openat2(2).
Elsewhere, and where a sandbox refuses that call, the folders are opened one after the other.

Paths may be longer than the system's limit (PATH_MAX).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import sys
from collections.abc import Callable

FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC  # to open its entries, not to list them
_OPENAT2 = 437  # of asm-generic/unistd.h
_BENEATH_WITHOUT_LINKS = 0x08 | 0x04  # RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS of linux/openat2.h
_PIECE = 1000  # bytes of a path that are looked up at once; every system allows more

OpenAt = Callable[[int, bytes, int], int]


def open_beneath(folder: int, path: bytes, flags: int, *, follow: bool = False) -> int:
    """Open a path below a folder, and return the descriptor. Raises OSError, with ELOOP if it leads through a link.

    With `follow`, links are followed, also out of the folder.
    """
    if follow:
        return _in_pieces(_open_following, folder, path, flags)
    if b"/" not in path:
        return _open_part(folder, path, flags)
    open_at = openat2() or open_stepwise
    return open_at(folder, path, flags) if len(path) <= _PIECE else _in_pieces(open_at, folder, path, flags)


def stat_beneath(folder: int, path: bytes, *, follow: bool = False) -> os.stat_result:
    """Return the `stat` of a path below a folder. Raises OSError as `open_beneath` does."""
    above, _, name = path.rpartition(b"/")
    at = open_beneath(folder, above, FOLDER, follow=follow) if above else folder
    try:
        found = os.stat(name, dir_fd=at, follow_symlinks=follow)
    finally:
        if at != folder:
            os.close(at)
    if stat.S_ISLNK(found.st_mode):
        raise _loop(path)
    return found


@functools.cache
def openat2() -> OpenAt | None:
    """Return the system call, None where this system has none."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(ImportError, OSError, AttributeError):
        call = _make_openat2()
        root = os.open(b"/", FOLDER)
        try:
            os.close(call(root, b".", FOLDER))
        finally:
            os.close(root)
        return call
    return None


def _make_openat2() -> OpenAt:
    import ctypes  # noqa: PLC0415  # commands that open no user's file start without it

    class How(ctypes.Structure):
        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    size, get_errno = ctypes.sizeof(How), ctypes.get_errno
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    system_call.restype = ctypes.c_long
    system_call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    hows, kept = dict[int, int](), list[How]()  # addresses are converted faster than structures

    def call(folder: int, path: bytes, flags: int) -> int:
        how = hows.get(flags)
        if how is None:
            kept.append(How(flags, 0, _BENEATH_WITHOUT_LINKS))
            how = hows[flags] = ctypes.addressof(kept[-1])
        fd: int = system_call(_OPENAT2, folder, path, how, size)
        while fd < 0:
            code = get_errno()
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code), path)
            fd = system_call(_OPENAT2, folder, path, how, size)
        return fd

    return call


def open_stepwise(folder: int, path: bytes, flags: int) -> int:
    """Open a path below a folder, one part after the other. Raises OSError as `open_beneath` does."""
    *folders, name = path.split(b"/")
    if b".." in folders or name == b"..":
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    at = folder
    try:
        for part in folders:
            below = _open_part(at, part, FOLDER)
            if at != folder:
                os.close(at)
            at = below
        return _open_part(at, name, flags)
    finally:
        if at != folder:
            os.close(at)


def _open_part(folder: int, name: bytes, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError:  # the error for a link where a directory is wanted
        if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
            raise _loop(name) from None
        raise


def _open_following(folder: int, path: bytes, flags: int) -> int:
    return os.open(path, flags, dir_fd=folder)


def _in_pieces(open_at: OpenAt, folder: int, path: bytes, flags: int) -> int:
    """Open a path of any length: a long one is looked up in pieces."""
    at = folder
    try:
        while len(path) > _PIECE and (cut := path.rfind(b"/", 0, _PIECE)) > 0:
            below = open_at(at, path[:cut], FOLDER)
            if at != folder:
                os.close(at)
            at, path = below, path[cut + 1 :]
        return open_at(at, path, flags)
    finally:
        if at != folder:
            os.close(at)


def _loop(path: bytes) -> OSError:
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
