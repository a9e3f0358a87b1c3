"""Progress during a run on a terminal: a live view. Elsewhere `progress_log` shows it.

The caller starts `run_until_cancelled` in a task group and cancels it at the end of the run; then the last state is
shown, without the files that were being sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import anyio
from rich.console import Console
from rich.text import Text

from bulkup.model.progress import Progress
from bulkup.reports.display_lines import progress_lines
from bulkup.reports.live_view import LiveView

REFRESH_SECONDS = 0.5

Sleep = Callable[[float], Awaitable[None]]


class ProgressDisplay:
    """The live view. `console` should be the `ErrorConsole` that `configure_logging` received.

    While the terminal is not `ours`, as after Ctrl-Z and `bg`, nothing is drawn. The next view begins below the text of
    the shell. The width may change at any time.

    While there is no `progress`, as between the runs of a watch, the lines are those of `idle`, which is called with
    the width.
    """

    def __init__(
        self,
        console: Console,
        progress: Callable[[], Progress | None],
        *,
        verbose: bool = False,
        idle: Callable[[int], Sequence[str]] = lambda _: (),
        ours: Callable[[], bool] = lambda: True,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        self._console = console
        self._progress = progress
        self._verbose = verbose
        self._idle = idle
        self._ours = ours
        self._sleep = sleep
        self._view = LiveView(console)

    async def run_until_cancelled(self) -> None:
        """Refresh twice a second until cancelled. If the terminal is closed, the view ends and the run continues."""
        started = self._guarded(self._view.start)
        try:
            self._guarded(self._refresh)
            while True:
                await self._sleep(REFRESH_SECONDS)
                self._guarded(self._refresh)
        finally:
            if started:
                self._guarded(self._refresh_at_last)
                self._guarded(self._view.stop)

    def left(self) -> None:
        """Note that another program writes on the terminal from now on, because this one is stopped."""
        self._view.leave()

    def _refresh(self) -> None:
        if not self._ours():
            self._view.leave()
            return
        self._draw(self._progress())

    def _refresh_at_last(self) -> None:
        if self._ours():
            progress = self._progress()
            self._draw(None if progress is None else dataclasses.replace(progress, sending=(), depths={}))

    def _draw(self, progress: Progress | None) -> None:
        width, height = self._console.size
        if progress is not None:
            self._view.show(progress_lines(progress, width, height - 1, verbose=self._verbose))
            return
        lines = [Text(line) for line in self._idle(width)]
        for line in lines:
            line.truncate(max(1, width - 1), overflow="ellipsis")
        self._view.show(lines[: max(1, height - 1)])

    def _guarded(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except OSError:
            self._console.quiet = True
            return False
        return True
