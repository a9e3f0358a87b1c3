"""Progress on a terminal and in the log. Time is a number here."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from rich.console import Console

from bulkup.model.counters import Counters, Gauge
from bulkup.reports.display import ProgressDisplay, progress_view
from bulkup.reports.error_console import ErrorConsole
from bulkup.reports.progress_log import ProgressLog, progress_fields
from bulkup.reports.progress_rate import Progress

SCANNING = Counters(found=12_345, skipped=10, uploaded=1_000, bytes_found=2**40, bytes_settled=2**32)
STATES = {
    "start": (Counters(), Progress(0.0, None, None)),
    "scanning": (SCANNING, Progress(2.0**20, None, None)),
    "half": (
        Counters(
            4, uploaded=1, failed=1, retries=3, bytes_found=400, bytes_settled=200, concurrency=16, scan_done=True
        ),
        Progress(100.0, 50, 2.0),
    ),
    "stalled": (Counters(found=4, bytes_found=400, scan_done=True), Progress(0.0, 0, None)),
    "done": (Counters(found=1, uploaded=1, scan_done=True), Progress(0.0, 100, 0.0)),
}


def shown(counters: Counters, pace: Progress, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(progress_view(counters, pace, {"batcher": 7, "wor\x1bkers": 2}))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [1, 2, 5, 20, 21, 40, 79, 80, 120, 200])
@pytest.mark.parametrize("state", STATES)
def test_every_state_fits_every_width(state: str, width: int) -> None:
    text = shown(*STATES[state], width=width)
    assert text
    assert all(len(line) <= width for line in text.splitlines())
    counters, pace = STATES[state]
    # Nothing is cut off; only where lines and words break depends on the width.
    assert f"{counters.settled:,}/{counters.found:,}file" in "".join(text.split())
    assert pace.percent is None or f"{pace.percent}%," in "".join(text.split())


def test_there_is_no_percentage_during_the_scan() -> None:
    text = shown(*STATES["scanning"])
    assert "scanning..., 1,010/12,345 files, 4.0 GiB/1.0 TiB, 1.0 MiB/s" in text
    assert "%" not in text
    assert "left" not in text


def test_percentage_and_remaining_time_are_shown_after_the_scan() -> None:
    text = shown(*STATES["half"])
    assert "50%, 2/4 files, 200 B/400 B, 100 B/s, 2.0 s left" in text
    assert "failed 1, retries 3" in text
    assert r"batcher 7, wor\x1bkers 2, concurrency 16" in text
    assert "time left unknown" in shown(*STATES["stalled"])


class Time:
    """A clock that only `sleep` advances, and that cancels the task after some rounds."""

    def __init__(self, rounds: int, each_round: Callable[[], None] = lambda: None) -> None:
        self.moment = 1000.0
        self.rounds = rounds
        self.each_round = each_round
        self.scope = anyio.CancelScope()

    def now(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        if self.rounds == 0:
            self.scope.cancel()
        self.rounds -= 1
        await anyio.lowlevel.checkpoint()
        self.moment += seconds
        self.each_round()

    async def run(self, display: Any) -> None:
        with self.scope:
            await display.run_until_cancelled()


@pytest.mark.parametrize("width", [20, 80, 200])
async def test_the_live_view_ends_with_the_last_state(width: int) -> None:
    counters = Counters(found=3, bytes_found=30, scan_done=True)
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=30, color_system=None)

    def one_more() -> None:
        counters.uploaded, counters.bytes_settled = counters.uploaded + 1, counters.bytes_settled + 10
        counters.bytes_sent += 10

    time = Time(3, one_more)
    await time.run(ProgressDisplay(console, Gauge(counters, lambda: {"workers": 1}), time, sleep=time.sleep))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    # Words, not whole lines: a narrow terminal breaks lines between them.
    assert text.rindex("3/3") > text.rindex("2/3") > text.rindex("1/3") > text.rindex("0/3")
    assert text.rindex("100%") > text.rindex("66%") > text.rindex("33%")
    assert "20 B/s" in " ".join(text.split())


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4])
async def test_a_closed_terminal_does_not_end_the_run(writes: int) -> None:
    class Gone(io.StringIO):
        left = writes

        def write(self, text: str) -> int:
            if not self.left:
                raise OSError(5, "Input/output error")
            self.left -= 1
            return len(text)

    console, stderr = Console(file=Gone(), force_terminal=True, width=80), sys.stderr
    time = Time(3)
    await time.run(ProgressDisplay(console, Gauge(Counters(), dict), time, sleep=time.sleep))
    assert sys.stderr is stderr
    assert time.rounds == -1
    assert console.quiet


def test_a_closed_pipe_only_makes_the_console_quiet() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    console = ErrorConsole()
    console.file = Closed()
    console.print("x")
    assert console.quiet


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


async def test_without_a_terminal_there_is_an_event_every_half_minute_and_at_the_end() -> None:
    counters, log = Counters(found=10, bytes_found=9000), Log()

    def one_more() -> None:
        counters.uploaded, counters.bytes_sent = counters.uploaded + 1, counters.bytes_sent + 3000

    time = Time(2, one_more)
    await time.run(ProgressLog(Gauge(counters, dict), time, sleep=time.sleep, log=log))
    assert [event for event, _ in log.events] == ["progress"] * 3
    assert [fields["files"] for _, fields in log.events] == [1, 2, 2]
    assert log.events[0][1]["rate"] == 100


def test_the_fields_of_a_progress_event() -> None:
    counters, pace = STATES["half"]
    assert progress_fields(counters, pace) == {
        "files": 2,
        "found": 4,
        "bytes": 200,
        "bytes_found": 400,
        "rate": 100,
        "concurrency": 16,
        "percent": 50,
        "eta": 2,
        "scan_done": True,
        "failed": 1,
        "rejected": 0,
        "changed": 0,
        "unreadable": 0,
        "unverified": 0,
        "retries": 3,
    }
    assert progress_fields(*STATES["scanning"])["eta"] is None
