"""A run under a service manager: it says that it started, that it lives, how far it is, and that it ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_world import World, ended, serving, started, wait_for


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(60)
        yield made


def messages(listener: socket.socket) -> list[dict[str, str]]:
    """Return the messages that have arrived."""
    listener.setblocking(False)
    found: list[dict[str, str]] = []
    while True:
        try:
            text = listener.recv(65536).decode()
        except BlockingIOError:
            return found
        found.append(dict(line.split("=", 1) for line in text.splitlines()))


def until_the_end(listener: socket.socket) -> Iterator[bytes]:
    """Yield messages up to that of the end. The system keeps only a few that are not read."""
    message = b""
    while message != b"STOPPING=1\nSTATUS=terminated":
        yield (message := listener.recv(65536))


def of_manager(tmp_path: Path, watchdog: str = "60000000") -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": watchdog}


def test_a_run_reports_to_the_service_manager(tmp_path: Path, listener: socket.socket) -> None:
    world = World(tmp_path)
    world.fill(20)
    world.upload(*world.local, env=of_manager(tmp_path)).expect(0)
    found = messages(listener)
    assert found[0] == {"READY": "1", "STATUS": "starting"}
    assert found[1] == {"WATCHDOG": "1", "STATUS": "starting"}
    assert found[-1] == {"STOPPING": "1", "STATUS": "complete"}


def test_a_signal_is_reported_before_the_run_ends(tmp_path: Path, listener: socket.socket) -> None:
    world = World(tmp_path)
    world.fill(12)
    options = ("upload", str(world.source), "--grace", "0.2s")
    with serving(world.store, "--fault", "slow-body") as url:
        environ = {**of_manager(tmp_path, watchdog="300000"), "BULKUP_TOKEN": "local-token"}
        with started(*options, *world.to(url), env=environ) as run:
            first = listener.recv(65536)
            wait_for(lambda: b" files, " in listener.recv(65536))  # the run has begun
            os.kill(run.pid, signal.SIGTERM)
            stopping = [message for message in until_the_end(listener) if message.startswith(b"STOPPING=1")]
            assert ended(run).code == 143
    assert first.startswith(b"READY=1\n")
    assert len(stopping) == 2
    assert stopping[0].startswith(b"STOPPING=1\nSTATUS=stopping: ")


def test_a_wrong_address_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(2)
    for address in ("vsock:2:1", "relative", "", str(tmp_path / "gone")):
        world.upload(*world.local, env={"NOTIFY_SOCKET": address}).expect(0)
