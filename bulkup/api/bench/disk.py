"""Measures how fast the user's own files can be read and hashed, with a sample of them."""

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

_MAX_FILES = 2000
_MAX_BYTES = 1 << 30
_MAX_SECONDS = 10.0
_BLOCK = 1 << 20
_READERS = 8  # the number of threads that read small files in a run


def measure_disk(sources: Sequence[Source], stop: threading.Event) -> DiskSpeed | None:
    """Read files of these sources for up to 10 seconds and return the speed, None if no file was read.

    Where the system allows it, the files are first removed from its page cache. Unreadable files do not count. The call
    blocks; `stop` ends it early.
    """
    paths = list(_sample(sources))
    for path in paths:
        _drop_from_cache(path)
    begun = time.monotonic()

    def may_continue() -> bool:
        return not stop.is_set() and time.monotonic() < begun + _MAX_SECONDS

    with ThreadPoolExecutor(_READERS) as pool:
        read = [size for size in pool.map(lambda path: _read(path, may_continue), paths) if size is not None]
    cached = not hasattr(os, "posix_fadvise")
    return DiskSpeed(len(read), sum(read), time.monotonic() - begun, cached) if read else None


def _sample(sources: Sequence[Source]) -> Iterator[bytes]:
    left = _MAX_BYTES
    for number, path in enumerate(path for source in sources for path in _files(source)):
        if number >= _MAX_FILES or left <= 0:
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


def _drop_from_cache(path: bytes) -> None:
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(path: bytes, may_continue: Callable[[], bool]) -> int | None:
    """Return the number of bytes read and hashed, None if there were none."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        with open(path, "rb", buffering=0) as file:
            while may_continue() and (block := file.read(_BLOCK)):
                digest.update(block)
                size += len(block)
    except OSError:
        return None
    return size or None
