"""Reading a list of names (`files_from`), from a file or a pipe, as far as there is one at the time."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from typing import IO

from bulkup.errors import UsageError

_BLOCK = 64 * 1024
_PATIENCE_MS = 50


def listed_names(place: str, *, null: bool) -> Iterator[bytes | None]:
    """Yield the names of a list, one a line or NUL-terminated; `-` is standard input. Empty names are passed over.

    Raises `UsageError` when the list cannot be read, or ends its names with NUL and was not said to.
    """
    end = b"\0" if null else b"\n"
    try:
        with sys.stdin.buffer if place == "-" else open(place, "rb") as stream:
            yield from _split(stream, end)
    except OSError as error:
        raise UsageError(f"cannot read the list of files {place}: {error.strerror or error}") from error


def _split(stream: IO[bytes], end: bytes) -> Iterator[bytes | None]:
    rest, ready = b"", select.poll()
    ready.register(stream, select.POLLIN)
    while True:
        if not ready.poll(_PATIENCE_MS):
            yield None  # a pipe with nothing in it: names that came go on, and the run can be stopped
            continue
        block = os.read(stream.fileno(), _BLOCK)
        if not block:
            break
        if end != b"\0" and b"\0" in block:
            raise UsageError("the list of files holds NUL bytes, which no name does", hint="is --null missing?")
        *names, rest = (rest + block).split(end)
        yield from (name for name in names if name)
    if rest:
        yield rest
