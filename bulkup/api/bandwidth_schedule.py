"""Sets the limit on the bandwidth of a run by its timetable, and anew when the setting changes during the run."""

from __future__ import annotations

from bulkup.config.local_time import LocalClock
from bulkup.config.timetable import Timetable
from bulkup.helpers.alarm import Alarm
from bulkup.helpers.clock import Clock, local_clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.throttle import SharedThrottle
from bulkup.reports.formatting import rate_text

_log = EventLogger("bulkup")
_LONGEST_SLEEP = 15.0  # seconds; a clock that is set, or a machine that was suspended, is noticed after that


class BandwidthSchedule:
    """Keeps a throttle at the rate that the timetable has for the present time; None is for no limit."""

    def __init__(self, throttle: SharedThrottle, clock: Clock, local: LocalClock = local_clock) -> None:
        self._throttle = throttle
        self._table: Timetable | None = None
        self._clock = clock
        self._local = local
        self._alarm = Alarm()

    @property
    def changes(self) -> bool:
        """Whether the rate depends on the time, so that `work` has to follow it."""
        return self._table is not None and self._table.changes

    def change(self, table: Timetable | None) -> None:
        """Follow a timetable from now on, in place of an earlier one."""
        self._table = table
        self._follow()
        self._alarm.wake()

    async def work(self) -> None:
        """Follow the timetable until cancelled."""
        while True:
            await self._alarm.wait(self._seconds_to_sleep())
            self._follow()

    def _follow(self) -> None:
        rate = self._rate()
        if rate != self._throttle.rate:
            self._throttle.limit(rate)
            _log.info(LogEvent.BANDWIDTH_CHANGED, limit="off" if rate is None else rate_text(rate))

    def _rate(self) -> int | None:
        return None if self._table is None else self._table.rate_at(self._clock.now(), self._local)

    def _seconds_to_sleep(self) -> float | None:
        now = self._clock.now()
        change = None if self._table is None else self._table.next_change(now, self._local)
        return None if change is None else min(max(0.0, change - now), _LONGEST_SLEEP)
