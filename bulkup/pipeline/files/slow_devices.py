"""Decides by device whether the event loop opens files, or threads do. Pure.

Opening a file of a local disk takes some microseconds, and a visit to a thread ten times as long. On a network file
system it takes milliseconds, or for ever if the server has stopped, and the event loop can do nothing else meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """When a device counts as slow. Times are in seconds.

    After `in_a_row` opens of at least `slow`, or one of at least `stalled`, threads open the files of a device. After
    `pause` the event loop tries again, and after each further slow open it waits twice as long, up to `longest_pause`.
    """

    slow: float = 0.001
    stalled: float = 0.05
    in_a_row: int = 3
    pause: float = 1.0
    longest_pause: float = 60.0


OPENING = OpenOptions()


@dataclass(slots=True)
class _Device:
    pause: float
    slow_in_a_row: int = 0
    by_threads_until: float = field(default=-float("inf"))


class SlowDevices:
    """The devices of a run. The event loop opens no files of those that `is_remote` names."""

    def __init__(self, is_remote: Callable[[int], bool], options: OpenOptions = OPENING) -> None:
        self._options = options
        self._is_remote = is_remote
        self._devices: dict[int, _Device] = {}

    def by_threads(self, device: int, now: float) -> bool:
        """Return whether threads open files of this device."""
        state = self._devices.get(device)
        if state is None:
            state = self._devices[device] = _Device(self._options.pause)
            if self._is_remote(device):
                state.by_threads_until = float("inf")
        return now < state.by_threads_until

    def opened(self, device: int, seconds: float, now: float) -> None:
        """Note how long the event loop took to open a file of this device."""
        options, state = self._options, self._devices[device]
        if seconds < options.slow:
            if state.slow_in_a_row:
                state.slow_in_a_row, state.pause = 0, options.pause
            return
        state.slow_in_a_row += 1
        if state.slow_in_a_row >= options.in_a_row or seconds >= options.stalled:
            state.by_threads_until = now + state.pause
            state.pause = min(2 * state.pause, options.longest_pause)
            state.slow_in_a_row = options.in_a_row - 1  # one slow open shows that nothing has changed
