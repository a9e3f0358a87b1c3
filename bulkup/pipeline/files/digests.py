"""Hashing files ahead of sending them, many small files in one visit to a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from bulkup.model.files import Algorithm, Digest, FoundFile, Identity
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.hashing import MD5_ONLY, RunningDigests
from bulkup.pipeline.files.large import FilePart
from bulkup.pipeline.files.opening import CHUNK, READING, SHORTER, ReadingOptions, compare, file_problems, open_settled

Hashed = tuple[Digest, Identity] | Problem | None


async def digests_of(
    files: Sequence[FoundFile],
    limiter: anyio.CapacityLimiter,
    opener: FileOpener,
    *,
    algorithms: Sequence[Algorithm] = (),
    stopped: Callable[[], bool] = lambda: False,
    options: ReadingOptions = READING,
) -> list[Hashed]:
    """Hash files in one visit to a thread; return for each file, in order, one of:

    - its digest and identity,
    - a problem, if it changed meanwhile or cannot be read,
    - None, if `stopped` returned True before its end.

    `algorithms` has the algorithm for each file; empty for MD5.
    """
    pairs = list(zip(files, algorithms or MD5_ONLY * len(files), strict=True))
    return await anyio.to_thread.run_sync(
        lambda: [_hashed(file, algorithm, opener, stopped, options) for file, algorithm in pairs], limiter=limiter
    )


def _hashed(
    file: FoundFile, algorithm: Algorithm, opener: FileOpener, stopped: Callable[[], bool], options: ReadingOptions
) -> Hashed:
    try:
        return None if stopped() else _digest_of(file, algorithm, opener, stopped, options)
    except ProblemError as error:
        return error.problem


def _digest_of(
    file: FoundFile, algorithm: Algorithm, opener: FileOpener, stopped: Callable[[], bool], options: ReadingOptions
) -> tuple[Digest, Identity] | None:
    stream, opened = open_settled(file, opener, options)
    running, left = RunningDigests((algorithm,)), opened.size
    with stream, file_problems():
        # One byte more than expected: else a file that grows while it is read would never end.
        while chunk := stream.read(min(CHUNK, left + 1)):
            if stopped():
                return None
            running.update(chunk)
            left -= len(chunk)
            if left < 0:
                break
        compare(stream.fileno(), opened, opener)
    if left:
        raise ProblemError(Problem(ProblemKind.CHANGED, "its number of bytes differs from its size"))
    return running.digests()[0], opened


async def digest_of_part(
    file: FoundFile,
    part: FilePart,
    algorithm: Algorithm,
    limiter: anyio.CapacityLimiter,
    opener: FileOpener,
    *,
    options: ReadingOptions = READING,
) -> Digest | Problem:
    """Hash a part of a file in a thread; return its digest, or the problem if the file changed or cannot be read."""
    return await anyio.to_thread.run_sync(_hashed_part, file, part, algorithm, opener, options, limiter=limiter)


def _hashed_part(
    file: FoundFile, part: FilePart, algorithm: Algorithm, opener: FileOpener, options: ReadingOptions
) -> Digest | Problem:
    running, left = RunningDigests((algorithm,)), part.end - part.start
    try:
        stream, opened = open_settled(file, opener, options)
        with stream, file_problems():
            stream.seek(part.start)
            while left:
                chunk = stream.read(min(CHUNK, left))
                if not chunk:
                    return SHORTER
                running.update(chunk)
                left -= len(chunk)
            compare(stream.fileno(), opened, opener)
        return running.digests()[0]
    except ProblemError as error:
        return error.problem
