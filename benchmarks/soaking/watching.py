"""Sample the resident memory and open descriptors of the processes, twice a second."""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

EVERY = 0.5  # seconds
_WARM_UP = 60  # ignored samples of each process, while it starts and fills its caches
_MIB = 1024**2
_LEAST = 400  # with fewer samples, the first tenth would be the start of the process


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure of one process over time: medians of the first and the last tenth of its samples, and its peak."""

    first: float
    last: float
    peak: float
    samples: int

    @property
    def ratio(self) -> float:
        """Return the last tenth divided by the first."""
        return self.last / self.first if self.first else 0.0

    def within(self, bound: float) -> bool | None:
        """Return whether the ratio is within the bound, None if there are too few samples."""
        return self.ratio <= bound if self.samples >= _LEAST else None


def trend(samples: Sequence[float]) -> Trend:
    """Return the trend of samples in the order in which they were taken."""
    if not samples:
        return Trend(0.0, 0.0, 0.0, 0)
    tenth = max(1, len(samples) // 10)
    return Trend(statistics.median(samples[:tenth]), statistics.median(samples[-tenth:]), max(samples), len(samples))


@dataclass(slots=True)
class Series:
    """The samples of one process: MiB and descriptors."""

    memory: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)


class Sampler:
    """The samples of every process, by role."""

    def __init__(self) -> None:
        self._watched: dict[str, tuple[psutil.Process, Series]] = {}
        self._all: dict[str, list[Series]] = {}

    def watch(self, role: str, pid: int) -> None:
        """Sample this process from now on, instead of the earlier one with this role."""
        series = Series()
        self._all.setdefault(role, []).append(series)
        with contextlib.suppress(psutil.Error):
            self._watched[role] = (psutil.Process(pid), series)

    def look(self) -> None:
        """Take one sample of each running process."""
        for process, series in list(self._watched.values()):
            with contextlib.suppress(psutil.Error):
                memory, descriptors = process.memory_info().rss / _MIB, process.num_fds()
                series.memory.append(memory)
                series.descriptors.append(descriptors)

    def trends(self, role: str) -> tuple[Trend, Trend]:
        """Return memory and descriptors of the process that lived longest. The peaks are those of all processes of the
        role."""
        every = self._all.get(role, [])
        longest = max(every, key=lambda series: len(series.memory), default=Series())
        memory, descriptors = trend(longest.memory[_WARM_UP:]), trend(longest.descriptors[_WARM_UP:])
        peak = max((max(series.memory, default=0.0) for series in every), default=0.0)
        most = max((max(series.descriptors, default=0.0) for series in every), default=0.0)
        return (
            Trend(memory.first, memory.last, peak, memory.samples),
            Trend(descriptors.first, descriptors.last, most, descriptors.samples),
        )


class Watch:
    """Calls functions twice a second in a thread. Use it as a context manager.

    An exception in the thread is raised at the end of the context. Otherwise a watch that failed would look like a good
    result.
    """

    def __init__(self, *looks: Callable[[], None]) -> None:
        self._looks = looks
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _work(self) -> None:
        try:
            while not self._over.wait(EVERY):
                for look in self._looks:
                    look()
        except BaseException as error:  # noqa: BLE001 - raised again at the end of the context
            self._error = error
