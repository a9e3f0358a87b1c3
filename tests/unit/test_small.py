"""Reading small files: by the event loop if they are in memory, else by a thread."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from found_files import found

from bulkup.pipeline.files import small
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.opening import ReadingOptions
from bulkup.pipeline.files.small import SmallFileReader, lies_in_memory

CONTENT = bytes(range(256)) * 4

MOUNTS = """\
22 28 0:21 / /proc rw,relatime shared:12 - proc proc rw
28 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
31 28 0:25 / /a\\040-\\040b rw shared:3 master:2 - tmpfs tmpfs rw,size=1k
32 28 0:26 / /net rw - nfs4 host:/tmpfs rw
33 28 0:27 / /bare rw - ramfs ramfs rw
"""


@pytest.mark.parametrize(
    ("device", "in_memory"),
    [((0, 25), True), ((0, 27), True), ((8, 2), False), ((0, 26), False), ((0, 2), False), ((9, 9), False)],
)
def test_file_systems_in_memory_are_known_by_type(tmp_path: Path, device: tuple[int, int], in_memory: bool) -> None:
    """By the whole device number and the type, and by nothing else in the line."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert lies_in_memory(os.makedev(*device), str(mounts)) is in_memory


def test_without_a_list_no_file_system_lies_in_memory(tmp_path: Path) -> None:
    """As on macOS."""
    assert not lies_in_memory(os.makedev(0, 25), str(tmp_path / "none"))


@pytest.mark.parametrize("fault", [BlockingIOError(errno.EAGAIN, "not in memory"), OSError(errno.EOPNOTSUPP, "no")])
async def test_a_file_that_is_not_in_memory_is_read_in_a_thread(
    tmp_path: Path, fault: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a file of a file system that does not know `RWF_NOWAIT`."""
    file = found(tmp_path / "a", CONTENT)

    def preadv(*_: Any) -> int:
        raise fault

    monkeypatch.setattr(os, "preadv", preadv)
    reader = SmallFileReader(2, FileOpener(), options=ReadingOptions(clock_step=0.0, nowait=8))
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
    reader, file = SmallFileReader(2, FileOpener(), options=options), found(tmp_path / "a", CONTENT)
    bodies = [await reader.read(file) for _ in range(3)]
    assert flags == [8, 0, 0]
    assert all(body.data == CONTENT for body in bodies)
