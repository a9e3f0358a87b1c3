"""What a bench measures with, the files that it makes, and how its options are read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bulkup.api.bench.bench_settings import bench_settings, check_bench
from bulkup.api.bench.disk import measure_disk
from bulkup.api.bench.generated_files import file_sizes, make_files, total_size
from bulkup.api.bench.measuring import CpuTimes, QueueSamples, RequestStats
from bulkup.cli.bench_lists import parse_concurrency, parse_numbers, parse_whole_number
from bulkup.config import SecretSource, Settings
from bulkup.errors import UsageError
from bulkup.model.files import Source
from bulkup.pipeline.tuning.cores import Ticks
from bulkup.reports.bench_trials import RequestFigures


def test_a_tally_of_requests() -> None:
    """Throttled ones are failed ones, too; those without an answer have failed."""
    tally = RequestStats()
    assert tally.requests() == RequestFigures()
    for seconds, status in ((0.4, 200), (0.1, 503), (0.2, 429), (0.3, 403), (0.5, None)):
        tally.add(seconds, status)
    tally.add(0.6, 500, retry_after=True)
    assert tally.requests() == RequestFigures(6, throttled=3, failed=5, median=0.3, p95=0.6)


def test_samples_of_where_files_are() -> None:
    """Starved are workers that have nothing while URLs are asked for; the beginning and the end do not count."""
    samples = QueueSamples(workers=4)
    assert (samples.starved, samples.sending, samples.recording) == (0.0, 0.0, 0.0)
    samples.add({"sending": 0, "asking": 0, "ready": 0, "grouping": 0, "hashing": 0})
    samples.add({"sending": 3, "recording": 1})
    samples.add({"asking": 9, "sending": 1})
    samples.add({"asking": 9, "sending": 4, "recording": 2})
    samples.add({"asking": 9, "sending": 3, "ready": 1})
    samples.add({"grouping": 9, "sending": 4})
    assert (samples.starved, samples.sending, samples.recording) == (0.25, 3.0, 0.5)
    found = QueueSamples(workers=0)
    found.add({"asking": 1, "sending": 9})
    assert found.starved == 1.0


def test_the_processor() -> None:
    """Time goes on, and no share is more than the whole."""
    begun = CpuTimes()
    sum(number * number for number in range(200_000))
    ended = CpuTimes()
    assert ended.thread > begun.thread
    assert ended.process >= begun.process
    share = ended.busy_share(begun)
    assert share is None or 0.0 <= share <= 1.0
    assert ended.busy_share(CpuTimes(machine=None)) is None
    before = CpuTimes(machine=Ticks(idle=6, all=10))
    assert CpuTimes(machine=Ticks(11, 20)).busy_share(before) == 0.5
    assert CpuTimes(machine=Ticks(5, 20)).busy_share(before) == 1.0
    assert CpuTimes(machine=Ticks(7, 10)).busy_share(before) is None


async def test_files_that_are_made(tmp_path: Path) -> None:
    """As many as asked for, their sizes by turns, none like another."""
    await make_files(str(tmp_path / "made"), "x", 5, (10, 0, 3_000_000))
    made = sorted((tmp_path / "made").iterdir())
    assert (
        [path.stat().st_size for path in made] == [10, 0, 3_000_000, 10, 0] == list(file_sizes(5, (10, 0, 3_000_000)))
    )
    assert total_size(5, (10, 0, 3_000_000)) == 3_000_020
    assert made[0].read_bytes() != made[3].read_bytes()
    assert made[0].name == "x-000001.mp4"


def test_the_disk_is_read_and_nothing_else(tmp_path: Path) -> None:
    """Files, not links; what cannot be read does not count; an empty source has no rate."""
    for number in range(5):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 2}" / f"{number}").write_bytes(bytes(1000 * number))
    (tmp_path / "link").symlink_to(tmp_path / "1" / "3")
    go_on = threading.Event()
    disk = measure_disk([Source(os.fsencode(tmp_path))], go_on)
    assert disk is not None
    assert (disk.files, disk.bytes) == (4, 10_000)  # one of the five is empty
    assert disk.bytes_per_second > 0 < disk.files_per_second
    one = measure_disk([Source(os.fsencode(tmp_path / "1"), b"3")], go_on)
    assert one is not None
    assert one.bytes == 3000
    assert measure_disk([Source(os.fsencode(tmp_path / "none"))], go_on) is None
    go_on.set()
    assert measure_disk([Source(os.fsencode(tmp_path))], go_on) is None


def test_lists_of_numbers() -> None:
    """With commas, in their order; `auto` where it means something."""
    assert parse_numbers("--batch-size", "25, 100", 100) == (25, 100)
    assert parse_concurrency("--concurrency", "auto,4", 1024) == ("auto", 4)
    assert parse_numbers("--batch-size", None, 100) is parse_concurrency("--concurrency", None, 1024) is None
    assert parse_whole_number("--files", "7", 1, 7) == 7
    for wrong in ("", "0", "101", "-1", "4;5", "4,,5", "auto", "٤", "1e2", "9" * 30):
        with pytest.raises(UsageError, match="from 1 to 100"):
            parse_numbers("--batch-size", wrong, 100)
        with pytest.raises(UsageError, match="from 1 to 100"):
            parse_whole_number("--files", wrong, 1, 100)


def test_settings_of_a_bench() -> None:
    """What speaks of the user's own files and nights does not hold, what speaks of the way does."""
    of_the_user = Settings(
        provider="metastudio",
        project_id="p",
        asset_id="a",
        access_key=SecretSource.parse("access_key", "key"),
        secret_key=SecretSource.parse("secret_key", "secret"),
        source=("media",),
        include=("*.png",),
        min_size=10,
        min_age=100.0,
        asset_file_category="MAIN",
        max_duration=5.0,
        wait=True,
        idle_timeout=7.0,
        ca_file="ca.pem",
    )
    settings = bench_settings(of_the_user)
    assert (settings.source, settings.include, settings.min_size, settings.min_age) == ((), (), None, 0.0)
    assert (settings.asset_file_category, settings.max_duration, settings.wait) == ("OTHER", None, False)
    assert (settings.idle_timeout, settings.ca_file, settings.project_id) == (7.0, "ca.pem", "p")
    assert check_bench(of_the_user, (1, 1000), profile=None).name == "metastudio"


@pytest.mark.parametrize(
    ("settings", "sizes", "complaint"),
    [
        ({"provider": "magic-hour"}, (1,), "needs token"),
        ({"provider": "xvid", "token": "x"}, (1,), "needs pipeline_id"),
        ({"provider": "metastudio", "token": "x", "project_id": "p", "asset_map": "map.csv"}, (1,), "needs asset_id"),
        ({"provider": "magic-hour", "token": "x"}, (1, 6 << 30), "rejects such a file"),
        (
            {"provider": "magic-hour", "token": "x", "batch_size": 100_000},
            (1,),
            "accepts at most 1000 files in one call",
        ),
        ({}, (1,), "no provider"),
    ],
)
def test_what_is_missing_is_told_before_anything(
    settings: dict[str, object], sizes: tuple[int, ...], complaint: str
) -> None:
    """And before anybody is asked."""
    with pytest.raises(UsageError, match=complaint):
        check_bench(Settings.model_validate(settings), sizes, profile=None)
