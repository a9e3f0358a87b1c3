"""File systems by their type in the system's list of mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.pipeline.files.mounts import is_remote, lies_in_memory

MOUNTS = """\
22 28 0:21 / /proc rw,relatime shared:12 - proc proc rw
28 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
31 28 0:25 / /a\\040-\\040b rw shared:3 master:2 - tmpfs tmpfs rw,size=1k
32 28 0:26 / /net rw - nfs4 host:/tmpfs rw
33 28 0:27 / /bare rw - ramfs ramfs rw
34 28 0:28 / /ssh rw - fuse.sshfs host: rw
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


@pytest.mark.parametrize(("device", "remote"), [((0, 26), True), ((0, 28), True), ((8, 2), False), ((9, 9), False)])
def test_file_systems_of_other_machines_are_known_by_type(
    tmp_path: Path, device: tuple[int, int], remote: bool
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert is_remote(os.makedev(*device), str(mounts)) is remote
