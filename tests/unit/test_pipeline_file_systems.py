"""Which file systems are read without a thread although they do not know `RWF_NOWAIT`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.pipeline.files.small import lies_in_memory

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
def test_the_list_of_mounts_tells(tmp_path: Path, device: tuple[int, int], in_memory: bool) -> None:
    """By the number of the device as a whole, and by the type; not by what else stands in the line."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert lies_in_memory(os.makedev(*device), str(mounts)) is in_memory


def test_without_a_list_no_file_system_lies_in_memory(tmp_path: Path) -> None:
    """As on macOS."""
    assert not lies_in_memory(os.makedev(0, 25), str(tmp_path / "none"))
