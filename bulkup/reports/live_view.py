"""Some lines at the bottom of a terminal that are drawn again and again; other text appears above them.

Rich has such a view too. It counts the lines that it drew, and a terminal that becomes narrower breaks them in two. So
after a resize it leaves parts of the old view behind. This view remembers how long its lines are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.text import Text


class LiveView(RenderHook):
    """The view of one console, from `start` to `stop`. Everything that is printed on the console goes above it.

    No line may be longer than the terminal is wide. Methods raise OSError if the terminal was closed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: Sequence[Text] = ()
        self._drawn: list[int] = []  # the lengths of the lines on the terminal
        self._hidden = False
        self._lock = threading.RLock()

    def start(self) -> None:
        """Begin: hide the cursor."""
        self._console.show_cursor(False)
        self._console.push_render_hook(self)

    def show(self, lines: Sequence[Text]) -> None:
        """Draw these lines in place of those drawn before."""
        self._lines = lines
        if self._hidden:
            self._hidden = False
            self._console.show_cursor(False)
        self._console.print(Control())  # the hook draws

    def leave(self) -> None:
        """Leave the drawn lines where they are, because another program writes now. `show` begins below its text."""
        self._hidden = True
        self._drawn = []

    def stop(self) -> None:
        """End: text that is printed now goes below the view, and the cursor is visible again."""
        self._console.pop_render_hook()
        if self._drawn:
            self._console.line()
        self._console.show_cursor(True)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Erase the view, and draw it again below the text that is printed; rich calls this."""
        with self._lock:
            if self._hidden or not self._console.is_terminal:
                return renderables
            erased = _erase(rows_of(self._drawn, self._console.width))
            self._drawn = [line.cell_len for line in self._lines]
            return [erased, *renderables, _Lines(self._lines)]


class _Lines:
    """Renders lines without a line break behind the last one."""

    def __init__(self, lines: Sequence[Text]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for number, line in enumerate(self._lines):
            if number:
                yield Segment.line()
            yield from line.render(console)


def rows_of(lengths: Sequence[int], width: int) -> int:
    """Return how many rows lines of these lengths take on a terminal that breaks longer ones at its width."""
    return sum(max(1, -(-length // max(1, width))) for length in lengths)


def _erase(rows: int) -> Control:
    """Return the codes that erase the last rows, and put the cursor at the begin of the first."""
    if not rows:
        return Control()
    row = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
    return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *row * (rows - 1))
