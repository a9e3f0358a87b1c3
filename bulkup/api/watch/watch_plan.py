"""The next step of a watch: a run of all files, a run of those that have settled, or a pause.

    the beginning, a source that came back, lost events    look at all files
    the time of the nightly rescan                         look at all files, once nothing else is to be done
    paths have settled                                     upload them
    a run broke off                                        nothing, for a pause that doubles from 1 to 15 minutes

A rescan that is due does not wait for quiet longer than `longest_wait`: a folder in which something arrives all the
time is looked through as well.

Pure: times are Unix seconds for the rescan, monotonic seconds otherwise.
"""

from __future__ import annotations

import enum
from collections import deque

from bulkup.errors import ExitCode
from bulkup.helpers.quick_dataclass import dataclass

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """The times of a watch, in seconds.

    A file has settled if it did not change for `settle`, unless `min_age` is longer. Two runs begin at least `interval`
    apart; once there were `many` runs within an hour, it is `long_interval`. So a folder in which something arrives all
    the time does not get a run for each file, and its runs do not fill the journal. Runs are forgotten after `kept`.

    At most `most_pending` paths are kept. After a run that broke off comes a pause, from `first_pause` to
    `longest_pause`. Every `look` the sources are looked at: one may be unmounted or replaced. Without events of the
    file system, all files are looked at every `poll`. A sleep ends after `longest_sleep`, because the clock may be set.
    """

    settle: float = 5.0
    interval: float = 10.0
    long_interval: float = 60.0
    many: int = 60
    kept: float = 14 * 86_400.0
    most_pending: int = 50_000
    first_pause: float = 60.0
    longest_pause: float = 900.0
    longest_wait: float = 3600.0
    look: float = 5.0
    poll: float = 300.0
    longest_sleep: float = 15.0


class RunDistance:
    """When the last runs began, for the time between two of them."""

    def __init__(self, options: WatchOptions) -> None:
        self._options = options
        self._begun: deque[float] = deque(maxlen=options.many)

    def begin(self, now: float) -> float:
        """Note that a run begins at `now`, and return when the next one may begin."""
        options, begun = self._options, self._begun
        begun.append(now)
        busy = len(begun) == options.many and now - begun[0] < _HOUR
        return now + (options.long_interval if busy else options.interval)


class WatchStep(enum.Enum):
    """A step of a watch."""

    SCAN = "look at all files of the sources"
    SEND = "upload what has settled"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Outlook:
    """The situation of a watch at `now`, and at `unix` by the clock of the wall.

    `settled_at` is when the next path will have settled, None if none is pending. `scan_wanted` says that all files
    have to be looked at now, `rescan_at` when that is due in any case. No run begins before `not_before`.
    """

    now: float
    unix: float
    settled_at: float | None
    scan_wanted: bool
    rescan_at: float
    not_before: float


def next_step(seen: Outlook, options: WatchOptions) -> tuple[WatchStep, float]:
    """Return the step to take now, and for `WAIT` its longest time in seconds."""
    if seen.now < seen.not_before:
        return WatchStep.WAIT, min(seen.not_before - seen.now, options.longest_sleep)
    if seen.scan_wanted:
        return WatchStep.SCAN, 0.0
    settled = seen.settled_at is not None and seen.settled_at <= seen.now
    if seen.unix >= seen.rescan_at + (options.longest_wait if settled else 0.0):
        return WatchStep.SCAN, 0.0
    if settled:
        return WatchStep.SEND, 0.0
    waits = [options.longest_sleep, seen.rescan_at - seen.unix]
    waits += [seen.settled_at - seen.now] if seen.settled_at is not None else []
    return WatchStep.WAIT, max(0.0, min(waits))


class RunEffect(enum.Enum):
    """The effect of a run on its watch."""

    GOOD = "its files are settled; those that failed are tried again by the next rescan"
    BROKEN = "it broke off: its files are tried again after a pause"
    LAST = "the watch ends"


# A run that ends with one of these has an error that only a person can mend, or was asked to end.
_LAST = frozenset(
    {ExitCode.USAGE, ExitCode.LOCKED, ExitCode.MACHINE, ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM}
)


def effect_of(exit_code: int, *, has_error: bool, first: bool) -> RunEffect:
    """Return the effect of a run on its watch. `has_error` says that it broke off.

    The `first` run shows whether the settings are right, so a service that cannot be used then ends the watch.
    """
    if exit_code in _LAST or (first and exit_code == ExitCode.SERVICE):
        return RunEffect.LAST
    return RunEffect.BROKEN if has_error or exit_code == ExitCode.SERVICE else RunEffect.GOOD


def next_pause(before: float, options: WatchOptions) -> float:
    """Return the pause after a run that broke off; `before` is that of the run before it, 0 if that was good."""
    return min(options.longest_pause, max(options.first_pause, 2 * before))
