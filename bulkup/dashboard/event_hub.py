"""Passes events on to the open pages.

A page that is slow to read gets only the newest event of each name, so it never makes the server keep more than that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import anyio


class Subscriber:
    """The events that a page has not got yet."""

    def __init__(self) -> None:
        self._pending: dict[str, tuple[str, Any]] = {}
        self._some = anyio.Event()
        self.closed = False

    def put(self, kind: str, name: str, value: Any) -> None:
        """Add an event. It replaces an earlier one of the same kind and name."""
        self._pending.pop(f"{kind} {name}", None)
        self._pending[f"{kind} {name}"] = (kind, value)
        self._some.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._some.set()

    async def take(self, timeout: float) -> list[tuple[str, Any]]:
        """Return the pending events with their kinds, after at most `timeout` seconds an empty list."""
        with anyio.move_on_after(timeout):
            await self._some.wait()
        self._some = anyio.Event()
        taken, self._pending = list(self._pending.values()), {}
        return taken


class EventHub:
    """The open streams."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._watched = anyio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscribers)

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[Subscriber]:
        """Take part in all events within a `with` block."""
        one = Subscriber()
        one.closed = self._closed
        self._subscribers.add(one)
        self._watched.set()
        try:
            yield one
        finally:
            self._subscribers.discard(one)
            if not self._subscribers:
                self._watched = anyio.Event()

    async def until_watched(self) -> None:
        """Wait until a page is open."""
        await self._watched.wait()

    def publish(self, kind: str, name: str, value: Any) -> None:
        """Give an event to all pages."""
        for one in self._subscribers:
            one.put(kind, name, value)

    def close(self) -> None:
        """End all streams, and those that begin later."""
        self._closed = True
        for one in self._subscribers:
            one.close()
