"""How long sending files took, and the files that took longest or have most bytes, in bounded memory."""

from __future__ import annotations

import heapq

from bulkup.model.files import FoundFile
from bulkup.model.histogram import Histogram

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds
LARGE_BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
SMALL = 1024**2  # bytes
NOTED = 20


class TopFiles:
    """The `NOTED` files of the highest rank. `floor` is the rank that a further one has to exceed."""

    __slots__ = ("_heap", "_number", "floor")

    def __init__(self) -> None:
        self.floor = -1.0
        self._heap: list[tuple[float, int, FoundFile, float, int]] = []
        self._number = 0  # so that two files of one rank are never compared

    def note(self, rank: float, file: FoundFile, seconds: float, attempts: int) -> None:
        """Take a file whose rank exceeds `floor`."""
        self._number -= 1
        entry = (rank, self._number, file, seconds, attempts)
        if len(self._heap) < NOTED:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heapreplace(self._heap, entry)
        if len(self._heap) == NOTED:
            self.floor = self._heap[0][0]

    def files(self) -> list[tuple[FoundFile, float, int]]:
        """Return the files with their seconds and attempts, the highest rank first, each file once."""
        found: dict[tuple[bytes, bytes], tuple[FoundFile, float, int]] = {}
        for _, _, file, seconds, attempts in sorted(self._heap, reverse=True):
            found.setdefault((file.source.root, file.path), (file, seconds, attempts))
        return list(found.values())


class SentFiles:
    """The durations of attempts that storage accepted, and the files that stand out.

    `small` has the durations of attempts of up to 1 MiB, for which the latency counts, `large` those of more bytes.
    """

    __slots__ = ("large", "largest", "slowest", "small")

    def __init__(self) -> None:
        self.small = Histogram(BOUNDS)
        self.large = Histogram(LARGE_BOUNDS)
        self.slowest = TopFiles()
        self.largest = TopFiles()

    def attempt(self, size: int, seconds: float) -> None:
        """Count the duration of an attempt that sent `size` bytes."""
        (self.small if size <= SMALL else self.large).add(seconds)

    def file(self, file: FoundFile, seconds: float, attempts: int) -> None:
        """Note a whole file that storage has."""
        if seconds > self.slowest.floor:
            self.slowest.note(seconds, file, seconds, attempts)
        if file.identity.size > self.largest.floor:
            self.largest.note(file.identity.size, file, seconds, attempts)
