"""Output files: the old file is kept until the new one is complete, and a journal is never replaced."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

from bulkup.errors import UsageError
from bulkup.journal import SIDE_FILES, is_file_of_journal

_SQLITE = b"SQLite format 3\0"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def output_file(path: str, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a file. A regular file is replaced when the new one is complete, anything else is opened.

    The new file has a random name beside the target until then, so no other file can be met or overwritten. If `path`
    is a symbolic link, the file behind it is replaced. A new file gets `mode` without the bits of the umask, and one
    that is replaced keeps its own. Raises OSError.
    """
    target = os.path.realpath(path)
    try:
        before = os.stat(target)
    except FileNotFoundError:
        before = None
    if before is not None and not stat.S_ISREG(before.st_mode):
        # A pipe or a device cannot be replaced. Nothing is created if it is gone by now.
        with open(os.open(target, os.O_WRONLY | os.O_CLOEXEC), "wb") as stream:
            yield stream
        return
    unfinished = os.path.join(os.path.dirname(target), f".bulkup-{secrets.token_hex(8)}.unfinished")
    with open(os.open(unfinished, _NEW, mode), "wb") as stream:
        try:
            if before is not None:
                with contextlib.suppress(PermissionError):
                    os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode))
            yield stream
            stream.close()
            os.replace(unfinished, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            raise


def refuse_journals(path: str, journal: str, *, option: str = "--output") -> None:
    """Raise UsageError if an output file would replace this journal, another one, or a file that belongs to one."""
    if is_file_of_journal(path, journal):
        raise UsageError(f"{option}: {path} belongs to the journal {journal}", hint="name another file")
    target = os.path.realpath(path)
    bases = [target, *(target.removesuffix(end) for end in SIDE_FILES if target.endswith(end))]
    if any(map(_is_database, bases)):
        raise UsageError(f"{option}: {path} is a database or belongs to one", hint="name another file, or remove it")


def _is_database(path: str) -> bool:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb", buffering=0) as file:
            return stat.S_ISREG(os.fstat(fd).st_mode) and file.read(len(_SQLITE)) == _SQLITE
    return False
