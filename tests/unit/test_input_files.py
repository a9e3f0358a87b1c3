"""Files that a user names as input: regular files and inherited pipes, and nothing that blocks or never ends."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.helpers.input_files import open_input, read_input


@pytest.fixture
def pipe() -> Iterator[tuple[str, int]]:
    """Return the path of a pipe's reading end, and its writing end."""
    reading, writing = os.pipe()
    yield f"/dev/fd/{reading}", writing
    os.close(reading)


def test_a_regular_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        data, status = read_input(str(tmp_path / name), 4, seconds=0)
        assert (data, status.st_size) == (b"0123", 10)


def test_the_null_device_is_an_empty_file() -> None:
    assert read_input(os.devnull, 4, seconds=0)[0] == b""


@pytest.mark.parametrize("kind", ["named pipe", "link to a named pipe", "/dev/zero", "/dev/ptmx", "socket", "folder"])
def test_what_would_block_or_never_end_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "input"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "socket":
            listening.bind(str(path))
        elif kind == "folder":
            path.mkdir()
        elif kind.startswith("/"):
            path = Path(kind)
        else:
            os.mkfifo(path)
        if kind.startswith("link"):
            (tmp_path / "link").symlink_to(path)
            path = tmp_path / "link"
        with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
            open_input(str(path), pipes=True)


def test_an_inherited_pipe_is_read_to_its_end(pipe: tuple[str, int]) -> None:
    """As that of a shell's `<(command)`, also while its writer is slow."""
    path, writing = pipe
    os.write(writing, b"a")

    def write() -> None:
        os.write(writing, b"b")
        os.close(writing)

    writer = threading.Timer(0.05, write)
    writer.start()
    assert read_input(path, 100, seconds=60)[0] == b"ab"
    writer.join()


def test_an_inherited_pipe_that_does_not_end_is_given_up(pipe: tuple[str, int]) -> None:
    path, writing = pipe
    with pytest.raises(TimeoutError, match="did not end within"):
        read_input(path, 100, seconds=0.01)
    os.close(writing)


def test_an_inherited_pipe_is_refused_where_it_cannot_be_used(pipe: tuple[str, int]) -> None:
    path, writing = pipe
    with pytest.raises(OSError, match="not a regular file"):
        open_input(path, pipes=False)
    os.close(writing)


def test_a_named_pipe_is_refused_under_the_path_of_its_descriptor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="not a regular file"):
        open_input(f"/dev/fd/{descriptor}", pipes=True)
    os.close(descriptor)
