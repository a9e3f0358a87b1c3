"""Which signal does what, without a run."""

from __future__ import annotations

import signal

import anyio
import pytest
from rich.console import Console

from bulkup.cli import signals
from bulkup.cli.signals import Signals
from bulkup.errors import ExitCode


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[ExitCode]:
    """What the process would have been ended with at once."""
    codes: list[ExitCode] = []
    monkeypatch.setattr(Signals, "at_once", lambda _, code: codes.append(code))
    return codes


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
async def test_the_first_and_the_second(
    ends: list[ExitCode], numbers: list[signal.Signals], first: int, second: list[int]
) -> None:
    """The first one stops the run; the second one ends it wherever it is. A hangup is no second one."""
    stopped: list[ExitCode] = []
    with Signals(Console(), 3600.0) as obedient:
        obedient.first = stopped.append
        for number in numbers:
            signal.raise_signal(number)
        while len(stopped) + len(ends) < 1 + len(second):
            await anyio.sleep(0.001)
        assert obedient.interruption().exit_code == first
    assert (stopped, ends) == ([first], second)


async def test_a_run_that_hangs_after_its_grace(ends: list[ExitCode], monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be cancelled does not keep the process for ever."""
    monkeypatch.setattr(signals, "_LAST_ACTS", 0.0)
    with Signals(Console(), 0.01) as obedient:
        obedient.first = lambda _: None
        signal.raise_signal(signal.SIGTERM)
        while not ends:
            await anyio.sleep(0.01)
    assert set(ends) == {143}


async def test_handlers_are_put_back(ends: list[ExitCode]) -> None:
    """Whatever they were before; a hangup that is ignored, as `nohup` has it, stays so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals(Console(), 3600.0):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with Signals(Console(), 3600.0):
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
    assert ends == []
