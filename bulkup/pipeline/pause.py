"""Whether a run is paused, and from when on its time limits count.

    running --pause--> paused     no attempt and no API call begins; those under way end
    paused --resume--> running    the stages look again, and leases that ended meanwhile are renewed

Files, calls and hosts are tried for `retry_for` seconds. The time of a pause does not count, because nothing was tried
in it. After a resume each of them has the whole time again, so no file fails because of a pause. Leases of tickets and
the limits of the run, such as `--max-duration`, go on.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bulkup.model.progress import RunState


class Pause:
    """The pause of one run. `on` says whether it is paused now. Stages that hold files back listen to its changes."""

    def __init__(self) -> None:
        self.on = False
        self._resumed_at = -math.inf
        self._begun_at = 0.0
        self._before = 0.0  # seconds of pauses that have ended
        self._listeners: list[Callable[[], None]] = []
        self._begin_listeners: list[Callable[[], None]] = []

    def on_begin(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the run is paused."""
        self._begin_listeners.append(listener)

    def on_resume(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the run is resumed."""
        self._listeners.append(listener)

    def begin(self, now: float) -> bool:
        """Pause the run. Return whether it was running."""
        if self.on:
            return False
        self.on, self._begun_at = True, now
        for listener in self._begin_listeners:
            listener()
        return True

    def end(self, now: float) -> bool:
        """Resume the run. Return whether it was paused."""
        if not self.on:
            return False
        self._before = self.seconds(now)
        self.on, self._resumed_at = False, now
        for listener in self._listeners:
            listener()
        return True

    def seconds(self, now: float) -> float:
        """Return for how long the run was paused so far."""
        return self._before + (now - self._begun_at if self.on else 0.0)

    def counts_from(self, now: float) -> float:
        """Return the time from which limits such as `retry_for` count at the earliest: none of it was paused."""
        return now if self.on else self._resumed_at


def run_state(*, paused: bool, stopping: bool) -> RunState:
    """Return the state of a run. A paused run that is stopped does not continue, so it is stopping."""
    if stopping:
        return "stopping"
    return "paused" if paused else "running"
