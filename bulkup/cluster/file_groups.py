"""Decides which worker gets which files, in groups by bytes and count. Pure.

A worker should never run dry, and none should have much more to do than the others at the end. So each has as many
files in flight as it sends in a few seconds, and the next group goes to the one that has the least work for its speed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from bulkup.cluster.assignments import Assigned
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.helpers.quick_dataclass import dataclass

_MEMORY = 4.0  # seconds after which an earlier speed counts little


@dataclass(slots=True)
class Load:
    """The files and bytes that a worker holds, and how many of each it settles per second."""

    files: int = 0
    bytes: int = 0
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0

    def note(self, files: int, size: int, seconds: float) -> None:
        """Take the files and bytes that were settled in the last `seconds`."""
        if seconds > 0:
            weight = min(1.0, seconds / _MEMORY)
            self.files_per_second += weight * (files / seconds - self.files_per_second)
            self.bytes_per_second += weight * (size / seconds - self.bytes_per_second)


def window(load: Load, options: ClusterOptions) -> tuple[int, int]:
    """Return the files and bytes that a worker should hold."""
    files = max(options.least_files, int(load.files_per_second * options.window))
    size = max(options.least_bytes, int(load.bytes_per_second * options.window))
    return min(files, options.most_files), min(size, options.most_bytes)


def room(load: Load, options: ClusterOptions) -> tuple[int, int]:
    """Return the files and bytes that a worker may get now. A worker with few files gets some, whatever their size."""
    files, size = window(load, options)
    left = files - load.files
    fewest = options.fewest_files - load.files
    return (left, size - load.bytes) if load.bytes < size else (min(left, fewest), 0)


def fullness(load: Load, options: ClusterOptions) -> float:
    """Return the part of its window that a worker holds; the worker with the least gets the next group."""
    files, size = window(load, options)
    return max(load.files / files, load.bytes / size)


def least_loaded(loads: Sequence[Load], options: ClusterOptions) -> int | None:
    """Return the place of the load that the next group goes to, None if no worker has room."""
    with_room = [place for place, load in enumerate(loads) if room(load, options)[0] > 0]
    return min(with_room, key=lambda place: fullness(loads[place], options), default=None)


def take_group(waiting: deque[Assigned], load: Load, options: ClusterOptions, workers: int) -> list[Assigned]:
    """Take the next group out of the files that wait, for a worker with room.

    Where few files wait, each of the workers should get some. But each group and its reports cost the coordinator
    calls, so the worker gets work for `group_seconds` at least. Its speed is not known at first.
    """
    most, size = room(load, options)
    size = min(size, options.group_bytes)
    share = max(-(-len(waiting) // max(1, workers)), int(load.files_per_second * options.group_seconds))
    most = min(most, options.group_files, max(1, share))
    group: list[Assigned] = []
    while waiting and len(group) < most:
        file = waiting.popleft()
        group.append(file)
        size -= file.item.file.identity.size
        if size <= 0:
            break
    return group
