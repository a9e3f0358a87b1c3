"""How many sending processes a run starts (`processes = "auto"`): as many as its backlog pays for.

Theory of operation
-------------------

A run begins in one process. A sending process costs about a tenth of a second of CPU time at its start, and some
memory. From then on this process only decides and records, in half of its time or less. So a process pays if this
process has used up a core, another core is idle, and some seconds of work are left.

    state      event                                                             next state
    alone      `windows` windows in a row that are short of cores, and a         started
               backlog of `worth` seconds
    started    none: processes are not withdrawn

A window is short of cores if this process used up one, files waited for a worker and `idle` cores were idle.

The backlog is the work left, divided by the present rate. While the sources are still walked, the end of the run is
unknown: the walk is only some thousand files ahead. Then the run is expected to take at least half as long again as it
has taken so far. This also means that a run of a few seconds starts no process.

One process is started for each idle core.

Invariants:

- At most `most` processes, and one core fewer than may be used: the run's own process needs one.
- The number does not change once it is above zero.

Pure.
"""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ProcessPlanOptions:
    """When processes are started. `window` and `worth` are in seconds.

    `busy` is the share of a core that this process must use up, `idle` the number of cores that must be idle. A store
    on the same machine leaves less than one of two cores idle.
    """

    window: float = 0.25
    most: int = 8
    busy: float = 0.85
    idle: float = 0.4
    windows: int = 2
    worth: float = 2.0


@dataclass(frozen=True, slots=True)
class Window:
    """The measurements of one window.

    `lasted` are the seconds since the first file was sent. `work` is the goodput per second, `left` the work of the
    files that were found and are not settled, in the same unit; `all_found` says that there will be no others. `cores`
    is the average number of cores that this process used, `idle` the number of idle ones. `waiting` says whether files
    waited for a worker.
    """

    lasted: float
    work: float
    left: float
    all_found: bool
    cores: float
    idle: float
    waiting: bool


class ProcessPlan:
    """Takes windows and returns the wanted number of processes; `cores` is the number of cores that may be used."""

    def __init__(self, cores: int, options: ProcessPlanOptions) -> None:
        self._options = options
        self._most = min(options.most, cores - 1)
        self._short = 0  # windows in a row
        self._wanted = 0

    def take(self, seen: Window) -> int:
        """Take a window; return the wanted number of processes."""
        if self._wanted or self._most < 1:
            return self._wanted
        options = self._options
        short = seen.waiting and seen.cores >= options.busy and seen.idle >= options.idle
        self._short = self._short + 1 if short else 0
        if self._short >= options.windows and _backlog(seen) >= options.worth:
            self._wanted = min(self._most, max(1, round(seen.idle)))
        return self._wanted


def _backlog(seen: Window) -> float:
    """Return the least number of seconds that the run still takes, at the present rate."""
    known = seen.left / seen.work if seen.work else 0.0
    return known if seen.all_found else max(known, seen.lasted / 2)
