"""The display of the progress on a terminal. Time is a number here."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest
from made_progress import HALF, progress
from rich.console import Console
from screen import Screen

from bulkup.model.progress import Progress
from bulkup.reports.display import ProgressDisplay
from bulkup.reports.error_console import ErrorConsole


class Rounds:
    """A `sleep` that cancels the task after some rounds; `each_round` is called before each of them."""

    def __init__(self, rounds: int, each_round: Callable[[], None] = lambda: None) -> None:
        self.left = rounds
        self.each_round = each_round
        self.scope = anyio.CancelScope()

    async def sleep(self, _seconds: float) -> None:
        if self.left == 0:
            self.scope.cancel()
        self.left -= 1
        await anyio.lowlevel.checkpoint()
        self.each_round()

    async def run(self, display: ProgressDisplay) -> None:
        with self.scope:
            await display.run_until_cancelled()


class Run:
    """A run of three files; one more is settled with each call of `go_on`."""

    def __init__(self) -> None:
        self.done = 0

    def go_on(self) -> None:
        self.done += 1

    def progress(self) -> Progress:
        share = 100 * self.done // 3
        return progress(files_done=self.done, files_total=3, total_known=True, percent=share, depths={"sending": 1})


@pytest.mark.parametrize("width", [20, 40, 80, 200])
async def test_the_view_ends_with_the_last_state(width: int) -> None:
    run, screen = Run(), Screen(width)
    console = Console(file=screen, force_terminal=True, width=width, height=30, color_system=None)
    rounds = Rounds(3, run.go_on)
    await rounds.run(ProgressDisplay(console, run.progress, sleep=rounds.sleep))
    text = " ".join(screen.text)
    assert "100 %" in text
    assert "3 of 3 files" in text
    assert "sending" not in text
    assert text.count("elapsed") == 1
    assert screen.cursor


@pytest.mark.parametrize("width", [10, 40, 80])
async def test_the_lines_of_a_watch_take_the_place_of_the_progress_between_runs(width: int) -> None:
    screen, states = Screen(width), [None, HALF, HALF, None, None]
    console = Console(file=screen, force_terminal=True, width=width, height=30, color_system=None)
    seen = list[list[str]]()
    rounds = Rounds(3, lambda: seen.append([row for row in screen.text if row]))

    def idle(columns: int) -> list[str]:
        return ["watching since 14:02", f"{columns} columns"]

    await rounds.run(ProgressDisplay(console, lambda: states.pop(0), idle=idle, sleep=rounds.sleep))
    seen.append([row for row in screen.text if row])
    last = [
        "watching since 14:02" if width > 20 else "watching…",
        f"{width} colum…" if width == 10 else f"{width} columns",
    ]
    assert seen[0] == seen[3] == last
    assert seen[1] == seen[2]
    assert "watching" not in "".join(seen[1])
    assert not states


async def test_nothing_is_drawn_while_the_terminal_is_not_ours() -> None:
    """After Ctrl-Z and `bg` the shell has the terminal, and after `fg` the view begins below its text."""
    run, screen, owner = Run(), Screen(80), [True, False, False, True, True]
    console = Console(file=screen, force_terminal=True, width=80, height=30, color_system=None)
    seen = list[str]()

    def look() -> None:
        run.go_on()
        seen.append("|".join(screen.text))

    rounds = Rounds(3, look)
    display = ProgressDisplay(console, run.progress, ours=lambda: owner.pop(0), sleep=rounds.sleep)
    await rounds.run(display)
    assert seen[0] == seen[1] == seen[2] != ""
    assert "|".join(screen.text).count("elapsed") == 2


async def test_a_stopped_display_begins_anew() -> None:
    screen = Screen(80)
    console = Console(file=screen, force_terminal=True, width=80, height=30, color_system=None)
    rounds = Rounds(2)
    display = ProgressDisplay(console, lambda: HALF, sleep=rounds.sleep)
    rounds.each_round = lambda: display.left() if rounds.left == 1 else None
    await rounds.run(display)
    assert sum("elapsed" in line for line in screen.text) == 2


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
    rounds = Rounds(3)
    await rounds.run(ProgressDisplay(console, lambda: HALF, sleep=rounds.sleep))
    assert sys.stderr is stderr
    assert rounds.left == -1
    assert console.quiet


def test_a_closed_pipe_only_makes_the_console_quiet() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    console = ErrorConsole()
    console.file = Closed()
    console.print("x")
    assert console.quiet
