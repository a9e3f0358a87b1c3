"""How many of this machine's cores may be used, and how many are idle."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

_STAT = "/proc/stat"
_OWN_GROUP = "/proc/self/cgroup"
_GROUPS = "/sys/fs/cgroup"


class Ticks(NamedTuple):
    """Time of some cores since the machine started, in the system's ticks."""

    idle: int
    all: int


def usable_cores() -> int:
    """Return how many cores this process may use: those it is bound to, and no more than its group has the time of."""
    bound = len(_bound()) or os.cpu_count() or 1
    return max(1, min(bound, round(_granted() or bound)))


class IdleCores:
    """Tells how many of the usable cores were idle since it was asked last."""

    def __init__(self) -> None:
        self._cores = usable_cores()
        self._bound = _bound()
        self._before = ticks_so_far()

    def since_last(self, used: float) -> float:
        """Return how many were; `used` is how many this process used meanwhile, which its group may have no more of."""
        before, self._before = self._before, ticks_so_far()
        if before is None or self._before is None:
            return max(0.0, self._cores - os.getloadavg()[0])
        passed = self._before.all - before.all
        idle = len(self._bound) * (self._before.idle - before.idle) / passed if passed > 0 else 0.0
        return min(idle, max(0.0, self._cores - used))


def ticks_so_far() -> Ticks | None:
    """Return the time of the cores that this process is bound to, None where the system does not tell."""
    text = _read(_STAT)
    return None if text is None else ticks_of(text, _bound())


def ticks_of(stat: str, cores: Collection[int]) -> Ticks | None:
    """Return the time of these cores out of the text of `/proc/stat`, None where they are not in it (proc(5)). Pure."""
    idle = total = 0
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            # user, nice, system, idle, iowait, irq, softirq, steal; what guests use is in the first already
            times = [int(number) for number in numbers[:8]]
            idle += times[3] + times[4]
            total += sum(times)
    return Ticks(idle, total) if total else None


def granted_by(cpu_max: str) -> float | None:
    """Return how many cores' time the text of a group's `cpu.max` grants, None for no limit (cgroups(7)). Pure."""
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
