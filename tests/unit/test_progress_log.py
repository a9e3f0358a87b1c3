"""Progress in the log, where there is no terminal."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
from made_progress import COUNTING, HALF, MIB, progress

from bulkup.reports.progress_log import EVENT_SECONDS, ProgressLog, progress_fields


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


async def test_there_is_an_event_every_half_minute_and_at_the_end() -> None:
    log, slept, scope = Log(), list[float](), anyio.CancelScope()

    async def sleep(seconds: float) -> None:
        if len(slept) == 2:
            scope.cancel()
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    with scope:
        await ProgressLog(lambda: progress(files_done=len(slept)), sleep=sleep, log=log).run_until_cancelled()
    assert slept == [EVENT_SECONDS] * 3 == [30.0] * 3
    assert [event for event, _ in log.events] == ["progress"] * 3
    assert [fields["files"] for _, fields in log.events] == [1, 2, 3]
    assert log.events[0][1]["text"].startswith("scanning, 1 of at least 0 files")


def test_the_fields_of_an_event() -> None:
    assert progress_fields(HALF) == {
        "files": 21_400,
        "found": 50_991,
        "bytes": 219_043_430,
        "bytes_found": 521_142_272,
        "total_known": True,
        "rate": round(11.8 * MIB),
        "mean_rate": round(11.5 * MIB),
        "files_rate": 1204.0,
        "mean_files_rate": 1180.0,
        "concurrency": 64,
        "percent": 42,
        "elapsed": 18.2,
        "eta": 25,
        "scan_done": False,
        "state": "running",
        "failed": 3,
        "rejected": 0,
        "changed": 0,
        "unreadable": 0,
        "unverified": 0,
        "retries": 12,
    }
    assert (progress_fields(COUNTING)["eta"], progress_fields(COUNTING)["percent"]) == (None, None)
