"""When sending processes are worth a try, and whether to keep them: by what comes of the run with and without. Pure.

A run begins without any. Where this process has used up a core for half a second while files waited and cores were
idle, some are started. They are kept where the goodput is clearly higher then than it was until they were ready; else
they are withdrawn, and not tried again for a long time. What they cost elsewhere, to a store on the same machine for
example, is so weighed as well.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from statistics import median

MOST = 8
_BUSY = 0.85  # of one core
_IDLE = 0.5  # cores
_SOON = 2  # windows; a start costs little, and until then one core does all
_WINDOWS = 4
_SETTLING = 4  # windows until it shows what processes bring
_GAIN = 1.10
_PATIENCE = 240  # windows for processes to become ready
_LONG = 2400  # windows


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen for a part of a second.

    `work` is goodput, in whatever unit stays the same. `cores` is how many this process used on average, `idle` how
    many nobody used. `waiting` says that files waited for a worker; `ready` is how many processes take attempts.
    """

    work: float
    cores: float
    idle: float
    waiting: bool
    ready: int


class _Stage(enum.Enum):
    ALONE = enum.auto()
    STARTING = enum.auto()
    TRYING = enum.auto()
    KEPT = enum.auto()


class ProcessTrial:
    """Takes one window after the other, and says how many processes there should be; `cores` may be used at all."""

    def __init__(self, cores: int) -> None:
        self._most = min(MOST, cores - 1)
        self._stage = _Stage.ALONE
        self._work: deque[float] = deque(maxlen=_WINDOWS)
        self._before = 0.0
        self._wanted = 0
        self._left = 0  # windows until one counts, that one included

    def take(self, seen: Window) -> int:
        """Take what was seen; return how many processes are wanted."""
        self._left = max(0, self._left - 1)
        match self._stage:
            case _Stage.ALONE:
                self._alone(seen)
            case _Stage.STARTING:
                self._starting(seen)
            case _Stage.TRYING:
                self._trying(seen)
        return self._wanted

    @property
    def kept(self) -> bool:
        """Say whether they were found to be worth it."""
        return self._stage is _Stage.KEPT

    def _alone(self, seen: Window) -> None:
        if self._most < 1 or self._left or not (seen.waiting and seen.cores >= _BUSY and seen.idle >= _IDLE):
            self._work.clear()
            return
        self._work.append(seen.work)
        if len(self._work) == _SOON:
            self._wanted = min(self._most, max(1, round(seen.idle)))
            self._stage = _Stage.STARTING
            self._pass(_PATIENCE)

    def _starting(self, seen: Window) -> None:
        if not seen.ready:
            self._work.append(seen.work)
        if seen.ready >= self._wanted:
            self._before = median(self._work)
            self._work.clear()
            self._stage = _Stage.TRYING
            self._pass(_SETTLING)
        elif not self._left:
            self._withdraw()

    def _trying(self, seen: Window) -> None:
        if self._left:
            return
        self._work.append(seen.work)
        if len(self._work) < _WINDOWS:
            return
        if median(self._work) >= _GAIN * self._before:
            self._stage = _Stage.KEPT
        else:
            self._withdraw()

    def _withdraw(self) -> None:
        self._work.clear()
        self._wanted = 0
        self._stage = _Stage.ALONE
        self._pass(_LONG)

    def _pass(self, windows: int) -> None:
        """Have so many windows pass before the one that counts again."""
        self._left = windows + 1
