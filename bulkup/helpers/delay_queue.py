"""A queue of values, each with the time from which it may be taken out. The time is always passed in."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class DelayQueue(Generic[T]):
    """Keeps values with a "not before" time, and returns those that are due, the earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, value: T, not_before: float) -> None:
        """Add a value that is due at `not_before`."""
        heapq.heappush(self._heap, (not_before, next(self._order), value))

    def __iter__(self) -> Iterator[T]:
        return (value for _, _, value in self._heap)

    def pop_due(self, now: float, limit: int | None = None) -> list[T]:
        """Remove and return the values that are due at `now`, the earliest first, at most `limit` of them."""
        due: list[T] = []
        while self._heap and self._heap[0][0] <= now and (limit is None or len(due) < limit):
            due.append(heapq.heappop(self._heap)[2])
        return due

    def next_due(self) -> float | None:
        """Return the time at which the earliest value is due, None if the queue is empty."""
        return self._heap[0][0] if self._heap else None

    def drain(self) -> list[T]:
        """Remove and return all values, due or not."""
        values = [value for _, _, value in self._heap]
        self._heap.clear()
        return values
