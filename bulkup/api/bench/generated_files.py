"""The files that a bench uploads: different random bytes in each file, which cannot be compressed on the way."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Final

import anyio

_BLOCK = 1024**2
EXTENSION: Final = "mp4"  # every built-in service accepts it


def file_sizes(count: int, sizes: Sequence[int]) -> Iterator[int]:
    """Yield the sizes of `count` files: the given sizes in turn."""
    return itertools.islice(itertools.cycle(sizes), count)


def total_size(count: int, sizes: Sequence[int]) -> int:
    """Return the total size of `count` files."""
    rounds, rest = divmod(count, len(sizes))
    return rounds * sum(sizes) + sum(sizes[:rest])


async def make_files(folder: str, prefix: str, count: int, sizes: Sequence[int], extension: str = EXTENSION) -> None:
    """Make a directory with `count` files. `prefix` makes their names differ from those of other trials.

    Raises OSError, for example if the disk is full.
    """
    os.mkdir(folder)
    for number, size in enumerate(file_sizes(count, sizes), start=1):
        path = os.path.join(folder, with_extension(f"{prefix}-{number:06}", extension))
        await anyio.to_thread.run_sync(_write, path, size)


def with_extension(stem: str, extension: str) -> str:
    """Return the name of a file, without a dot if the extension is empty."""
    return f"{stem}.{extension}" if extension else stem


def _write(path: str, size: int) -> None:
    with open(path, "xb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, _BLOCK)))
