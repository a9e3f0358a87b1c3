"""The control socket as a file: who may use it, long paths, sockets of killed runs."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from bulkup.api.control.control_socket import BoundSocket, connect, control_path, may_control, peer_user
from bulkup.errors import UsageError
from bulkup.journal import Lock

TIMEOUT = 5.0


def assert_connects(journal: str, bound: BoundSocket) -> None:
    """Check that a client reaches the socket, and that each side knows the other."""
    with connect(journal, TIMEOUT) as client:
        bound.listener.setblocking(True)
        server, _ = bound.listener.accept()
        with server:
            assert peer_user(server) == peer_user(client) == os.geteuid()
            server.sendall(b"x")
            assert client.recv(1) == b"x"


@pytest.mark.parametrize("folder", ["short", "long " * 25, "/".join(["deep " * 12] * 10)])
@pytest.mark.parametrize("name", ["journal.sqlite3", "ü" * 100])
def test_any_path_will_do(tmp_path: Path, folder: str, name: str) -> None:
    """An address of a Unix socket has about a hundred bytes, and a path of a journal thousands."""
    place = tmp_path / folder
    place.mkdir(parents=True)
    journal = str(place / name)
    bound = BoundSocket(journal)
    try:
        assert_connects(journal, bound)
        assert os.listdir(place) == [f"{name}.control"]
    finally:
        bound.close()
    assert os.listdir(place) == []


def test_nobody_else_can_use_it(tmp_path: Path) -> None:
    """Its mode is 0600 from the moment at which it has its name, with any umask."""
    journal, before = str(tmp_path / "journal"), os.umask(0)
    try:
        bound = BoundSocket(journal)
    finally:
        os.umask(before)
    found = os.lstat(control_path(journal))
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    bound.close()


def test_the_socket_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    """So is the folder of one that was killed while it made the socket."""
    journal = str(tmp_path / "journal")
    BoundSocket(journal).listener.close()
    folder = tmp_path / "journal.control.new"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "s"))
    bound = BoundSocket(journal)
    assert_connects(journal, bound)
    bound.close()
    assert os.listdir(tmp_path) == []


def test_the_socket_of_a_later_run_stays(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    first, second = BoundSocket(journal), BoundSocket(journal)
    first.close()
    assert_connects(journal, second)
    second.close()
    second.close()


def test_a_file_system_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BoundSocket(str(tmp_path / "missing" / "journal"))


async def test_no_run_is_under_way(tmp_path: Path) -> None:
    """There never was one, or it was killed."""
    journal = str(tmp_path / "journal")
    with pytest.raises(UsageError, match="no run is under way on the journal"):
        connect(journal, TIMEOUT)
    BoundSocket(journal).listener.close()
    with pytest.raises(UsageError, match="no run is under way on the journal"):
        connect(journal, TIMEOUT)


async def test_a_run_without_a_control_socket(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")

    async def no_sleep(_: float) -> None:
        raise AssertionError

    with Lock(journal) as lock:
        await lock.acquire(wait=False, sleep=no_sleep)
        with pytest.raises(UsageError, match=f"the run of process {os.getpid()} has no control socket"):
            connect(journal, TIMEOUT)


def test_a_file_in_the_place_of_the_socket(tmp_path: Path) -> None:
    (tmp_path / "journal.control").write_text("x")
    with pytest.raises(UsageError, match="is not a socket"):
        connect(str(tmp_path / "journal"), TIMEOUT)


@pytest.mark.parametrize(("user", "owner", "may"), [(7, 7, True), (0, 7, True), (8, 7, False), (None, 7, True)])
def test_the_run_of_another_user(user: int | None, owner: int, may: bool) -> None:
    """Root may control it. Where the system does not name users, the mode of the file alone decides."""
    assert may_control(user, owner) is may
