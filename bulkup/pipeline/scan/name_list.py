"""Reading a list of names (`files_from`) from a file or a pipe, as the names arrive."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
from collections.abc import Iterator
from typing import IO

from bulkup.errors import ListError, UsageError
from bulkup.helpers.input_files import open_input

BLOCK = 64 * 1024  # bytes read at once
LONGEST = 4096  # bytes, PATH_MAX
_POLL_MS = 50


def listed_names(place: str, *, null: bool, block: int = BLOCK) -> Iterator[bytes | None]:
    """Yield the names of a list, one per line or with `null` NUL-terminated; `-` is standard input.

    Yields None while a pipe is empty. Empty names are skipped. Raises `UsageError` if the list cannot be read, or
    begins with a name that no file can have: one with NUL bytes or of more than `LONGEST` bytes. Raises `ListError` for
    such a name after others.
    """
    end = b"\0" if null else b"\n"
    try:
        if place == "-":  # it stays open: a socket that took descriptor 0 would confuse libuv and other programs
            yield from _split(sys.stdin.buffer, end, block)
            return
        with open_input(place, pipes=True) as stream:
            yield from _split(stream, end, block)
    except OSError as error:
        hint = "write the names of a named pipe to standard input: --files-from -" if _is_pipe(place) else ""
        raise UsageError(f"cannot read the list of files {place}: {error.strerror or error}", hint=hint) from error


def _is_pipe(place: str) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISFIFO(os.stat(place).st_mode)
    return False


def _split(stream: IO[bytes], end: bytes, size: int) -> Iterator[bytes | None]:
    rest, ready, names_before = b"", select.poll(), 0
    ready.register(stream, select.POLLIN)
    while True:
        if not ready.poll(_POLL_MS):
            yield None  # the pipe is empty: earlier names can be handed on, and the run can be stopped
            continue
        block = os.read(stream.fileno(), size)
        if not block:
            break
        *names, rest = (rest + block).split(end)
        for name in names:
            _check(name, names_before)
            if name:
                names_before += 1
                yield name
        _check(rest, names_before)
    if rest:
        yield rest


def _check(name: bytes, names_before: int) -> None:
    """Raise an error for a name that no file can have; `names_before` were passed on."""
    if len(name) <= LONGEST and b"\0" not in name:
        return
    if b"\0" in name:
        what, hint = "contains NUL bytes, which file names cannot contain", "is --null missing?"
    else:
        what, hint = (
            f"has a name of more than {LONGEST:,} bytes",
            "does each name end with its line, or with --null in NUL?",
        )
    if not names_before:
        raise UsageError(f"the list of files {what}", hint=hint)
    raise ListError(f"after {names_before:,} names, the list of files {what}; the rest is not read", hint=hint)
