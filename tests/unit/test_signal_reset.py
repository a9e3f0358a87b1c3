"""A second signal while C code keeps Python from running."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

supported = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="the system is not supported"
)
# The regular expression takes hours, and no thread can run meanwhile.
DEAF = """
import re, sys, anyio
from rich.console import Console
from bulkup.cli.signals import Signals

async def main():
    with Signals(Console(), 3600.0) as signals:
        signals.on_first = lambda code: print("first", flush=True)
        print("ready", flush=True)
        if sys.argv[1] == "deaf":
            re.fullmatch("(a*)*b", "a" * 60)
        await anyio.sleep(3600)

anyio.run(main)
"""


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", DEAF, request.param], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(1)  # until it is deaf, on a busy machine too
        yield process
        process.kill()


@supported
@pytest.mark.parametrize("run", ["deaf"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_a_process_that_is_deaf(run: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """By the system's default action, with the same status in a shell."""
    run.send_signal(number)
    time.sleep(0.2)
    assert run.poll() is None
    run.send_signal(number)
    assert run.wait(60) == -number


@pytest.mark.parametrize("run", ["awake"], indirect=True)
def test_a_process_that_hears_the_first_one_handles_the_second_itself(run: subprocess.Popen[bytes]) -> None:
    """With its own exit code, as without the default action."""
    assert run.stdout is not None
    run.send_signal(signal.SIGTERM)
    assert run.stdout.readline() == b"first\n"
    run.send_signal(signal.SIGTERM)
    assert run.wait(60) == 143
