"""How fast the user's own files can be read and hashed: a sample of them, read and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from bulkup.model.files import Source
from bulkup.reports.bench_trials import DiskSpeed

_MOST_FILES = 2000
_MOST_BYTES = 1 << 30
_LONGEST = 10.0  # seconds
_BLOCK = 1 << 20
_READERS = 8  # as many as read small files in a run


def measure_disk(sources: Sequence[Source], stop: threading.Event) -> DiskSpeed | None:
    """Read files of these sources for up to 10 seconds and return how fast that went, None where there are none.

    What the system has of them in memory is dropped before, where it can be asked to; a file that cannot be read does
    not count. It blocks; `stop` ends it early.
    """
    paths = list(_sample(sources))
    for path in paths:
        _forget(path)
    begun = time.monotonic()

    def going_on() -> bool:
        return not stop.is_set() and time.monotonic() < begun + _LONGEST

    with ThreadPoolExecutor(_READERS) as pool:
        read = [size for size in pool.map(lambda path: _read(path, going_on), paths) if size is not None]
    cached = not hasattr(os, "posix_fadvise")
    return DiskSpeed(len(read), sum(read), time.monotonic() - begun, cached) if read else None


def _sample(sources: Sequence[Source]) -> Iterator[bytes]:
    left = _MOST_BYTES
    for number, path in enumerate(path for source in sources for path in _files(source)):
        if number >= _MOST_FILES or left <= 0:
            return
        with contextlib.suppress(OSError):
            left -= os.stat(path).st_size
            yield path


def _files(source: Source) -> Iterator[bytes]:
    if source.only is not None:
        yield os.path.join(source.root, source.only)
        return
    for folder, folders, names in os.walk(source.root):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def _forget(path: bytes) -> None:
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(path: bytes, going_on: Callable[[], bool]) -> int | None:
    """Return how many bytes were read and hashed, None where there was no time for any, or none can be read."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        with open(path, "rb", buffering=0) as file:
            while going_on() and (block := file.read(_BLOCK)):
                digest.update(block)
                size += len(block)
    except OSError:
        return None
    return size or None
