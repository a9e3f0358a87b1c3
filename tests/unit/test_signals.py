"""The first signal, the second one, and the handlers, without a run."""

from __future__ import annotations

import signal
import subprocess
import sys

import anyio
import pytest
from rich.console import Console

from bulkup.cli.signals import Signals
from bulkup.errors import ExitCode


class RecordedSignals(Signals):
    """Records the exit codes with which the process would have been ended immediately."""

    def __init__(self, grace: float = 3600.0, *, clean_up_time: float = 30.0, reloads: bool = False) -> None:
        # With `kill_if_deaf`, a signal could end the tests.
        super().__init__(Console(), grace, reloads=reloads, clean_up_time=clean_up_time, kill_if_deaf=False)
        self.exits: list[ExitCode] = []

    def exit_now(self, code: ExitCode) -> None:
        self.exits.append(code)


@pytest.mark.parametrize(
    ("numbers", "first", "second"),
    [
        ([signal.SIGHUP], 129, []),
        ([signal.SIGINT], 130, []),
        ([signal.SIGTERM], 143, []),
        ([signal.SIGINT, signal.SIGINT], 130, [130]),
        ([signal.SIGINT, signal.SIGTERM], 130, [143]),
        ([signal.SIGHUP, signal.SIGTERM], 129, [143]),
        ([signal.SIGTERM, signal.SIGHUP], 143, []),
        ([signal.SIGHUP, signal.SIGHUP, signal.SIGINT], 129, [130]),
    ],
)
async def test_the_first_and_the_second_signal(numbers: list[signal.Signals], first: int, second: list[int]) -> None:
    """The first one stops the run, the second one ends the process. A hangup never counts as the second."""
    stopped: list[ExitCode] = []
    with RecordedSignals() as signals:
        signals.on_first = stopped.append
        for number in numbers:
            signal.raise_signal(number)
        while len(stopped) + len(signals.exits) < 1 + len(second):
            await anyio.sleep(0.001)
        assert signals.interruption().exit_code == first
    assert (stopped, signals.exits) == ([first], second)


async def test_a_hangup_that_asks_to_reload() -> None:
    """It ends nothing, before the run, during it, and after the first signal."""
    stopped, reloads = list[ExitCode](), list[str]()
    with RecordedSignals(reloads=True) as signals:
        signals.on_first = stopped.append
        signal.raise_signal(signal.SIGHUP)
        while not signals.reload_wanted:
            await anyio.sleep(0.001)
        signals.on_reload = lambda: reloads.append("again")
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        while len(reloads) < 2 or not stopped:
            await anyio.sleep(0.001)
        assert signals.interruption().exit_code == 143
    assert (stopped, signals.exits) == ([143], [])


def test_a_process_of_a_new_session_has_no_terminal() -> None:
    """A timer starts processes so."""
    program = "import os; from bulkup.cli.signals import has_terminal; os.setsid(); print(has_terminal())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"


def test_a_process_whose_streams_are_redirected_has_its_terminal() -> None:
    """It is ended when the terminal is closed, wherever its output goes."""
    program = (
        "import fcntl, os, sys, termios\n"
        "from bulkup.cli.signals import has_terminal\n"
        "os.setsid(); _, theirs = os.openpty(); fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)\n"
        "print(has_terminal())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == "True\n"


async def test_a_run_that_is_blocked_after_its_grace_is_ended() -> None:
    """Work that cannot be cancelled does not keep the process alive forever."""
    with RecordedSignals(0.01, clean_up_time=0.0) as signals:
        signals.on_first = lambda _: None
        signal.raise_signal(signal.SIGTERM)
        while not signals.exits:
            await anyio.sleep(0.01)
    assert set(signals.exits) == {143}


async def test_the_earlier_handlers_are_restored() -> None:
    """A hangup that is ignored, as under `nohup`, stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with RecordedSignals() as signals:
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
        assert signals.exits == []
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with RecordedSignals():
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
