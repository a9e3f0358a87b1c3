"""Whole runs sample themselves: the journal has their figures over time, and the files that stand out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from pipeline_world import World, world

from bulkup.journal import Reader, read_record
from bulkup.model.run_record import STAGES, RunRecord

MIB = 1024**2


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as made:
        yield made


def record_of_run(place: World, number: int = 1) -> RunRecord:
    with Reader(str(place.journal)) as reader:
        record = read_record(reader, number)
    assert record is not None
    return record


async def test_a_run_keeps_a_record_of_itself(place: World) -> None:
    place.write_many(30, size=2_000)
    place.write({"large.mp4": b"x" * 2_000_000, "bad.txt": b"no such extension"})
    summary = await place.run()
    record = record_of_run(place)
    assert record.summary == summary.as_dict()
    last = record.samples[-1]
    assert (last.files, last.bytes, last.failures) == (32, summary.counters.bytes_sent, 1)
    assert len(last.depths) == len(STAGES)
    assert [sample.at for sample in record.samples] == sorted({sample.at for sample in record.samples})
    assert (record.small_files.total, record.large_files.total) == (30, 1)
    assert record.api.total == summary.counters.presign_calls
    assert (record.largest[0].path, record.largest[0].size) == (b"large.mp4", 2_000_000)
    assert len(record.slowest) == len(record.largest) == 20
    assert record.settings["provider"] == "magic-hour"


async def test_a_run_in_progress_can_be_read(tmp_path: Path) -> None:
    """It writes after two seconds for the first time."""
    async with world(tmp_path, faults=["slow-body"]) as place:
        place.write_many(200, size=20_000)
        async with place.uploader(concurrency=2, grace=0.0) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            with anyio.fail_after(60):
                while (found := _record_so_far(place)) is None:
                    await anyio.sleep(0.05)
            uploader.stop()
        assert found is not None
        assert found.summary["exit_code"] is None
        assert len(found.samples) > 2
        assert record_of_run(place).summary["exit_code"] is not None


def _record_so_far(place: World) -> RunRecord | None:
    if not place.journal.exists():
        return None
    with Reader(str(place.journal)) as reader:
        return read_record(reader, 1)


async def test_a_file_in_parts_is_noted_whole(tmp_path: Path) -> None:
    """A part counts among the durations, and the file among those that stand out, with its own size."""
    async with world(tmp_path, "s3") as place:
        place.write({"large.mov": b"x" * (12 * MIB)})
        await place.run(multipart_from=6 * MIB, part_size=5 * MIB)
        record = record_of_run(place)
    assert [file.size for file in record.largest] == [file.size for file in record.slowest] == [12 * MIB]
    assert record.large_files.total == 3
    assert record.slowest[0].seconds > 0
