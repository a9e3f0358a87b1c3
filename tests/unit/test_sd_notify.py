"""Messages to a service manager: nothing without its socket, and never an error or a wait."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.helpers.sd_notify import ServiceManager, service_manager

PROCESS = 4711


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Listen as a service manager does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.setblocking(False)
        yield listener


def manager(address: str) -> ServiceManager:
    found = service_manager({"NOTIFY_SOCKET": address}, PROCESS)
    assert found is not None
    return found


def test_messages_arrive_at_a_socket_with_a_path(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listening(address) as listener:
        manager(address).ready("starting")
        manager(address).alive("1 of 2 files")
        manager(address).stopping("complete")
        received = [listener.recv(4096) for _ in range(3)]
    assert received == [
        b"READY=1\nSTATUS=starting",
        b"WATCHDOG=1\nSTATUS=1 of 2 files",
        b"STOPPING=1\nSTATUS=complete",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
def test_messages_arrive_at_an_abstract_socket() -> None:
    name = f"bulkup-test-{os.getpid()}"
    with listening(f"\0{name}") as listener:
        manager(f"@{name}").ready("starting")
        assert listener.recv(4096) == b"READY=1\nSTATUS=starting"


def test_a_status_is_one_short_line(tmp_path: Path) -> None:
    """A line break would begin another assignment, such as MAINPID."""
    address = str(tmp_path / "notify")
    with listening(address) as listener:
        manager(address).alive("a\nMAINPID=1 \udcff" + "x" * 10_000)
        first, second = listener.recv(65536).split(b"\n")
    assert first == b"WATCHDOG=1"
    assert second.startswith(b"STATUS=a MAINPID=1 ")
    assert len(second) < 600


@pytest.mark.parametrize("address", ["", "relative", "@", "/", "vsock:2:1234"])
def test_without_a_usable_address_there_is_no_service_manager(address: str) -> None:
    assert service_manager({"NOTIFY_SOCKET": address}, PROCESS) is None
    assert service_manager({}, PROCESS) is None


def test_a_manager_that_is_gone_or_does_not_read_is_no_error(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    manager(address).alive("nobody listens")
    manager("/" + "x" * 300).alive("longer than an address may be")
    with listening(address) as listener:
        for _ in range(2_000):  # more than the system keeps for a reader
            manager(address).alive("x" * 400)
        assert listener.recv(4096).startswith(b"WATCHDOG=1")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(PROCESS)}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(environ: dict[str, str], seconds: float | None) -> None:
    found = service_manager({"NOTIFY_SOCKET": "/run/notify", **environ}, PROCESS)
    assert found is not None
    assert found.watchdog == seconds
