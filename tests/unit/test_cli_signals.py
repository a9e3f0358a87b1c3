"""Which signal does what, without a run."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import anyio
import pytest
from rich.console import Console

from bulkup.cli import signals
from bulkup.cli.signals import Signals, signals_received
from bulkup.errors import ExitCode


class EndedError(Exception):
    """Stands for the end of the process."""


async def obeyed(monkeypatch: pytest.MonkeyPatch, *numbers: signal.Signals, grace: float = 3600) -> list[ExitCode]:
    """Return what the signals came to: the code that the run was stopped with, and that of its end at once."""
    came: list[ExitCode] = []

    async def received() -> AsyncIterator[signal.Signals]:
        for number in numbers:
            yield number
        await anyio.sleep_forever()

    def at_once(_: Signals, code: ExitCode) -> None:
        came.append(code)
        raise EndedError

    monkeypatch.setattr(Signals, "at_once", at_once)
    obedient = Signals(Console(), grace)
    obedient.first = came.append
    with anyio.move_on_after(0.2), pytest.raises(EndedError):
        await obedient.obey(received())
    return came


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [
        ([signal.SIGHUP], [129]),
        ([signal.SIGINT], [130]),
        ([signal.SIGTERM], [143]),
        ([signal.SIGINT, signal.SIGINT], [130, 130]),
        ([signal.SIGINT, signal.SIGTERM], [130, 143]),
        ([signal.SIGHUP, signal.SIGTERM], [129, 143]),
        ([signal.SIGTERM, signal.SIGHUP], [143]),
        ([signal.SIGHUP, signal.SIGHUP, signal.SIGINT], [129, 130]),
    ],
)
async def test_the_first_and_the_second(
    monkeypatch: pytest.MonkeyPatch, numbers: list[signal.Signals], codes: list[int]
) -> None:
    """The first one stops the run, the second one ends it; a hangup is no second one."""
    assert await obeyed(monkeypatch, *numbers) == codes


async def test_a_run_that_hangs_after_its_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be cancelled does not keep the process for ever."""
    monkeypatch.setattr(signals, "_LAST_ACTS", 0.0)
    assert await obeyed(monkeypatch, signal.SIGTERM, grace=0.01) == [143, 143]


async def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """As `nohup` has it; it is taken where it is not."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_received():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with signals_received():
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
