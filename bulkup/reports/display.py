"""Progress during a run on a terminal: a live view. Elsewhere `progress_log` shows it.

The caller starts `run_until_cancelled` in a task group and cancels it at the end of the run; then the last state is
shown, without the files that were being sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import anyio
from rich.console import Console

from bulkup.model.progress import Progress
from bulkup.reports.display_lines import progress_lines
from bulkup.reports.live_view import LiveView

REFRESH_SECONDS = 0.5

Sleep = Callable[[float], Awaitable[None]]


class ProgressDisplay:
    """The live view. `console` should be the `ErrorConsole` that `configure_logging` received.

    While the terminal is not `ours`, as after Ctrl-Z and `bg`, nothing is drawn. The next view begins below the text of
    the shell. The width may change at any time.
    """

    def __init__(
        self,
        console: Console,
        progress: Callable[[], Progress],
        *,
        verbose: bool = False,
        ours: Callable[[], bool] = lambda: True,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        self._console = console
        self._progress = progress
        self._verbose = verbose
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
            self._draw(dataclasses.replace(self._progress(), sending=(), depths={}))

    def _draw(self, progress: Progress) -> None:
        width, height = self._console.size
        self._view.show(progress_lines(progress, width, height - 1, verbose=self._verbose))

    def _guarded(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except OSError:
            self._console.quiet = True
            return False
        return True
