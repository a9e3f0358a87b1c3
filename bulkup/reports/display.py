"""Progress during a run on a terminal: a live view. Elsewhere `progress_log` shows it.

The caller starts `run_until_cancelled` in a task group and cancels it at the end of the run; then the last state is
shown. A failed attempt does not count as progress, but the rate counts all bytes sent. The percentage and the remaining
time appear when the scan is done, because the total is unknown before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from bulkup.helpers.clock import Clock
from bulkup.model.counters import Counters, Gauge
from bulkup.reports.formatting import count_text, duration_text, rate_text, size_text
from bulkup.reports.progress_log import PROBLEMS
from bulkup.reports.progress_rate import Progress, ProgressMeter
from bulkup.reports.safe_text import printable

REFRESH_SECONDS = 0.5
_BAR_WIDTH = 60

Sleep = Callable[[float], Awaitable[None]]


class ProgressDisplay:
    """The live view. `console` should be the `ErrorConsole` that `configure_logging` received."""

    def __init__(self, console: Console, gauge: Gauge, clock: Clock, *, sleep: Sleep = anyio.sleep) -> None:
        self._console = console
        self._gauge = gauge
        self._clock = clock
        self._sleep = sleep
        self._meter = ProgressMeter(gauge.counters)

    async def run_until_cancelled(self) -> None:
        """Refresh twice a second until cancelled. If the terminal is closed, the view ends and the run continues."""
        # Standard output is not redirected, because its text is not meant for this console.
        live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
        started = self._guarded(lambda: self._start(live))
        try:
            while True:
                await self._sleep(REFRESH_SECONDS)
                self._guarded(lambda: self._refresh(live))
        finally:
            if started:  # rich raises an error if a view that could not start is stopped
                self._guarded(lambda: self._stop(live))

    def _start(self, live: Live) -> None:
        live.update(self._view())
        live.start(refresh=True)

    def _refresh(self, live: Live) -> None:
        live.update(self._view(), refresh=True)

    def _stop(self, live: Live) -> None:
        live.update(self._view())
        live.stop()

    def _view(self) -> RenderableType:
        pace = self._meter.sample(self._clock.monotonic())
        return progress_view(self._gauge.counters, pace, self._gauge.depths())

    def _guarded(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except OSError:
            self._console.quiet = True
            return False
        return True


def progress_view(counters: Counters, pace: Progress, depths: Mapping[str, int]) -> Group:
    """Return the view for the terminal, which wraps to any width."""
    rows: list[RenderableType] = []
    if pace.percent is not None:
        # Without padding, a bar does not end its line, and the next text would be cut off at the terminal's edge.
        rows.append(Padding(ProgressBar(total=100, completed=pace.percent, width=_BAR_WIDTH)))
    rows.append(Text(", ".join(_progress_parts(counters, pace))))
    if problems := _listed({name: getattr(counters, name) for name in PROBLEMS}, nonzero=True):
        rows.append(Text(problems, style="yellow"))
    if stages := _listed({**depths, "concurrency": counters.concurrency}, nonzero=True):
        rows.append(Text(stages, style="dim"))
    return Group(*rows)


def _progress_parts(counters: Counters, pace: Progress) -> list[str]:
    files = f"{counters.settled:,}/{count_text(counters.found, 'file')}"
    size = f"{size_text(counters.bytes_done)}/{size_text(counters.bytes_found)}"
    if pace.percent is None:
        return ["scanning...", files, size, rate_text(pace.rate)]
    parts = [f"{pace.percent}%", files, size, rate_text(pace.rate)]
    if pace.percent == 100:
        return parts
    return [*parts, "time left unknown" if pace.eta is None else f"{duration_text(pace.eta)} left"]


def _listed(figures: Mapping[str, int], *, nonzero: bool = False) -> str:
    shown = {name: number for name, number in figures.items() if number or not nonzero}
    return ", ".join(f"{printable(name)} {number:,}" for name, number in shown.items())
