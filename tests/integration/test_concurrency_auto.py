"""`concurrency = "auto"` in whole runs: the number of workers changes while files are sent, and faults fail no file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import QUICK_RETRIES, World, world
from structlog.testing import capture_logs

from bulkup.model.log_events import LogEvent
from bulkup.pipeline.options import MOST_WORKERS
from bulkup.pipeline.tuning.controller import Controller, ControllerOptions
from bulkup.pipeline.tuning.goodput import Observation
from bulkup.transport import Transport

FIRST, LEAST = ControllerOptions().first, ControllerOptions().least


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        yield place


async def test_as_many_files_are_sent_at_once_as_workers_are_wanted(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is sent once, while the number of workers changes."""
    target = FIRST

    def observe(_: Controller, seen: Observation) -> int:
        assert 0 <= seen.busy <= MOST_WORKERS
        return target

    monkeypatch.setattr(Controller, "observe", observe)
    released, sending, most = anyio.Event(), 0, 0
    send = Transport.send

    async def held_up(*args: Any) -> Any:
        nonlocal sending, most
        sending += 1
        most = max(most, sending)
        await released.wait()
        try:
            return await send(*args)
        finally:
            sending -= 1

    monkeypatch.setattr(Transport, "send", held_up)
    here.write_many(60)
    with capture_logs() as logs:
        async with here.uploader(concurrency="auto") as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            with anyio.fail_after(30):
                for target in (FIRST, 23, 40):
                    while sending < target:
                        await anyio.sleep(0.01)
                    assert most == target
                assert uploader.gauge.depths()["sending"] == 40
                target = 1
                while uploader.gauge.counters.concurrency != 1:
                    await anyio.sleep(0.01)
            released.set()
    assert uploader.summary.exit_code == 0
    assert uploader.summary.as_dict()["concurrency"] == {"last": 1, "peak": 40}
    changes = [entry["workers"] for entry in logs if entry["event"] == LogEvent.CONCURRENCY_CHANGED]
    assert changes == [23, 40, 1]
    assert here.puts == 60
    here.assert_uploaded()


async def test_a_given_number_is_kept(here: World) -> None:
    here.write_many(20)
    summary = await here.run(concurrency=3)
    assert (summary.exit_code, summary.as_dict()["concurrency"]) == (0, {"last": 3, "peak": 3})


@pytest.mark.parametrize(
    "faults",
    [["status-503=0.4"], ["cut-body=0.4"], ["status-503=0.2", "cut-body=0.2", "wrong-etag=0.05"], ["retry-later=0.2"]],
)
async def test_a_bad_minute_fails_no_file(here: World, faults: list[str]) -> None:
    """It begins and ends in the middle of the run; the number stays within its bounds."""
    here.tunables = QUICK_RETRIES
    here.write_many(400)
    async with here.uploader(concurrency="auto", batch_size=20) as uploader:
        settled = 0
        async for _ in uploader.results():
            settled += 1
            if settled == 100:
                here.faults(*faults)
            elif settled == 250:
                here.faults()
    summary = uploader.summary
    assert summary.exit_code == 0, summary.error
    assert LEAST <= summary.counters.concurrency <= summary.counters.concurrency_peak <= MOST_WORKERS
    assert summary.counters.concurrency_peak >= FIRST
    here.assert_uploaded()
