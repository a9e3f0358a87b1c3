"""Large files: digests, slices, and passes that are broken off or cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
from io import FileIO
from pathlib import Path

import pytest
from found_files import found

from bulkup.model.files import Source
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.large import StreamedBody
from bulkup.pipeline.files.opening import CHUNK, File, ReadingOptions
from bulkup.pipeline.files.slow_devices import SlowDevices

LARGE = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(100_000))  # 3.05 MiB


async def test_a_file_is_not_closed_while_a_thread_reads_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled reader ends at once. Its file is closed when the read under way has ended."""
    file = found(tmp_path / "large", b"x")
    begun, go_on = threading.Event(), threading.Event()
    closed_during_read: list[bool] = []
    files: list[FileIO] = []

    def read(self: File, size: int | None = -1, /) -> bytes:
        files.append(self)
        begun.set()
        go_on.wait(10)
        closed_during_read.append(self.closed)
        return FileIO.read(self, size)

    async def consume() -> None:
        async for _ in StreamedBody(file, FileOpener()).chunks():
            pass

    monkeypatch.setattr(File, "read", read)
    task = asyncio.create_task(consume())
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()  # only now: the loop did not wait for the read
    async with asyncio.timeout(10):
        while not files[0].closed:
            await asyncio.sleep(0.001)
    assert closed_during_read == [False]


async def test_a_streamed_body_has_no_digest_before_its_end(tmp_path: Path) -> None:
    body = StreamedBody(found(tmp_path / "a", LARGE), FileOpener())
    chunks = body.chunks()
    await anext(chunks)
    assert (body.digest, body.identity) == (None, None)
    await chunks.aclose()
    assert (body.digest, body.identity) == (None, None)


async def test_a_second_pass_forgets_the_digest_of_the_first(tmp_path: Path) -> None:
    body = StreamedBody(found(tmp_path / "a", LARGE), FileOpener())
    async for _ in body.chunks():
        pass
    known = [body.digest is not None]
    again = body.chunks()
    await anext(again)
    known.append(body.digest is not None)
    await again.aclose()
    assert known == [True, False]


async def test_a_large_file_that_changes_between_two_chunks_is_noticed_before_its_end(tmp_path: Path) -> None:
    """Storage does not get all bytes, and the body keeps the reason."""
    body, sent = StreamedBody(found(tmp_path / "a", LARGE), FileOpener()), 0

    async def send() -> None:
        nonlocal sent
        async for piece in body.chunks():
            sent += len(piece)
            if sent == CHUNK:
                with (tmp_path / "a").open("ab") as file:
                    file.write(b"more")

    with pytest.raises(ProblemError) as raised:
        await send()
    assert raised.value.problem.kind is ProblemKind.CHANGED
    assert body.failure is raised.value
    assert sent < len(LARGE)
    assert body.digest is None


async def test_a_large_file_is_never_held_in_memory_whole(tmp_path: Path) -> None:
    sizes = [len(piece) async for piece in StreamedBody(found(tmp_path / "a", LARGE), FileOpener()).chunks()]
    assert max(sizes) <= CHUNK
    assert sum(sizes) == len(LARGE)


@pytest.mark.parametrize(("quick", "sizes"), [(0.0, {CHUNK // 4}), (1e9, {CHUNK // 4, CHUNK})], ids=["slow", "quick"])
async def test_after_a_quick_chunk_the_next_is_sent_in_one_piece(tmp_path: Path, quick: float, sizes: set[int]) -> None:
    """On a slow link progress has to show within a chunk."""
    options = ReadingOptions(quick=quick)
    body = StreamedBody(found(tmp_path / "a", bytes(3 * CHUNK)), FileOpener(), options=options)
    assert {len(piece) async for piece in body.chunks()} == sizes


async def test_a_file_on_a_slow_device_is_opened_by_a_thread_and_closed_after_a_cancellation(tmp_path: Path) -> None:
    """The HTTP client may cancel the task in the middle."""
    gate, begun, opened = threading.Event(), threading.Event(), list[int]()

    class Waiting(FileOpener):
        def open(self, source: Source, path: bytes) -> int:
            begun.set()
            assert gate.wait(60)
            opened.append(super().open(source, path))
            return opened[-1]

    file = found(tmp_path / "a", bytes(2 * CHUNK))
    slow = SlowDevices(lambda _: True)
    body = StreamedBody(file, Waiting(), slow)
    async with contextlib.aclosing(body.chunks()) as chunks:
        reading = asyncio.ensure_future(anext(chunks))
        await asyncio.to_thread(begun.wait)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    gate.set()
    await wait_until_closed(opened)
    whole = [bytes(piece) async for piece in StreamedBody(file, FileOpener(), slow).chunks()]
    assert b"".join(whole) == bytes(2 * CHUNK)


async def wait_until_closed(descriptors: list[int]) -> None:
    while True:
        await asyncio.sleep(0.001)
        with contextlib.suppress(IndexError):
            try:
                os.fstat(descriptors[0])
            except OSError:
                return
