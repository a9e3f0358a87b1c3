"""A cancellation while a file is on its way from the thread that opened it."""

from __future__ import annotations

import threading
from io import FileIO
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from bulkup.messages import FoundFile, Identity, Source
from bulkup.pipeline import reading


async def test_a_cancellation_while_a_file_is_opened_leaves_none_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread ends its opening after the cancellation came; what it opened is closed all the same."""
    (tmp_path / "large").write_bytes(b"x")
    found = FoundFile(Source(bytes(tmp_path)), b"large", Identity.of((tmp_path / "large").stat()))
    opened: list[FileIO] = []
    cancelled, really_open = threading.Event(), reading._open

    def open_slowly(file: FoundFile, follow_links: bool) -> tuple[FileIO, Identity]:
        result = really_open(file, follow_links)
        opened.append(result[0])
        cancelled.wait(10)
        return result

    async def consume() -> None:
        async for _ in reading.StreamedBody(found, follow_links=False).chunks():
            pass

    monkeypatch.setattr(reading, "_open", open_slowly)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        while not opened:
            await anyio.sleep(0)
        tasks.cancel_scope.cancel()
        cancelled.set()
    assert opened[0].closed
