"""Files that wait, with their tickets, until the host that they go to has room for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from bulkup.model.items import Item
from bulkup.pipeline.policy.host_gate import HostGate


class Held:
    """First come, first served, host by host. `on_room` is called when there may be room for somebody."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._by_gate: dict[HostGate, deque[Item]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_gate.values()))

    def add(self, item: Item, gate: HostGate) -> None:
        """Keep a file that found no room."""
        if gate not in self._by_gate:
            self._by_gate[gate] = deque()
            gate.on_room(self._on_room)
        self._by_gate[gate].append(item)

    def pop_admitted(self, now: float) -> Iterator[Item]:
        """Take out the files that there is room for."""
        for gate, items in self._by_gate.items():
            for _ in range(gate.room(now, len(items))):
                yield items.popleft()

    def opening_times(self) -> list[float]:
        """Return when the gates open that somebody waits for; monotonic, and past where they are open."""
        return [gate.closed_until for gate, items in self._by_gate.items() if items]

    def drain(self) -> list[Item]:
        """Take out everything."""
        items = [item for waiting in self._by_gate.values() for item in waiting]
        for waiting in self._by_gate.values():
            waiting.clear()
        return items
