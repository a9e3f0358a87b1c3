"""Whether sending processes are worth their cost: a trial that compares the goodput with them and without.

Theory of operation
-------------------

A run begins in one process. The trial takes one window after another, a part of a second each, and returns the wanted
number of sending processes.

    alone      no sending process
    starting   processes start; the run's own process still makes the attempts
    trying     all of them make attempts, and their goodput is measured
    kept       they were worth it; the trial is over

    state      event                                                           next state
    alone      `first_windows` windows in a row in which this process used     starting
               up a core, files waited for a worker and a core was idle
    starting   all processes are ready                                         trying
    starting   `start_windows` windows have passed                             alone, `pause_windows` without a trial
    trying     the median of `windows` windows is `gain` times the goodput     kept
               before, or more
    trying     it is less                                                      alone, `pause_windows` without a trial

The goodput before is measured until the first process is ready, because a run speeds up in its first second. The first
`settling_windows` windows with all processes do not count: connections are opened and caches filled.

The goodput of the whole run is compared. It includes the costs of processes elsewhere, such as in a store on the same
machine.

Invariants:

- At most `most` processes, and one core fewer than may be used: the run's own process needs one.
- From `kept` no event leads away.

Pure.
"""

from __future__ import annotations

import enum
from collections import deque

from bulkup.helpers.median import median
from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ProcessTrialOptions:
    """When processes are tried and kept. `window` is in seconds; other times are numbers of windows.

    `busy` is the share of a core that this process must use up, `idle` the number of cores that must be idle.
    """

    window: float = 0.25
    most: int = 8
    busy: float = 0.85
    idle: float = 0.5
    first_windows: int = 2  # few: a start is cheap, and until then one core does all the work
    start_windows: int = 240
    settling_windows: int = 4
    windows: int = 4
    gain: float = 1.10
    pause_windows: int = 2400


@dataclass(frozen=True, slots=True)
class Window:
    """The measurements of one window.

    `work` is the goodput, in any constant unit. `cores` is the average number of cores that this process used, `idle`
    the number of idle ones. `waiting` says whether files waited for a worker; `ready` is the number of processes that
    take attempts.
    """

    work: float
    cores: float
    idle: float
    waiting: bool
    ready: int


class _State(enum.Enum):
    ALONE = enum.auto()
    STARTING = enum.auto()
    TRYING = enum.auto()
    KEPT = enum.auto()


class ProcessTrial:
    """Takes windows and returns the wanted number of processes; `cores` is the number of cores that may be used."""

    def __init__(self, cores: int, options: ProcessTrialOptions) -> None:
        self._options = options
        self._most = min(options.most, cores - 1)
        self._state = _State.ALONE
        self._work: deque[float] = deque(maxlen=options.windows)
        self._before = 0.0
        self._wanted = 0
        self._left = 0  # windows until one counts, including that one

    def take(self, seen: Window) -> int:
        """Take a window; return the wanted number of processes."""
        self._left = max(0, self._left - 1)
        match self._state:
            case _State.ALONE:
                self._alone(seen)
            case _State.STARTING:
                self._starting(seen)
            case _State.TRYING:
                self._trying(seen)
        return self._wanted

    @property
    def kept(self) -> bool:
        """Return whether the processes were found to be worth it."""
        return self._state is _State.KEPT

    def _alone(self, seen: Window) -> None:
        short = seen.waiting and seen.cores >= self._options.busy and seen.idle >= self._options.idle
        if self._most < 1 or self._left or not short:
            self._work.clear()
            return
        self._work.append(seen.work)
        if len(self._work) == self._options.first_windows:
            self._wanted = min(self._most, max(1, round(seen.idle)))
            self._state = _State.STARTING
            self._pass(self._options.start_windows)

    def _starting(self, seen: Window) -> None:
        if not seen.ready:
            self._work.append(seen.work)
        if seen.ready >= self._wanted:
            self._before = median(self._work)
            self._work.clear()
            self._state = _State.TRYING
            self._pass(self._options.settling_windows)
        elif not self._left:
            self._withdraw()

    def _trying(self, seen: Window) -> None:
        if self._left:
            return
        self._work.append(seen.work)
        if len(self._work) < self._options.windows:
            return
        if median(self._work) >= self._options.gain * self._before:
            self._state = _State.KEPT
        else:
            self._withdraw()

    def _withdraw(self) -> None:
        self._work.clear()
        self._wanted = 0
        self._state = _State.ALONE
        self._pass(self._options.pause_windows)

    def _pass(self, windows: int) -> None:
        """Ignore the next `windows` windows."""
        self._left = windows + 1
