"""The log file."""

from __future__ import annotations

import logging
import os
import resource
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkup.reports.log_file import LogFile, open_log_file


def no_failure(reason: str) -> None:
    raise AssertionError(reason)


def written(path: Path, *lines: str, size: int = 0, count: int = 3, failed: Any = no_failure) -> list[str]:
    file = open_log_file(str(path), size=size, count=count, failed=failed)
    for line in lines:
        file.write(line)
    file.close()
    return path.read_text("utf-8").splitlines()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_lines_are_appended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    many = [f"line {number} ünter" for number in range(500)]
    written(path, "first")
    assert written(path, *many) == ["first", *many]


@pytest.mark.parametrize("before", [None, 0o644], ids=["new", "readable by others"])
def test_only_the_owner_can_read_it(before: int | None, tmp_path: Path) -> None:
    """With any umask. That holds for the files that a rotation begins, too."""
    path = tmp_path / "log"
    umask = os.umask(0)
    try:
        if before is not None:
            path.touch(before)
        written(path, "a" * 80, "b" * 80, "c" * 80, size=100)
    finally:
        os.umask(umask)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_older_files_are_kept_up_to_a_number(tmp_path: Path) -> None:
    written(tmp_path / "log", *(f"{number}" * 60 for number in range(6)), size=100, count=2)
    assert {file.name: file.read_text()[0] for file in tmp_path.iterdir()} == {"log": "5", "log.1": "4", "log.2": "3"}


def test_a_long_line_is_written_whole(tmp_path: Path) -> None:
    assert written(tmp_path / "log", "x" * 5000, size=100) == ["x" * 5000]
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


def test_a_file_that_another_program_rotated_is_left(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = open_log_file(str(path), size=0, count=1, failed=no_failure)
    file.write("before")
    wait_for(path.read_text)
    path.rename(tmp_path / "old")
    file.write("after")
    file.close()
    assert (path.read_text(), (tmp_path / "old").read_text()) == ("after\n", "before\n")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "missing folder"])
def test_anything_but_a_file_is_refused(kind: str, tmp_path: Path) -> None:
    """A link could lead a write to a file of another purpose, and a pipe would block."""
    path = tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "target")
    else:
        path = tmp_path / "none" / "log"
    with pytest.raises(OSError):  # noqa: PT011  # the kinds have different numbers
        open_log_file(str(path), size=0, count=1, failed=no_failure)
    assert not (tmp_path / "target").exists()


def test_a_full_disk_costs_only_lines_and_is_reported_once(tmp_path: Path) -> None:
    """A limit on the size of files takes its place. Later lines are whole, and not joined to a part of a lost one."""
    reasons: list[str] = []
    path, limits = tmp_path / "log", resource.getrlimit(resource.RLIMIT_FSIZE)
    file = open_log_file(str(path), size=0, count=1, failed=reasons.append)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        for letter in "abc":
            file.write(letter * 4_000)
        wait_for(lambda: reasons)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    file.write("kept")
    file.close()
    first, second, torn, kept = path.read_text().splitlines()
    assert (first, second, kept) == ("a" * 4_000, "b" * 4_000, "kept")
    assert 0 < len(torn) < 4_000
    assert len(reasons) == 1


def test_a_rotation_that_is_impossible_costs_no_line(tmp_path: Path) -> None:
    reasons: list[str] = []
    path = tmp_path / "log"
    (tmp_path / "log.1").mkdir()
    (tmp_path / "log.1" / "kept").touch()
    lines = [f"{number}" * 60 for number in range(4)]
    assert written(path, *lines, size=100, count=1, failed=reasons.append) == lines
    assert len(reasons) == 1


def test_a_disk_that_hangs_blocks_nothing() -> None:
    """Neither the caller nor the end; the lines in memory are bounded."""
    reasons: list[str] = []
    answers = threading.Event()

    class Hanging(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            answers.wait()

    file = LogFile(lambda _: Hanging(), reasons.append, waiting=10)
    for number in range(100):
        file.write(str(number))
    file.close(timeout=0.01)
    assert reasons == ["the disk does not answer"]
    answers.set()
