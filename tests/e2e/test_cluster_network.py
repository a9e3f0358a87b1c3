"""The network of namespaces that measurements with many machines use: links, cuts, and its removal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from benchmarks.cluster.network import Node, missing, network, sweep

ROOT = Path(__file__).parents[2]
needs_namespaces = pytest.mark.skipif(missing() != "", reason=missing() or "it can be made here")
# It says what it has made, starts a process in the hub, and waits to be killed.
MAKER = """
import os, subprocess, sys, time
from benchmarks.cluster.network import network
os.mkdir(sys.argv[1])
with network(1, 100, sys.argv[1]) as made:
    script = "echo inside; exec sleep 600"
    inside = subprocess.Popen([*made.hub.inside, "sh", "-c", script], stdout=subprocess.PIPE)
    inside.stdout.readline()  # a process that is not in the namespace yet would not be found there
    print(made.hub.name, made.workers[0].name, inside.pid, flush=True)
    time.sleep(600)
"""


def reaches(node: Node, address: str) -> bool:
    """Return whether the system at an address answers a connection from a namespace."""
    script = f"import socket; socket.create_connection(({address!r}, 9), 1)"
    said = subprocess.run([*node.inside, sys.executable, "-IS", "-c", script], capture_output=True, text=True).stderr
    return "ConnectionRefusedError" in said  # nothing listens there


def namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


def until(condition: Callable[[], bool], longest: float = 30.0) -> bool:
    end = time.monotonic() + longest
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@needs_namespaces
def test_workers_reach_the_hub_and_one_another_until_a_link_is_cut(tmp_path: Path) -> None:
    with network(2, 100, str(tmp_path / "folder")) as made:
        one, other = made.workers
        assert reaches(one, made.hub.address)
        assert reaches(one, other.address)

        made.cut(0)
        assert not reaches(one, made.hub.address)
        assert reaches(other, made.hub.address)

        made.mend(0)
        assert reaches(one, made.hub.address)
        assert made.sent(0) > 0
    assert made.hub.name not in namespaces()


@needs_namespaces
def test_nothing_is_left_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    maker = subprocess.Popen([sys.executable, "-c", MAKER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None
    hub, worker, pid = maker.stdout.readline().split()

    maker.send_signal(signal.SIGKILL)
    maker.wait()
    maker.stdout.close()

    assert until(lambda: hub not in namespaces() and worker not in namespaces())
    assert until(lambda: not folder.exists())
    assert until(lambda: not os.path.exists(f"/proc/{pid}") or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])


@needs_namespaces
def test_namespaces_of_a_process_that_is_gone_are_swept() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    name = f"bulkup-net-{gone.pid}-hub"
    subprocess.run(["ip", "netns", "add", name], check=True)

    assert name in sweep()

    assert name not in namespaces()


@pytest.mark.slow
@needs_namespaces
def test_four_links_carry_more_than_one(tmp_path: Path) -> None:
    result = tmp_path / "rates.json"
    command = [sys.executable, "-m", "benchmarks.cluster", "links", "--files", "160", "--json", str(result)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    one, many = orjson.loads(result.read_bytes())
    assert (one["workers"], many["workers"]) == (1, 4), done.stdout + done.stderr
    assert min(many["carried"]) > 0.8 * many["bytes"] / 4
