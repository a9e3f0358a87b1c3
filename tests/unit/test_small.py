"""Reading small files: by the event loop if they are in memory, else by a thread."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from found_files import found

from bulkup.model.files import Source
from bulkup.pipeline.files import small
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.opening import ReadingOptions
from bulkup.pipeline.files.slow_devices import OpenOptions, SlowDevices
from bulkup.pipeline.files.small import SmallFileReader

CONTENT = bytes(range(256)) * 4


@pytest.mark.parametrize("fault", [BlockingIOError(errno.EAGAIN, "not in memory"), OSError(errno.EOPNOTSUPP, "no")])
async def test_a_file_that_is_not_in_memory_is_read_in_a_thread(
    tmp_path: Path, fault: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a file of a file system that does not know `RWF_NOWAIT`."""
    file = found(tmp_path / "a", CONTENT)

    def preadv(*_: Any) -> int:
        raise fault

    monkeypatch.setattr(os, "preadv", preadv)
    reader = SmallFileReader(
        2, FileOpener(), SlowDevices(lambda _: False), options=ReadingOptions(clock_step=0.0, nowait=8)
    )
    assert (await reader.read(file)).data == CONTENT


async def test_a_file_system_in_memory_is_read_without_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it does not know `RWF_NOWAIT`, the first file shows it, and later files are read without the flag."""
    flags = []

    def preadv(fd: int, buffers: list[bytearray], offset: int, flag: int) -> int:
        flags.append(flag)
        if flag:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return os.readv(fd, buffers)

    monkeypatch.setattr(os, "preadv", preadv, raising=False)
    monkeypatch.setattr(small, "lies_in_memory", lambda device: True)
    options = ReadingOptions(clock_step=0.0, long_clock_step=0.0, nowait=8)
    reader, file = (
        SmallFileReader(2, FileOpener(), SlowDevices(lambda _: False), options=options),
        found(tmp_path / "a", CONTENT),
    )
    bodies = [await reader.read(file) for _ in range(3)]
    assert flags == [8, 0, 0]
    assert all(body.data == CONTENT for body in bodies)


class ThreadsOfOpens(FileOpener):
    """Records the threads that open files. With `gate`, an open waits for it."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []
        self.gate = gate

    def open(self, source: Source, path: bytes) -> int:
        self.threads.append(threading.current_thread())
        if self.gate is not None:
            assert self.gate.wait(60)
        return super().open(source, path)


async def test_files_of_a_device_that_turns_out_to_be_slow_are_opened_by_threads(tmp_path: Path) -> None:
    opener, slow = ThreadsOfOpens(), SlowDevices(lambda _: False, OpenOptions(stalled=0.0, slow=0.0, pause=1e9))
    reader = SmallFileReader(2, opener, slow, options=ReadingOptions(clock_step=0.0))
    files = [found(tmp_path / f"{number}", CONTENT) for number in range(4)]
    assert [(await reader.read(file)).data for file in files] == [CONTENT] * 4
    of_loop = [thread is threading.current_thread() for thread in opener.threads]
    assert of_loop[0]
    assert not any(of_loop[-3:])


async def test_an_open_that_hangs_stops_nothing_else(tmp_path: Path) -> None:
    """On a file system of another machine."""
    opener = ThreadsOfOpens(threading.Event())
    reader = SmallFileReader(2, opener, SlowDevices(lambda _: True), options=ReadingOptions(clock_step=0.0))
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(reader.read(found(tmp_path / "a", CONTENT)))
        while not opener.threads:
            await asyncio.sleep(0.001)
        assert opener.gate is not None
        opener.gate.set()  # only a loop that still runs gets here
    assert reading.result().data == CONTENT
