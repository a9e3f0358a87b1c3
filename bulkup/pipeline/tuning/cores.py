"""The number of cores that this process may use, and the number of idle ones."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

_STAT = "/proc/stat"
_OWN_GROUP = "/proc/self/cgroup"
_GROUPS = "/sys/fs/cgroup"


class Ticks(NamedTuple):
    """Times of some cores since the machine started, in ticks of the system."""

    idle: int
    all: int


def usable_cores() -> int:
    """Return the number of cores that this process may use, within its affinity and its control group's CPU limit."""
    bound = len(_bound()) or os.cpu_count() or 1
    return max(1, min(bound, round(_granted() or bound)))


class IdleCores:
    """Measures the number of usable cores that were idle since the last call."""

    def __init__(self) -> None:
        self._cores = usable_cores()
        self._bound = _bound()
        self._before = ticks_so_far()

    def since_last(self, used: float) -> float:
        """Return the number of idle cores; `used` is the number that this process used meanwhile."""
        before, self._before = self._before, ticks_so_far()
        if before is None or self._before is None:
            return max(0.0, self._cores - os.getloadavg()[0])
        passed = self._before.all - before.all
        idle = len(self._bound) * (self._before.idle - before.idle) / passed if passed > 0 else 0.0
        return min(idle, max(0.0, self._cores - used))


def ticks_so_far() -> Ticks | None:
    """Return the times of the cores that this process may run on, None if the system does not report them."""
    text = _read(_STAT)
    return None if text is None else ticks_of(text, _bound())


def ticks_of(stat: str, cores: Collection[int]) -> Ticks | None:
    """Return the times of these cores from the text of `/proc/stat`, None if it lists none of them (proc(5)). Pure."""
    idle = total = 0
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            # user, nice, system, idle, iowait, irq, softirq, steal; the first already includes the time of guests
            times = [int(number) for number in numbers[:8]]
            idle += times[3] + times[4]
            total += sum(times)
    return Ticks(idle, total) if total else None


def granted_by(cpu_max: str) -> float | None:
    """Return the number of cores that the text of a group's `cpu.max` grants, None for no limit (cgroups(7)). Pure."""
    quota, _, period = cpu_max.strip().partition(" ")
    try:
        return int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None


def _bound() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def _granted() -> float | None:
    own = (_read(_OWN_GROUP) or "").rpartition("0::")[2].strip()
    texts = [_read(f"{_GROUPS}{path}/cpu.max") for path in {own.rstrip("/"), ""}]
    return min(filter(None, (granted_by(text) for text in texts if text is not None)), default=None)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None
