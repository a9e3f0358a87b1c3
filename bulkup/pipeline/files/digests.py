"""Hashing files ahead of sending them, many small files in one visit to a thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import anyio

from bulkup.model.files import Digest, FoundFile, Identity
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.opening import CHUNK, READING, ReadingOptions, compare, file_problems, open_settled

Hashed = tuple[Digest, Identity] | Problem | None


async def digests_of(
    files: Sequence[FoundFile],
    limiter: anyio.CapacityLimiter,
    opener: FileOpener,
    *,
    stopped: Callable[[], bool] = lambda: False,
    options: ReadingOptions = READING,
) -> list[Hashed]:
    """Hash files in one visit to a thread; return for each file, in order, one of:

    - its digest and identity,
    - a problem, if it changed meanwhile or cannot be read,
    - None, if `stopped` returned True before its end.
    """
    return await anyio.to_thread.run_sync(
        lambda: [_hashed(file, opener, stopped, options) for file in files], limiter=limiter
    )


def _hashed(file: FoundFile, opener: FileOpener, stopped: Callable[[], bool], options: ReadingOptions) -> Hashed:
    try:
        return None if stopped() else _digest_of(file, opener, stopped, options)
    except ProblemError as error:
        return error.problem


def _digest_of(
    file: FoundFile, opener: FileOpener, stopped: Callable[[], bool], options: ReadingOptions
) -> tuple[Digest, Identity] | None:
    stream, opened = open_settled(file, opener, options)
    md5, left = hashlib.md5(usedforsecurity=False), opened.size
    with stream, file_problems():
        # One byte more than expected: else a file that grows while it is read would never end.
        while chunk := stream.read(min(CHUNK, left + 1)):
            if stopped():
                return None
            md5.update(chunk)
            left -= len(chunk)
            if left < 0:
                break
        compare(stream.fileno(), opened, opener)
    if left:
        raise ProblemError(Problem(ProblemKind.CHANGED, "its number of bytes differs from its size"))
    return Digest(md5.digest()), opened
