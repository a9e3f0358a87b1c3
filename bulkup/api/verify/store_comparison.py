"""Compares uploads with what the service says that it has, or with the bytes that it returns."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import anyio

from bulkup.api.verify.store_access import StoreAccess
from bulkup.model.files import Digest
from bulkup.model.problems import Problem
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.verify_results import StoreAnswer, StoreState
from bulkup.pipeline.files.hashing import RunningDigests

# An upload to read back, and the digest of its bytes: the recorded one or that of the file on disk, else None.
ExpectedUpload = tuple[Upload, Digest | None]


def compare_stored(upload: Upload, found: StoredObject | None, now: float) -> StoreAnswer:
    """Compare an upload with what the service has of it. Pure."""
    if found is None:
        return _missing(upload, now)
    if found.size is not None and found.size != upload.size:
        return StoreAnswer(StoreState.DIFFERENT, f"the service has {found.size:,} bytes, not {upload.size:,}")
    own, there = upload.digest, found.digest
    if own is not None and there is not None and own.algorithm == there.algorithm:
        if own == there:
            return StoreAnswer(StoreState.SAME)
        return StoreAnswer(StoreState.DIFFERENT, f"the service has the checksum {there.text}, not {own.text}")
    etag = upload.remote.get("etag") or upload.etag
    if etag and found.etag and str(etag).strip('"') != found.etag:
        return StoreAnswer(
            StoreState.DIFFERENT, f"the service has another version: its ETag is {found.etag}, not {etag}"
        )
    return StoreAnswer(StoreState.SAME)


class StoreComparison:
    """Asks for uploads, several calls at a time. `now` is Unix time."""

    def __init__(self, access: StoreAccess, now: float) -> None:
        self._access = access
        self._now = now

    async def ask(self, uploads: Sequence[Upload]) -> list[StoreAnswer]:
        """Return the answer for each upload. Raises `ServiceError`."""
        size = self._access.provider.capabilities.stored_at_once
        groups = [uploads[start : start + size] for start in range(0, len(uploads), size)]
        answers: list[list[StoreAnswer]] = [[] for _ in groups]
        limiter = anyio.CapacityLimiter(self._access.calls_at_once)

        async def ask_group(number: int) -> None:
            async with limiter:
                answers[number] = await self._ask_group(groups[number])

        async with anyio.create_task_group() as tasks:
            for number in range(len(groups)):
                tasks.start_soon(ask_group, number)
        return [answer for group in answers for answer in group]

    async def read_back(self, uploads: Sequence[ExpectedUpload]) -> list[StoreAnswer]:
        """Read the bytes of each upload, and return how they compare. Raises `ServiceError`."""
        answers = [StoreAnswer(StoreState.UNKNOWN)] * len(uploads)
        limiter = anyio.CapacityLimiter(self._access.calls_at_once)

        async def read(number: int) -> None:
            async with limiter:
                answers[number] = await self._read(uploads[number])

        async with anyio.create_task_group() as tasks:
            for number in range(len(uploads)):
                tasks.start_soon(read, number)
        return answers

    async def _ask_group(self, uploads: Sequence[Upload]) -> list[StoreAnswer]:
        stored = functools.partial(self._access.provider.stored, uploads, self._access.call)
        found = await self._access.repeated(stored)
        if isinstance(found, Problem):
            return [StoreAnswer(StoreState.UNKNOWN, found.message)] * len(uploads)
        return [compare_stored(upload, one, self._now) for upload, one in zip(uploads, found, strict=True)]

    async def _read(self, expected: ExpectedUpload) -> StoreAnswer:
        read = await self._access.repeated(functools.partial(self._read_once, expected))
        if isinstance(read, Problem):
            return StoreAnswer(StoreState.UNKNOWN, read.message)
        return read

    async def _read_once(self, expected: ExpectedUpload) -> StoreAnswer:
        """Read an upload once, with a new URL. Raises `ProblemError`."""
        (upload, digest), access = expected, self._access
        download = await access.provider.read_back(upload, access.call)
        if download is None:
            return _missing(upload, self._now)
        size, running = 0, RunningDigests(() if digest is None else (digest.algorithm,))

        def feed(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            running.update(chunk)

        if not await access.reader.read(download, feed):
            return _missing(upload, self._now)
        if size != upload.size:
            return StoreAnswer(StoreState.DIFFERENT, f"the service returned {size:,} bytes, not {upload.size:,}")
        if digest is None:
            return StoreAnswer(StoreState.UNKNOWN, "the size is right, and no checksum is known to compare with")
        (found,) = running.digests()
        if found == digest:
            return StoreAnswer(StoreState.SAME)
        text = f"the bytes that the service returned have the checksum {found.text}, not {digest.text}"
        return StoreAnswer(StoreState.DIFFERENT, text)


def _missing(upload: Upload, now: float) -> StoreAnswer:
    if upload.kept_until is not None and upload.kept_until <= now:
        return StoreAnswer(StoreState.EXPIRED, "the service keeps uploads for a time, which is over")
    return StoreAnswer(StoreState.MISSING, "the service does not have it")
