"""The rate of a run by its timetable, and after a change of the setting."""

from __future__ import annotations

import anyio
import pytest
from structlog.testing import capture_logs
from test_local_time import clock, unix
from test_throttle import Time

from bulkup.api.bandwidth_schedule import BandwidthSchedule
from bulkup.config.timetable import parse_timetable
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.throttle import SharedThrottle

ZONE = "Europe/Berlin"
MIB = 1024**2


def schedule(table: str | None, when: str) -> tuple[BandwidthSchedule, SharedThrottle, Time]:
    time = Time()
    time.at = unix(when, ZONE)
    throttle = SharedThrottle(time, call_later=time.call_later)
    made = BandwidthSchedule(throttle, time, clock(ZONE))
    if table is not None:
        made.change(parse_timetable(table))
    return made, throttle, time


@pytest.mark.parametrize(
    ("table", "rate", "changes"),
    [(None, None, False), ("off", None, False), ("2M", 2 * MIB, False), ("08:00,2M 18:00,off", 2 * MIB, True)],
)
async def test_the_rate_at_the_begin(table: str | None, rate: int | None, changes: bool) -> None:
    """It is set before the first byte is sent, and followed only where it changes."""
    made, throttle, _ = schedule(table, "2026-06-01T12:00")
    assert (throttle.rate, made.changes) == (rate, changes)


async def test_the_rate_follows_the_timetable() -> None:
    made, throttle, time = schedule("08:00,2M 18:00,off", "2026-06-01T18:00")
    before = throttle.rate
    time.at = unix("2026-06-02T07:59:59", ZONE) + 0.99
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(made.work)
            await anyio.wait_all_tasks_blocked()
            time.at += 0.01
            while throttle.rate == before:
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
    assert (before, throttle.rate) == (None, 2 * MIB)
    assert [(log["event"], log["limit"]) for log in logs] == [(LogEvent.BANDWIDTH_CHANGED, "2.0 MiB/s")]


async def test_a_change_of_the_setting_holds_at_once() -> None:
    """Also from no limit, and to a timetable."""
    made, throttle, _ = schedule(None, "2026-06-01T12:00")
    rates = list[float | None]()
    with capture_logs() as logs:
        for _ in range(2):
            made.change(parse_timetable("3M"))
            rates.append(throttle.rate)
        made.change(parse_timetable("08:00,2M 18:00,off"))
        rates.append(throttle.rate)
        follows = made.changes
        made.change(None)
        rates.append(throttle.rate)
    assert rates == [3 * MIB, 3 * MIB, 2 * MIB, None]
    assert (follows, made.changes) == (True, False)
    assert [log["limit"] for log in logs] == ["3.0 MiB/s", "2.0 MiB/s", "off"]
