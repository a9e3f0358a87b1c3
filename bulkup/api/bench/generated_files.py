"""The files that a bench uploads: random bytes, each file its own, which nothing on the way can make smaller."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Final

import anyio

_BLOCK = 1024**2
EXTENSION: Final = "mp4"  # every provider takes it


def file_sizes(count: int, sizes: Sequence[int]) -> Iterator[int]:
    """Yield the sizes of so many files, the given ones by turns."""
    return itertools.islice(itertools.cycle(sizes), count)


def total_size(count: int, sizes: Sequence[int]) -> int:
    """Return the bytes of so many files."""
    rounds, rest = divmod(count, len(sizes))
    return rounds * sum(sizes) + sum(sizes[:rest])


async def make_files(folder: str, prefix: str, count: int, sizes: Sequence[int]) -> None:
    """Fill a new directory. `prefix` keeps the names apart from those of other trials, at the service too.

    Raises OSError when the disk is full.
    """
    os.mkdir(folder)
    for number, size in enumerate(file_sizes(count, sizes), start=1):
        path = os.path.join(folder, f"{prefix}-{number:06}.{EXTENSION}")
        await anyio.to_thread.run_sync(_write, path, size)


def _write(path: str, size: int) -> None:
    with open(path, "xb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, _BLOCK)))
