"""`concurrency = "auto"` in whole runs: workers come and go while files are sent, and bad minutes do no harm."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import World, quick_retries, world
from structlog.testing import capture_logs

from bulkup.model.log_events import LogEvent
from bulkup.pipeline.tuning import tuner
from bulkup.pipeline.tuning.controller import LEAST, MOST_WORKERS, START
from bulkup.pipeline.tuning.goodput import Observation
from bulkup.transport import Transport


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        yield place


class Scripted:
    """A controller that is told how many workers to want."""

    wanted = START

    def __init__(self, most: int) -> None:
        assert LEAST <= most <= MOST_WORKERS

    def observe(self, seen: Observation) -> int:
        assert 0 <= seen.busy <= MOST_WORKERS
        return Scripted.wanted


async def test_workers_come_and_go_as_wanted(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many files are sent at once as are wanted at the time; each is sent once, whoever stands aside."""
    monkeypatch.setattr(tuner, "Controller", Scripted)
    monkeypatch.setattr(Scripted, "wanted", START)
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
                for wanted in (START, 23, 40):
                    Scripted.wanted = wanted
                    while sending < wanted:
                        await anyio.sleep(0.01)
                    assert most == wanted
                assert uploader.gauge.depths()["sending"] == 40
                Scripted.wanted = 1
                while uploader.gauge.counters.concurrency != 1:
                    await anyio.sleep(0.01)
            released.set()
    assert uploader.summary.exit_code == 0
    assert uploader.summary.as_dict()["concurrency"] == {"last": 1, "peak": 40}
    changes = [entry["workers"] for entry in logs if entry["event"] == LogEvent.CONCURRENCY_CHANGED]
    assert changes == [23, 40, 1]
    assert here.puts == 60
    here.assert_uploaded()


async def test_a_number_is_kept_to(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing adapts where the user has said how many."""
    monkeypatch.setattr(tuner, "Controller", None)
    here.write_many(20)
    summary = await here.run(concurrency=3)
    assert (summary.exit_code, summary.as_dict()["concurrency"]) == (0, {"last": 3, "peak": 3})


@pytest.mark.parametrize(
    "faults",
    [["status-503=0.4"], ["cut-body=0.4"], ["status-503=0.2", "cut-body=0.2", "wrong-etag=0.05"], ["retry-later=0.2"]],
)
async def test_a_bad_minute_fails_no_file(here: World, monkeypatch: pytest.MonkeyPatch, faults: list[str]) -> None:
    """It begins and ends in the middle of the run; the number stays within its bounds."""
    quick_retries(monkeypatch)
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
    assert summary.counters.concurrency_peak >= START
    here.assert_uploaded()
