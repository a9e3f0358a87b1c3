"""Runs with `bwlimit`: what the throttle lets pass, by a clock of the test, and what is sent."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from bucket_log import assert_within, note_bytes_taken
from pipeline_world import QUICK_RETRIES, World, world
from structlog.testing import capture_logs

from bulkup import UsageError
from bulkup.localserver import FaultOptions, ReadPace
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.tuning.controller import ControllerOptions

MIB = 1024**2


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        yield place


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    return note_bytes_taken(monkeypatch)


@pytest.mark.parametrize("way", [{}, {"sender": "aiohttp"}, {"processes": 2}, {"processes": 2, "sender": "aiohttp"}])
@pytest.mark.parametrize("provider", ["magic-hour", "xvid"])
async def test_all_bytes_pass_the_limit(
    here: World, taken: list[tuple[float, int]], way: dict[str, Any], provider: str
) -> None:
    """Those of small files, large ones and forms, in all processes together."""
    here.provider = provider
    rate = 4 * MIB
    files: dict[str | bytes, bytes] = {f"{number}.mov": os.urandom(20_000 * number) for number in range(10)}
    files["large.mov"] = os.urandom(3 * MIB)
    here.write(files)
    summary = await here.run(bwlimit="4M", **way)
    assert summary.exit_code == 0, summary.error
    here.assert_uploaded()
    sent = sum(size for _, size in taken)
    content = sum(map(len, files.values()))
    assert content <= sent <= content + 11 * 4096  # a form has fields
    assert_within(taken, rate)


async def test_a_file_in_parts_passes_the_limit(tmp_path: Path, taken: list[tuple[float, int]]) -> None:
    """Each part is a request of its own."""
    async with world(tmp_path, "s3") as place:
        place.write({"large.mov": os.urandom(12 * MIB)})
        summary = await place.run(bwlimit="20M", multipart_from="5M", part_size="5M", processes=2)
        assert summary.exit_code == 0, summary.error
        assert summary.counters.uploaded == 1
    assert sum(size for _, size in taken) == 12 * MIB
    assert_within(taken, 20 * MIB)


async def test_a_low_limit_fails_no_file(here: World) -> None:
    """Files wait for longer than the idle timeout. There are as many workers as the limit can serve."""
    here.write({f"{number}.mov": os.urandom(6_000) for number in range(8)})
    summary = await here.run(bwlimit="24k", idle_timeout=0.4, attempts=1)
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.retries) == (0, 8, 0)
    assert summary.counters.concurrency == 3


async def test_faults_under_a_limit(here: World) -> None:
    here.tunables = QUICK_RETRIES
    here.faults("status-503=0.2", "cut-body=0.2", "wrong-etag=0.1", seed=2)
    here.write_many(40)
    here.write({"large.mov": os.urandom(2 * MIB)})
    summary = await here.run(bwlimit="8M")
    assert summary.exit_code == 0, summary.error
    assert summary.counters.retries
    here.assert_uploaded()


async def test_the_number_of_workers_does_not_grow_because_of_the_limit(here: World) -> None:
    """All of them wait for the limit, and more would do so as well. There are no trials, which begin with the samples.

    Before the first files have ended, the number may change once: reading the files may take long.
    """
    here.write_many(120, size=10_000)
    with capture_logs() as logs:
        summary = await here.run(bwlimit="600k", concurrency="auto")
    assert summary.exit_code == 0
    changes = [line["workers"] for line in logs if line["event"] == LogEvent.CONCURRENCY_CHANGED]
    assert changes in ([], [ControllerOptions().unanswered])


@pytest.mark.parametrize("processes", [1, 2])
async def test_the_limit_changes_during_a_run(here: World, taken: list[tuple[float, int]], processes: int) -> None:
    """From none to one that lets nearly nothing pass, in the middle of a file, and back.

    The file is much larger than what the system takes for a connection whose other end reads slowly.
    """
    here.write({"large.mov": os.urandom(48 * MIB)})
    here.faults("slow-body", options=FaultOptions(slow_pace=ReadPace(256 * 1024, 0.02)))
    async with here.uploader(processes=processes) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        while not uploader.gauge.counters.bytes_sent:
            await anyio.sleep(0.001)
        uploader.limit_bandwidth("64k")
        before = len(taken)
        while len(taken) < before + 5:  # pieces of the file that was begun without a limit
            assert not uploader.gauge.counters.uploaded
            await anyio.sleep(0.01)
        assert uploader.gauge.counters.bytes_sent < 48 * MIB
        here.faults()
        uploader.limit_bandwidth(None)
    assert uploader.summary.exit_code == 0
    here.assert_uploaded()


async def test_a_limit_that_is_none(here: World) -> None:
    """The message is that of the setting, and the run continues."""
    here.write_many(3)
    async with here.uploader() as uploader:
        with pytest.raises(UsageError, match="bwlimit: expected bytes per second"):
            uploader.limit_bandwidth("fast")
        assert (await uploader.run()).exit_code == 0


async def test_a_timetable_without_a_limit_now_costs_no_time(here: World, taken: list[tuple[float, int]]) -> None:
    """An entry for another day of the week is not in force."""
    tomorrow = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[(time.localtime().tm_wday + 2) % 7]
    day_after = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[(time.localtime().tm_wday + 3) % 7]
    here.write_many(3)
    summary = await here.run(bwlimit=f"{tomorrow} 00:00,1k {day_after} 00:00,off")
    assert (summary.exit_code, taken) == (0, [])
