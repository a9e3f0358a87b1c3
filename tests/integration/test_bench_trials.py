"""A bench against an embedded server in this event loop."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from bulkup import Settings
from bulkup.api.bench import Bench, BenchLoad, TrialPlan, bench_choice, check_bench
from bulkup.cli.bench_manifest import bench_manifest
from bulkup.errors import ExitCode, MachineError, ServiceError
from bulkup.journal import Reader
from bulkup.localserver import FaultSpec, LocalServer, ServerConfig
from bulkup.model.files import Source
from bulkup.reports.bench_trials import BenchFacts, Choice, Trial
from bulkup.reports.bench_verdict import Limit, judge

LOAD = BenchLoad(20, (1024,))


@asynccontextmanager
async def serving(folder: Path, *faults: str) -> AsyncIterator[LocalServer]:
    config = ServerConfig(store=str(folder / "store"), faults=tuple(map(FaultSpec.parse, faults)))
    async with LocalServer(config) as server:
        yield server


def to(server: LocalServer, **settings: object) -> Settings:
    values = {"provider": "magic-hour", "base_url": server.url, "token": "local-token", **settings}
    return Settings.model_validate(values)


def plan_of(settings: Settings, **lists: object) -> TrialPlan:
    current = bench_choice(settings, check_bench(settings, LOAD.sizes, profile=None))
    values: dict[str, object] = {"concurrency": (2, 4), "batch_sizes": (5,), **lists}
    return TrialPlan(current=current, batch_limit=100, files=LOAD.files, **values)  # type: ignore[arg-type]


def bench_of(settings: Settings, folder: Path, plan: TrialPlan | None = None, **rest: object) -> Bench:
    place = folder / "bench"
    place.mkdir()
    return Bench(settings, plan or plan_of(settings), LOAD, str(place), **rest)  # type: ignore[arg-type]


def stats(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/-/stats") as answer:
        return dict(json.load(answer))


def ids(bench: Bench) -> set[str]:
    with Reader(bench.journal) as reader:
        found = [row.remote_id for row in reader.manifest()] + [row.remote_id for row in reader.interrupted()]
        return {remote_id for remote_id in found if remote_id is not None}


def unknown(bench: Bench) -> int:
    with Reader(bench.journal) as reader:
        return sum(row.count for row in (*reader.orphans(), *reader.interrupted()) if row.remote_id is None)


async def test_trials(tmp_path: Path) -> None:
    """Each has its own uploaded files. All ids are known, only the journal stays, and the disk was read.

    On a busy machine the first two may make the plan try more calls in flight.
    """
    begun: list[Choice] = []
    ended: list[Trial] = []
    (tmp_path / "mine").write_bytes(bytes(5000))
    async with serving(tmp_path) as server:
        source = Source(os.fsencode(tmp_path), b"mine")
        settings = to(server, source=(str(tmp_path / "mine"),), include=("*.none",))
        bench = bench_of(settings, tmp_path, begins=begun.append, ends=ended.append, sources=[source])
        await bench.run()
    assert (bench.error, bench.codes, bench.gauge) == (None, {0}, None)
    assert ended == bench.trials
    assert [trial.choice for trial in ended] == begun
    assert begun[:2] == [Choice(2, 5, 4), Choice(4, 5, 4)]
    for trial in bench.trials:
        assert (trial.files, trial.failed, trial.bytes) == (20, 0, 20 * 1024)
        assert trial.storage.count == 20
        assert trial.api.count == 4
        assert trial.first_file is not None
        assert 0 < trial.first_file <= trial.seconds
        assert trial.cpu > 0
    assert len(ids(bench)) == 8 + len(ended) * 20 <= LOAD.most_files(plan_of(settings))
    assert bench.disk is not None
    assert bench.disk.bytes == 5000
    assert {path.suffix for path in (tmp_path / "bench").iterdir()} <= {
        ".sqlite3",
        ".lock",
        ".sqlite3-wal",
        ".sqlite3-shm",
    }


@pytest.mark.parametrize(("fault", "kind"), [("retry-later", "api"), ("status-503=0.2", "storage")])
async def test_a_service_that_throttles(tmp_path: Path, fault: str, kind: str) -> None:
    """It is reported for API and storage. Other batch sizes are not tried then."""
    async with serving(tmp_path) as server:
        settings = to(server)
        plan = plan_of(settings, concurrency=(4,), batch_sizes=(2, 5))
        bench = bench_of(settings, tmp_path, plan, begins=lambda _: server.set_faults([FaultSpec.parse(fault)]))
        await bench.run()
    verdict = judge(bench.trials, BenchFacts(Choice(4, 2, 4), 100, 2))
    assert verdict is not None
    assert (verdict.limit, len(bench.trials), bench.error) == (Limit.THROTTLING, 1, None)
    assert getattr(verdict.best, kind).throttled > 0
    assert verdict.best.files == 20


async def test_credentials_that_are_refused(tmp_path: Path) -> None:
    """The first call ends the bench, as it ends an upload."""
    async with serving(tmp_path) as server:
        bench = bench_of(to(server, token="wrong"), tmp_path)
        await bench.run()
    assert isinstance(bench.error, ServiceError)
    assert (bench.trials, bench.codes) == ([], {ExitCode.SERVICE})


async def test_files_that_all_fail(tmp_path: Path) -> None:
    """There is no measurement, and the error is that of the first file."""
    async with serving(tmp_path, "wrong-etag") as server:
        bench = bench_of(to(server), tmp_path)
        await bench.run()
    assert bench.error is not None
    assert "none of the generated files was uploaded" in bench.error.message
    assert bench.error.exit_code == ExitCode.FILES_FAILED
    assert bench.trials == []


@pytest.mark.parametrize("after", [0, 1])
async def test_a_bench_that_is_stopped(tmp_path: Path, after: int) -> None:
    """Finished trials are kept, ids of the interrupted one are known, and the exit code is that of the signal."""
    async with serving(tmp_path) as server:
        settings = to(server, grace=0.0)
        bench = bench_of(settings, tmp_path, plan_of(settings, concurrency=(2, 4, 8)))
        async with anyio.create_task_group() as beside:
            beside.start_soon(bench.run)
            while len(bench.trials) < after or bench.gauge is None or not bench.gauge.counters.presign_files:
                await anyio.sleep(0)
            bench.stop(ExitCode.SIGINT)
        issued_ids = (await anyio.to_thread.run_sync(stats, server.url))["tickets"]
    assert ExitCode.SIGINT in bench.codes
    assert len(bench.trials) == after
    assert bench.error is None
    with bench_manifest(str(tmp_path / "ids")) as manifest:
        assert manifest is not None
        created = manifest.complete(bench.journal)
    assert created.ids + created.unused == len(ids(bench)) > 20 * after
    assert created.unknown == unknown(bench)
    assert len(ids(bench)) <= issued_ids <= len(ids(bench)) + unknown(bench)


async def test_a_bench_that_is_stopped_between_two_trials(tmp_path: Path) -> None:
    """It ends at once."""
    async with serving(tmp_path) as server:
        settings = to(server)
        stopped: list[Bench] = []
        bench = bench_of(settings, tmp_path, begins=lambda _: stopped[0].stop(ExitCode.SIGTERM))
        stopped.append(bench)
        await bench.run()
    assert (bench.trials, bench.codes) == ([], {0, ExitCode.SIGTERM})
    assert len(ids(bench)) == 8


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is an error of this machine."""
    async with serving(tmp_path) as server:
        bench = bench_of(to(server), tmp_path)
        (tmp_path / "bench" / "files-1").write_bytes(b"in the way")
        await bench.run()
    assert isinstance(bench.error, MachineError)
    assert "TMPDIR" in bench.error.hint
