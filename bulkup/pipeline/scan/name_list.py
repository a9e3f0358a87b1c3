"""Reading a list of names (`files_from`) from a file or a pipe, as the names arrive."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from typing import IO

from bulkup.errors import UsageError

BLOCK = 64 * 1024  # bytes read at once
_POLL_MS = 50


def listed_names(place: str, *, null: bool, block: int = BLOCK) -> Iterator[bytes | None]:
    """Yield the names of a list, one per line or with `null` NUL-terminated; `-` is standard input.

    Yields None while a pipe is empty. Empty names are skipped. Raises `UsageError` if the list cannot be read, or holds
    NUL bytes without `null`.
    """
    end = b"\0" if null else b"\n"
    try:
        if place == "-":  # it stays open: a socket that took descriptor 0 would confuse libuv and other programs
            yield from _split(sys.stdin.buffer, end, block)
            return
        with open(place, "rb") as stream:
            yield from _split(stream, end, block)
    except OSError as error:
        raise UsageError(f"cannot read the list of files {place}: {error.strerror or error}") from error


def _split(stream: IO[bytes], end: bytes, size: int) -> Iterator[bytes | None]:
    rest, ready = b"", select.poll()
    ready.register(stream, select.POLLIN)
    while True:
        if not ready.poll(_POLL_MS):
            yield None  # the pipe is empty: earlier names can be handed on, and the run can be stopped
            continue
        block = os.read(stream.fileno(), size)
        if not block:
            break
        if end != b"\0" and b"\0" in block:
            raise UsageError(
                "the list of files contains NUL bytes, which file names cannot contain", hint="is --null missing?"
            )
        *names, rest = (rest + block).split(end)
        yield from (name for name in names if name)
    if rest:
        yield rest
