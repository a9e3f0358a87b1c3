"""A heap of things that may not be touched before a time; the time is always passed in."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class DelayQueue(Generic[T]):
    """Keeps values with a "not before" time and hands them out, earliest first, once they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, value: T, not_before: float) -> None:
        """Keep `value` until `not_before`."""
        heapq.heappush(self._heap, (not_before, next(self._order), value))

    def __iter__(self) -> Iterator[T]:
        return (value for _, _, value in self._heap)

    def pop_due(self, now: float, most: int | None = None) -> list[T]:
        """Take out what is due at `now`, the earliest first, and no more than `most`."""
        due: list[T] = []
        while self._heap and self._heap[0][0] <= now and (most is None or len(due) < most):
            due.append(heapq.heappop(self._heap)[2])
        return due

    def next_due(self) -> float | None:
        """Return when the earliest value is due, None when nothing is kept."""
        return self._heap[0][0] if self._heap else None

    def drain(self) -> list[T]:
        """Take out everything, due or not."""
        values = [value for _, _, value in self._heap]
        self._heap.clear()
        return values
