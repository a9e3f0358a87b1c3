"""The live view on a terminal whose width changes, and beside other text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.console import Console
from rich.text import Text
from screen import Screen

from bulkup.reports.live_view import LiveView, rows_of


class Terminal:
    """A view of three lines, each as long as the terminal allows."""

    def __init__(self, width: int = 80) -> None:
        self.screen = Screen(width)
        self.console = Console(file=self.screen, force_terminal=True, width=width, height=20, color_system=None)
        self.view = LiveView(self.console)
        self.view.start()

    def draw(self, letter: str) -> None:
        length = self.screen.width - 1
        self.view.show([Text(f"{letter}{number}".ljust(length, ".")) for number in range(3)])

    def resize(self, width: int) -> None:
        self.screen.resize(width)
        self.console.width = width

    def log(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    @property
    def begins(self) -> list[str]:
        """The first two characters of each line."""
        return [line[:2] for line in self.screen.text]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_view_is_drawn_in_place(terminal: Terminal) -> None:
    for letter in "abc":
        terminal.draw(letter)
    assert terminal.begins == ["c0", "c1", "c2"]
    assert not terminal.screen.cursor


def test_other_text_goes_above_the_view(terminal: Terminal) -> None:
    terminal.draw("a")
    terminal.log("L1 " + "long " * 40)
    terminal.draw("b")
    terminal.log("L2")
    assert terminal.begins == ["L1", "L2", "b0", "b1", "b2"]


@pytest.mark.parametrize("width", [79, 41, 40, 20, 10, 81, 200])
@pytest.mark.parametrize("between", ["draw", "log"])
def test_nothing_of_the_old_view_is_left_after_a_resize(terminal: Terminal, width: int, between: str) -> None:
    terminal.log("L1")
    terminal.draw("a")
    terminal.resize(width)
    if between == "log":
        terminal.log("L2")
    terminal.draw("b")
    assert terminal.begins == ["L1", *(["L2"] if between == "log" else []), "b0", "b1", "b2"]


def test_a_terminal_that_becomes_narrow_and_wide_again(terminal: Terminal) -> None:
    terminal.log("L1")
    for width, letter in zip((80, 30, 100, 50, 49), "abcde", strict=True):
        terminal.resize(width)
        terminal.draw(letter)
    assert terminal.begins == ["L1", "e0", "e1", "e2"]


def test_after_a_stop_the_view_begins_below_the_text_of_the_shell(terminal: Terminal) -> None:
    terminal.draw("a")
    terminal.view.leave()
    terminal.screen.write("\x1b[?25h\r\n$ fg\r\n")
    terminal.log("L1")
    assert terminal.screen.cursor
    assert terminal.begins == ["a0", "a1", "a2", "$ ", "L1"]
    terminal.draw("b")
    terminal.draw("c")
    assert terminal.begins == ["a0", "a1", "a2", "$ ", "L1", "c0", "c1", "c2"]
    assert not terminal.screen.cursor


@pytest.mark.parametrize("prepare", [lambda _: None, lambda terminal: terminal.draw("a")], ids=["empty", "drawn"])
def test_text_after_the_end_goes_below_the_view(terminal: Terminal, prepare: Callable[[Terminal], None]) -> None:
    prepare(terminal)
    terminal.view.stop()
    terminal.log("L1")
    assert terminal.begins[-1] == "L1"
    assert terminal.begins[:-1] in ([], ["a0", "a1", "a2"])
    assert terminal.screen.cursor


@pytest.mark.parametrize(
    ("lengths", "width", "rows"), [([], 80, 0), ([0], 80, 1), ([80, 81], 80, 3), ([79, 79], 40, 4), ([5], 0, 5)]
)
def test_rows_of_lines(lengths: list[int], width: int, rows: int) -> None:
    assert rows_of(lengths, width) == rows
