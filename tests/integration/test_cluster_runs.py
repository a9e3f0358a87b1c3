"""Whole runs on a cluster of sessions in this process: faults of workers, of storage, and of the coordinator."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from bucket_log import assert_within, note_bytes_taken
from cluster_world import FakeWorker, cluster_of
from pipeline_world import QUICK_RETRIES, TOKEN, World, assert_adds_up, world

from bulkup import ExitCode, FileState, UsageError
from bulkup.helpers.event_logger import render_with
from bulkup.localserver import FaultOptions, ReadPace
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.transport.rate_limit import RateLimiter


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, tunables=QUICK_RETRIES) as place:
        yield place


def slow(place: World, *faults: str) -> None:
    """Have each file take a while at the store."""
    place.faults(*faults, "slow-body", options=FaultOptions(slow_pace=ReadPace(1000, 0.05)))


async def kill_after(worker: FakeWorker, place: World, puts: int) -> None:
    """Kill a worker after a number of files are stored."""
    while place.puts < puts:
        await anyio.sleep(0.005)
    await worker.kill()


async def test_every_worker_sends_files_and_each_is_recorded_once(here: World) -> None:
    here.write_many(200)
    cluster = cluster_of(here, workers=3)
    async with cluster.uploader() as uploader:
        summary = await uploader.run()
        rows = uploader.progress().workers
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    assert here.puts == 200
    assert here.lost_ids() == 0
    assert sum(row.files for row in rows) == 200
    assert all(row.files for row in rows)
    assert summary.counters.presign_files == 200
    assert summary.counters.bytes_sent == summary.counters.bytes_uploaded == 200 * 500
    assert summary.counters.bytes_moving == 0


async def test_a_repeated_run_sends_nothing(here: World) -> None:
    here.write_many(30)
    cluster = cluster_of(here)
    await cluster.run()
    summary = await cluster.run()
    assert (summary.counters.skipped, here.puts) == (30, 30)


@pytest.mark.parametrize("provider", ["move-ugc", "metastudio", "xvid", "git-lfs", "s3", "http as metastudio"])
async def test_each_kind_of_service_works(tmp_path: Path, provider: str) -> None:
    """With digests before the call, with closing calls, with forms, and with URLs that the workers sign."""
    async with world(tmp_path, provider, tunables=QUICK_RETRIES) as place:
        place.write_many(24)
        summary = await cluster_of(place).run()
        assert summary.exit_code == ExitCode.OK
        place.assert_uploaded()
        assert place.lost_ids() == 0


async def test_files_of_a_killed_worker_are_sent_by_others(here: World) -> None:
    here.write_many(300)
    slow(here, "status-503=0.1")
    cluster = cluster_of(here, workers=3)
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(kill_after, cluster.fleet.all[0], here, 60)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    # At most the files that the lost worker was sending are stored twice.
    assert here.puts <= 300 + 8
    assert here.lost_ids() <= 0


async def test_a_worker_that_is_cut_off_stops_and_its_late_records_are_refused(here: World) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here, lease=1.0, silence=1.5)
    first = cluster.fleet.all[0]
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def cut() -> None:
            while here.puts < 30:
                await anyio.sleep(0.005)
            first.cut = True

        tasks.start_soon(cut)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    first.cut = False
    session = first.actors[0]._session
    assert session is not None
    with anyio.fail_after(5):
        await session.ended()


async def test_a_session_that_ended_by_itself_is_replaced(here: World) -> None:
    """Its lease was over, but the coordinator has not noticed the silence: this machine was suspended."""
    here.write_many(100)
    slow(here)
    cluster = cluster_of(here, workers=1)
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def end() -> None:
            while here.puts < 20:
                await anyio.sleep(0.005)
            session = cluster.fleet.all[0].actors[0]._session
            assert session is not None
            session.abandon()

        tasks.start_soon(end)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    assert len(cluster.fleet.all[0].actors) == 2
    here.assert_uploaded()


async def test_a_worker_that_joins_late_gets_files(here: World) -> None:
    here.write_many(300)
    slow(here)
    cluster = cluster_of(here, workers=1)
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def join() -> None:
            while here.puts < 20:
                await anyio.sleep(0.005)
            cluster.fleet.add("late")

        tasks.start_soon(join)
        await uploader.run()
        rows = {row.name: row.files for row in uploader.progress().workers}
    assert rows["late"] > 0
    here.assert_uploaded()


async def test_an_interrupted_run_is_resumed_with_its_tickets(here: World) -> None:
    here.write_many(120)
    slow(here)
    cluster = cluster_of(here)
    async with cluster.uploader() as uploader:
        seen = 0
        async for _ in uploader.results():
            seen += 1
            if seen == 40:
                break
    summary = await cluster.run()
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    assert here.lost_ids() <= 0
    assert here.puts <= 120 + 2 * 8


async def test_a_stop_gives_files_back(here: World) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here)
    async with cluster.uploader(grace=5) as uploader:
        async for _ in uploader.results():
            uploader.stop(ExitCode.SIGINT)
    assert uploader.summary.exit_code == ExitCode.SIGINT
    assert uploader.summary.counters.remaining > 0
    here.faults()
    await cluster.run()
    here.assert_uploaded()
    assert here.puts == 200


async def test_a_worker_of_another_version_gets_no_files(here: World) -> None:
    here.write_many(20)
    cluster = cluster_of(here)
    cluster.fleet.all[0].hello = {"bulkup": "0.0.1"}
    summary = await cluster.run()
    assert summary.exit_code == ExitCode.OK
    assert summary.counters.uploaded == 20
    cluster.fleet.all[1].hello = {"python": "3.1.4"}
    here.write({"new.mp4": b"new"})
    summary = await cluster.run()
    assert summary.exit_code == ExitCode.USAGE
    assert summary.error is not None
    assert "worker w" in summary.error.message
    assert here.puts == 20


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (("the source /x cannot be used there: No such file", None, b""), "the source /x cannot be used there"),
        ("size", "has another size there"),
        ("content", "has other content there"),
    ],
)
async def test_a_worker_with_another_tree_gets_no_files(here: World, seen: object, text: str) -> None:
    here.write_many(20)
    cluster = cluster_of(here, workers=1)

    def sees(found: tuple[str, tuple[int, ...], bytes]) -> object:
        if isinstance(seen, tuple):
            return seen
        error, identity, digest = found
        return (error, (identity[0] + 1, *identity[1:]), digest) if seen == "size" else (error, identity, b"other")

    cluster.fleet.all[0].sees = sees
    summary = await cluster.run()
    assert summary.exit_code == ExitCode.USAGE
    assert summary.error is not None
    assert text in summary.error.message
    assert "worker w0" in summary.error.message
    assert here.puts == 0


DISK_FULL = (7, "no space left on device", "the same command resumes this run")


@pytest.fixture
def logged() -> list[str]:
    """The lines that are logged from now on, as text."""
    lines = list[str]()
    render_with(lambda level, event, fields: lines.append(f"{level} {event} {fields}"))
    return lines


async def test_a_machine_fault_withdraws_one_worker(here: World, logged: list[str]) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here)
    broken = cluster.fleet.all[0]
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def break_down() -> None:
            while here.puts < 20:
                await anyio.sleep(0.005)
            broken.fault = DISK_FULL

        tasks.start_soon(break_down)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    assert_adds_up(summary)
    here.assert_uploaded()
    assert here.puts == 200
    assert sum(row.files for row in uploader.progress().workers) == 200
    assert any("no space left on device (on worker w0)" in line for line in logged)


async def test_a_machine_fault_of_the_last_worker_ends_the_run(here: World) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here, workers=1)
    cluster.fleet.all[0].fault = DISK_FULL
    summary = await cluster.run()
    assert summary.exit_code == ExitCode.MACHINE
    assert summary.error is not None
    assert "no space left on device (on worker w0)" in summary.error.message
    assert summary.error.hint
    assert all(row.files == summary.counters.uploaded for row in summary.workers)


async def test_a_refused_worker_is_tried_again(here: World, logged: list[str]) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here, refused=0.05)
    mended = cluster.fleet.all[0]
    mended.hello = {"bulkup": "0.0.1"}
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def mend() -> None:
            while len(mended.actors) < 3:
                await anyio.sleep(0.005)
            mended.hello = {}

        tasks.start_soon(mend)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    assert [row.files > 0 for row in uploader.progress().workers] == [True, True]
    assert sum("has bulkup 0.0.1" in line for line in logged) == 1


async def test_a_device_may_have_another_number_on_a_worker(here: World) -> None:
    """The journal has the coordinator's number, so a repeated run finds the files unchanged."""
    here.write_many(20)
    cluster = cluster_of(here, workers=1)
    # The worker claims that the device has the coordinator's number plus 7; its files do not show it, so they changed.
    cluster.fleet.all[0].sees = lambda found: (found[0], (*found[1][:4], found[1][4] + 7), found[2])
    summary = await cluster.run()
    assert summary.counters.changed == 20


async def test_the_scheduler_may_be_lost_for_a_while(here: World) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here)
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def lose() -> None:
            while here.puts < 20:
                await anyio.sleep(0.005)
            cluster.fleet.lost = True
            await anyio.sleep(0.3)
            cluster.fleet.lost = False

        tasks.start_soon(lose)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    assert cluster.fleet.reconnects
    here.assert_uploaded()


async def test_a_scheduler_that_does_not_return_ends_the_run(here: World) -> None:
    here.write_many(200)
    slow(here)
    cluster = cluster_of(here, reconnect=0.2, last_reports=0.2)
    async with cluster.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:

        async def lose() -> None:
            while here.puts < 20:
                await anyio.sleep(0.005)
            cluster.fleet.lost = True

        tasks.start_soon(lose)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.MACHINE
    assert summary.error is not None
    assert "the scheduler was lost" in summary.error.message
    cluster.fleet.lost = False
    here.faults()
    await cluster.run()
    here.assert_uploaded()


async def test_a_cluster_without_workers_ends_the_run(here: World) -> None:
    here.write_many(5)
    summary = await cluster_of(here, workers=0, first_worker=0.1).run()
    assert summary.exit_code == ExitCode.MACHINE
    assert summary.error is not None
    assert "has had no worker" in summary.error.message


async def test_max_failures_counts_over_all_workers(here: World) -> None:
    here.write_many(60)
    here.faults("expired-url")
    summary = await cluster_of(here, workers=3).run(max_failures=5)
    assert summary.exit_code != ExitCode.OK
    assert summary.counters.uploaded == 0


async def test_refused_credentials_end_the_run(here: World) -> None:
    here.write_many(30)
    summary = await cluster_of(here).run(token="wrong")
    assert summary.exit_code == ExitCode.SERVICE
    assert summary.error is not None
    assert "(on worker w" in summary.error.message


THERE = {"token": "env:SERVICE_KEY", "cluster": "tcp://127.0.0.1:1", "cluster_credentials": "workers"}


async def test_workers_may_fetch_the_credentials_themselves(here: World) -> None:
    """This machine does not have them, and sends where they are."""
    here.write_many(40)
    cluster = cluster_of(here)
    for worker in cluster.fleet.all:
        worker.environ = {"SERVICE_KEY": TOKEN}
    summary = await cluster.run(**THERE)
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    setups = [setup for worker in cluster.fleet.all for setup in worker.setups]
    assert len(setups) == 2
    assert all(b"SERVICE_KEY" in setup.content for setup in setups)
    assert not any(TOKEN.encode() in setup.content for setup in setups)


async def test_a_worker_without_the_credentials_gets_no_files(here: World, logged: list[str]) -> None:
    here.write_many(40)
    cluster = cluster_of(here)
    without, others = cluster.fleet.all
    others.environ = {"SERVICE_KEY": TOKEN}
    async with cluster.uploader(**THERE) as uploader:
        summary = await uploader.run()
        rows = uploader.progress().workers
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    assert [row.name for row in rows] == [others.name]
    (warning,) = [line for line in logged if "cannot be used" in line]
    assert f"worker {without.name} cannot be used: token: env:SERVICE_KEY is not set" in warning
    assert "set the environment variable SERVICE_KEY" in warning


async def test_a_cluster_without_the_credentials_ends_the_run(here: World) -> None:
    here.write_many(5)
    summary = await cluster_of(here).run(**THERE)
    assert summary.exit_code == ExitCode.USAGE
    assert summary.error is not None
    assert "cannot be used: token: env:SERVICE_KEY is not set" in summary.error.message
    assert "on the worker" in summary.error.hint
    assert here.calls == 0


async def test_credentials_that_workers_cannot_fetch_are_refused(here: World) -> None:
    here.write_many(5)
    with pytest.raises(UsageError, match="token is given as such") as refused:
        await cluster_of(here).run(**{**THERE, "token": TOKEN})
    assert TOKEN not in str(refused.value)
    assert "env:NAME" in refused.value.hint
    assert not here.journal.exists()


async def test_limits_hold_over_all_workers(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bytes pass one bucket, and their calls one schedule, both with the coordinator."""
    limiters, starts, wait = set[RateLimiter](), list[float](), RateLimiter.wait

    def noted(self: RateLimiter, now: float) -> float:
        seconds = wait(self, now)
        limiters.add(self)
        starts.append(now + seconds)
        return seconds

    monkeypatch.setattr(RateLimiter, "wait", noted)
    taken = note_bytes_taken(monkeypatch)
    here.write_many(30, size=20_000)
    cluster = cluster_of(here, workers=3, least_files=4)
    async with cluster.uploader(max_files=12, rate_limit=40, bwlimit="150K") as uploader:
        summary = await uploader.run()
        rows = uploader.progress().workers
    assert summary.exit_code == ExitCode.TIME_UP
    assert summary.counters.uploaded == 12
    assert sum(row.files for row in rows) == 12
    assert sum(size for _, size in taken) == 12 * 20_000
    assert_within(taken, 150 * 1024)
    assert (len(limiters), len(starts)) == (1, here.calls)
    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) > 0.99 / 40


async def test_a_429_that_one_worker_meets_closes_the_gates_of_all(here: World) -> None:
    here.write_many(300)
    slow(here)
    cluster = cluster_of(here, workers=3, last_reports=0.2)

    def gates() -> list[HostGate]:
        sessions = [actor._session for worker in cluster.fleet.all for actor in worker.actors]
        return [session._run.gates.api for session in sessions if session is not None]

    async with cluster.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
        closed = False

        async def refuse_one_call() -> None:
            nonlocal closed
            while here.puts < 20:
                await anyio.sleep(0.005)
            pace = ReadPace(1000, 0.05)
            here.faults(
                "retry-later,first=1", "slow-body", options=FaultOptions(retry_later_window=300.0, slow_pace=pace)
            )
            with anyio.fail_after(20):
                while not closed:
                    await anyio.sleep(0.005)
                    soon = here.clock.monotonic() + 100
                    closed = len(gates()) == 3 and all(gate.closed_until > soon for gate in gates())
            uploader.stop(ExitCode.SIGINT)

        tasks.start_soon(refuse_one_call)
        summary = await uploader.run()
    # The server refuses one call alone, so two of the three gates were closed by what the third one met.
    assert closed
    assert summary.exit_code == ExitCode.SIGINT


def test_the_options_leave_a_worker_time_to_stop() -> None:
    """A worker must have stopped when its files are given to others."""
    options = dataclasses.replace(cluster_of.__globals__["QUICK"])
    assert options.lease < options.silence
    assert type(options)().lease < type(options)().silence


async def test_files_that_changed_are_found_by_workers(here: World) -> None:
    here.write_many(10)
    cluster = cluster_of(here)
    await cluster.run()
    here.write({"d0/0000.mp4": b"changed"})
    summary = await cluster.run()
    assert summary.counters.uploaded == 1
    assert here.states()[b"d0/0000.mp4"] is FileState.UPLOADED
    here.assert_uploaded()


async def test_faults_of_service_and_storage_are_outlived(here: World) -> None:
    """A 429 of the API and 503s of storage are passed on to all workers, and every file arrives."""
    here.write_many(150)
    options = FaultOptions(retry_later_window=0.2)
    here.faults("status-503=0.1", "cut-body=0.05", "retry-later=0.1", "expired-url=0.05", seed=5, options=options)
    cluster = cluster_of(here, workers=3)
    summary = await cluster.run()
    assert summary.exit_code == ExitCode.OK
    assert summary.counters.retries > 0
    here.assert_uploaded()


async def test_uploaded_files_are_removed_by_the_coordinator(here: World) -> None:
    here.write_many(20)
    summary = await cluster_of(here).run(delete_after_upload=True)
    assert (summary.counters.uploaded, summary.counters.removed) == (20, 20)
    assert not list(here.source.rglob("*.mp4"))


async def test_a_run_can_be_paused_and_its_workers_changed(here: World) -> None:
    here.write_many(120)
    slow(here)
    cluster = cluster_of(here)
    async with cluster.uploader() as uploader, anyio.create_task_group() as tasks:

        async def control() -> None:
            while here.puts < 20:
                await anyio.sleep(0.005)
            uploader.pause()
            await anyio.sleep(0.5)
            before = here.puts
            await anyio.sleep(0.3)
            assert here.puts == before
            uploader.set_concurrency(2)
            uploader.resume()

        tasks.start_soon(control)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
