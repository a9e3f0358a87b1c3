"""The first signal, the second one, and the handlers, without a run."""

from __future__ import annotations

import signal

import anyio
import pytest
from rich.console import Console

from bulkup.cli.signals import Signals
from bulkup.errors import ExitCode


class RecordedSignals(Signals):
    """Records the exit codes with which the process would have been ended immediately."""

    def __init__(self, grace: float = 3600.0, *, clean_up_time: float = 30.0) -> None:
        super().__init__(Console(), grace, clean_up_time=clean_up_time, kill_if_deaf=False)  # it would end the tests
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
