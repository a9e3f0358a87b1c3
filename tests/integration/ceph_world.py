"""Ceph's RADOS gateway: one cluster for all test processes. The first that needs it starts it, the last stops it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ACCESS_KEY, SECRET_KEY = "CEPHACCESSKEY000001", "cephSecretKey0000000000001"
_SCRIPT = Path(__file__).parents[1] / "tools/ceph.sh"
_PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin")
_PORTS = range(17480, 32000, 3)  # below those that the system gives to clients


@contextlib.contextmanager
def shared_cluster(folder: Path) -> Iterator[str]:
    """Yield the URL of the gateway. `folder` is the same for all processes that share it.

    If Ceph is not installed, the tests fail instead of being skipped.
    """
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        packages = "radosgw ceph-mon ceph-osd ceph-common"
        pytest.fail(f"these tests upload to Ceph: install it (apt-get install {packages}); missing: {missing}")
    users, me = folder / "users", str(os.getpid())
    users.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if not any(users.iterdir()):
            _start(folder)
        (users / me).touch()
    try:
        yield f"http://127.0.0.1:{(folder / 'port').read_text()}"
    finally:
        with _locked(folder):
            (users / me).unlink()
            if not any(users.iterdir()):
                _stop(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(folder: Path) -> None:
    port = _free_ports()
    (folder / "port").write_text(str(port))
    # The owner of all test processes: Ceph ends with it, if the tests are killed.
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    environ = {**os.environ, "RGW_PORT": str(port), "OWNER": str(owner)}
    log = folder / "start.log"
    with log.open("wb") as output:
        command = [str(_SCRIPT), "start", str(folder / "cluster")]
        started = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=240, check=False
        )
    if started.returncode:
        _stop(folder)
        pytest.fail(f"Ceph does not start: {log.read_text(errors='replace')[-2000:]}")


def _stop(folder: Path) -> None:
    subprocess.run([str(_SCRIPT), "stop", str(folder / "cluster")], check=True, timeout=60, stdin=subprocess.DEVNULL)


def _free_ports() -> int:
    """Return the first of three free ports."""
    for port in random.sample(_PORTS, 50):
        with contextlib.ExitStack() as held:
            try:
                for number in range(3):
                    held.enter_context(socket.create_server(("127.0.0.1", port + number)))
            except OSError:
                continue
            return port
    pytest.fail("no free ports")
