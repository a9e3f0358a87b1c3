"""The progress of whole runs, as the library returns it: with the counting walk, and the files being sent."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import World, world

from bulkup import Uploader
from bulkup.model.progress import Progress
from bulkup.pipeline import Tunables
from bulkup.pipeline.scan.counting import CountingOptions

MIB = 1024**2
EAGER = Tunables(counting=CountingOptions(patience=0.02, share=1.0))
FEW = {"concurrency": 2, "batch_size": 5, "calls_in_flight": 1, "grace": 0.0}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[World, None]:
    """Return a world whose store takes 64 KiB a second from each file."""
    async with world(tmp_path, faults=["slow-body"], tunables=EAGER) as made:
        yield made


@contextlib.asynccontextmanager
async def running(place: World, **changes: Any) -> AsyncGenerator[Uploader, None]:
    """Run in the background, and stop the run at the end of the context."""
    async with place.uploader(**FEW, **changes) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        yield uploader
        uploader.stop()


async def until(uploader: Uploader, holds: Callable[[Progress], bool]) -> Progress:
    """Return the first progress of which the condition holds."""
    with anyio.fail_after(60):
        while not holds(progress := uploader.progress()):
            await anyio.sleep(0.01)
    return progress


async def test_the_total_is_known_although_the_scanner_waits(place: World) -> None:
    place.write_many(1_000, size=20_000)
    async with running(place) as uploader:
        shown = await until(uploader, lambda now: now.total_known)
        assert not shown.scan_done
        assert (shown.files_total, shown.bytes_total) == (1_000, 1_000 * 20_000)
        assert shown.percent is not None
        assert shown.percent < 50
        assert uploader.gauge.counters.found < 600
        assert (await until(uploader, lambda now: now.eta is not None)).eta != 0


async def test_the_count_has_the_filters_of_the_scan(place: World) -> None:
    place.write_many(120, size=40_000)
    place.write_many(50, size=10, extension="txt")
    async with running(place, include=("*.mp4",), exclude=("d3/",), min_size=11) as uploader:
        shown = await until(uploader, lambda now: now.total_known)
        assert shown.files_total == 120 - len(range(3, 120, 7))


async def test_without_a_count_the_total_grows_with_the_scan(place: World) -> None:
    place.write_many(1_000, size=20_000)
    async with running(place, count=False) as uploader:
        shown = await until(uploader, lambda now: now.uploaded > 0)
        assert (shown.total_known, shown.counting, shown.percent, shown.eta) == (False, False, None, None)
        assert 0 < shown.files_total < 600


async def test_files_of_an_earlier_run_count_as_done_at_once(place: World) -> None:
    """The scanner meets them last, long after the count. Files that this run uploads are not counted twice."""
    place.write({f"z/{number:03}.mp4": b"%d" % number for number in range(200)})
    await place.run()
    place.write({f"a/{number:03}.mp4": b"%5d" % number * 4_000 for number in range(600)})
    async with running(place) as uploader:
        shown = await until(uploader, lambda now: now.total_known)
        assert not shown.scan_done
        assert (shown.files_total, uploader.gauge.counted.settled) == (800, 200)
        assert shown.skipped == 0
        assert shown.files_done == 200 + shown.uploaded
        later = await until(uploader, lambda now: now.uploaded > shown.uploaded + 3)
        assert later.files_done == 200 + later.uploaded


async def test_the_files_being_sent_have_their_own_progress(place: World) -> None:
    place.write({"0.mov": b"x" * 3 * MIB, **{f"{number}.mp4": b"x" * 40_000 for number in range(1, 20)}})
    async with running(place) as uploader:
        shown = await until(uploader, lambda now: any(file.sent for file in now.sending if file.size == 3 * MIB))
        (large,) = [file for file in shown.sending if file.path == b"0.mov"]
        assert 0 < large.sent <= large.size  # the system takes bytes ahead of the other end
        assert large.source == str(place.source)
        assert 1 <= shown.depths["sending"] <= 2
        assert shown.bytes_done >= large.sent


async def test_the_progress_after_the_end_is_that_of_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.write_many(30)
        async with place.uploader() as uploader:
            assert uploader.progress().files_done == 0
            summary = await uploader.run()
            first = uploader.progress()
            await anyio.sleep(0.05)
            assert uploader.progress() == first
    assert (first.run, first.percent, first.eta, first.sending) == (summary.run, 100, 0.0, ())
    assert (first.files_done, first.uploaded, first.bytes_done) == (30, 30, 30 * 500)
    assert first.elapsed == pytest.approx(summary.seconds)


async def test_the_progress_of_a_file_in_a_sending_process(place: World) -> None:
    """The process reports the bytes of each file."""
    place.write({"large.mov": b"x" * 3 * MIB, "other.mov": b"y" * 3 * MIB})
    async with running(place, processes=2) as uploader:
        shown = await until(uploader, lambda now: sum(file.sent > 0 for file in now.sending) == 2)
        assert {file.path for file in shown.sending} == {b"large.mov", b"other.mov"}
