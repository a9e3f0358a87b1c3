"""What a cancelled reader leaves behind: the HTTP client cancels its tasks in the middle of anything."""

from __future__ import annotations

import asyncio
import threading
from io import FileIO
from pathlib import Path

import pytest

from bulkup.model.files import FoundFile, Identity, Source
from bulkup.pipeline.files import large, opening


async def test_a_file_is_not_closed_while_a_thread_reads_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled reader leaves at once, and its file is closed when the read under way has ended."""
    (tmp_path / "large").write_bytes(b"x")
    found = FoundFile(Source(bytes(tmp_path)), b"large", Identity.of((tmp_path / "large").stat()))
    begun, go_on = threading.Event(), threading.Event()
    closed_during_read: list[bool] = []
    files: list[FileIO] = []

    class Slow(opening.File):
        def read(self, size: int | None = -1, /) -> bytes:
            files.append(self)
            begun.set()
            go_on.wait(10)
            closed_during_read.append(self.closed)
            return super().read(size)

    async def consume() -> None:
        async for _ in large.StreamedBody(found, follow_links=False).chunks():
            pass

    monkeypatch.setattr(opening, "File", Slow)
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
