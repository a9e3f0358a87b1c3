"""Whole runs whose files are sent by other processes: good days, faults, files that change, processes that end."""

from __future__ import annotations

import errno
import itertools
import math
import os
import signal
import traceback
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import anyio
import psutil
import pytest
from pipeline_world import World, cut_off_after, quick_retries, world
from structlog.testing import capture_logs

from bulkup import ExitCode, MachineError
from bulkup.localserver.s3.body_receiver import ReadPace
from bulkup.model.items import Item
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem
from bulkup.pipeline.processes import process_pool, sending_process
from bulkup.pipeline.processes.process_pool import ProcessPool
from bulkup.pipeline.send.attempt import Count, LocalSender
from bulkup.pipeline.tuning import cores, process_trial, process_tuner

MIB = 1024**2


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        place.settings["processes"] = 2
        yield place
    assert not processes()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file may be sent by the process that decides."""

    async def send(*_: object) -> None:
        raise AssertionError("a file was sent by the process that decides")

    monkeypatch.setattr(LocalSender, "send", send)


def processes() -> list[psutil.Process]:
    """Return the sending processes of this one."""
    return [one for one in psutil.Process().children() if "bulkup.pipeline.processes" in one.cmdline()]


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not holds():
            await anyio.sleep(0.01)


def before_each(monkeypatch: pytest.MonkeyPatch, act: Callable[[Item], None]) -> None:
    """Have something done right before each attempt."""
    made = ProcessPool.send

    async def send(self: ProcessPool, item: Item, count: Count) -> Problem | None:
        act(item)
        return await made(self, item, count)

    monkeypatch.setattr(ProcessPool, "send", send)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("provider", ["metastudio", "xvid"])
async def test_every_file_is_sent_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """Through faults of storage: PUTs with and without Content-MD5, forms, small files and a large one."""
    quick_retries(monkeypatch)
    faults = ["expired-url=0.1", "status-503=0.05", "cut-body=0.1", "wrong-etag=0.1"]
    async with world(tmp_path, provider, faults=faults, seed=3) as place:
        place.write_many(30)
        place.write({"large.mov": os.urandom(3 * MIB), "one byte.mov": b"x", "ünter.mov": b"two"})
        summary = await place.run(processes=2, batch_size=6)
        counters = summary.counters
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.lost_ids() <= 0
        assert counters.retries
        assert counters.bytes_moving == 0
        assert counters.bytes_sent >= counters.bytes_uploaded == counters.bytes_found
    assert not processes()


@pytest.mark.usefixtures("elsewhere")
async def test_what_became_of_files_meanwhile(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that grew and one that vanished are told; the others go on."""
    here.write_many(5)
    here.write({"grows.mov": b"x" * 1000, "goes.mov": b"y" * 1000})

    def act(item: Item) -> None:
        if item.file.path == b"grows.mov":
            (here.source / "grows.mov").write_bytes(b"x" * 1001)
        elif item.file.path == b"goes.mov":
            (here.source / "goes.mov").unlink()

    before_each(monkeypatch, act)
    results, summary = await here.results()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.changed) == (3, 5, 2)
    errors = {result.path: result.error for result in results if result.error}
    assert "changed after it was found" in (errors[b"grows.mov"] or "")
    assert "vanished" in (errors[b"goes.mov"] or "")


async def test_a_process_that_is_killed(here: World) -> None:
    """What it had in hand is sent again, and another one takes its place; every file is there once."""
    here.write_many(16, size=30_000)
    here.faults("slow-body")
    with capture_logs() as logs, anyio.fail_after(60):
        async with here.uploader() as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            others = uploader._pipeline._pool
            assert others is not None
            await until(lambda: any(one.attempts for one in others._ready))
            under_way = next(one for one in others._ready if one.attempts)
            under_way._process.kill()
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.bytes_moving) == (0, 16, 0)
    assert counters.retries
    here.assert_uploaded()
    assert [line["status"] for line in logs if line["event"] == LogEvent.PROCESS_LOST] == [-signal.SIGKILL]


async def test_processes_that_end_over_and_over(here: World) -> None:
    """The run ends as of a fault of the machine, and the next one goes on."""
    here.write_many(10)
    async with here.uploader() as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(_kill_all_that_come)
        summary = await uploader.run()
        tasks.cancel_scope.cancel()
    assert summary.exit_code == ExitCode.MACHINE
    assert isinstance(summary.error, MachineError)
    assert "--processes 1" in summary.error.message
    assert not processes()
    assert (await here.run(processes=1)).exit_code == 0
    here.assert_uploaded()


async def _kill_all_that_come() -> None:
    while True:
        for one in processes():
            one.kill()
        await anyio.sleep(0.01)


async def test_leaving_in_the_middle(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is left behind, and the next run goes on."""
    monkeypatch.setattr("bulkup.localserver.s3.body_receiver.SLOW_PACE", ReadPace(4096, 0.05))
    here.faults("slow-body=0.5")
    here.write_many(20, size=100_000)
    await cut_off_after(here, 3)
    assert not processes()
    here.faults()
    assert (await here.run(processes=1)).exit_code == 0
    here.assert_uploaded()


async def test_a_grace_that_is_over(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut off then is given back with its ticket, its bytes are taken off, and nothing of it goes on."""
    monkeypatch.setattr("bulkup.localserver.s3.body_receiver.SLOW_PACE", ReadPace(64, 0.05))
    monkeypatch.setattr(process_pool, "_CANCEL_PATIENCE", math.inf)
    here.faults("slow-body")
    here.write({f"{number}.mov": os.urandom(200_000) for number in range(4)})
    async with here.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        await until(lambda: uploader.gauge.counters.bytes_moving > 0)
        uploader.stop(ExitCode.SIGINT)
        await until(lambda: not uploader.gauge.counters.bytes_moving)  # each process has said so
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.remaining) == (ExitCode.SIGINT, 0, 4)
    assert counters.bytes_moving == 0
    assert not processes()
    here.faults()
    again = await here.run(processes=1)
    assert (again.exit_code, again.counters.reused_tickets) == (0, 4)
    here.assert_uploaded()


@pytest.mark.parametrize(("gain", "kept"), [(0.0, True), (math.inf, False)], ids=["kept", "withdrawn"])
async def test_auto_tries(here: World, monkeypatch: pytest.MonkeyPatch, gain: float, kept: bool) -> None:
    """It begins alone, and files go on being sent through the beginning, and the end, of other processes."""
    monkeypatch.setattr(process_tuner, "usable_cores", lambda: 4)
    monkeypatch.setattr(process_tuner, "_WINDOW", 0.02)
    monkeypatch.setattr(cores.IdleCores, "since_last", lambda *_: 3.0)
    for name, value in {
        "_BUSY": -1.0,
        "_SOON": 1,
        "_WINDOWS": 1,
        "_SETTLING": 0,
        "_PATIENCE": 10_000,
        "_GAIN": gain,
    }.items():
        monkeypatch.setattr(process_trial, name, value)
    take, made = process_trial.ProcessTrial.take, ProcessPool.send
    wanted, ways, numbers = [0], list[str](), itertools.count()

    def taken(self: process_trial.ProcessTrial, seen: process_trial.Window) -> int:
        if not seen.ready or len(ways) >= 10:  # else it would be over before anything was sent elsewhere
            wanted.append(4 if self.kept else take(self, seen))
        return min(3, wanted[-1])

    async def send(self: ProcessPool, item: Item, count: Count) -> Problem | None:
        number = next(numbers)
        if number == 5:
            await until(lambda: self.ready == 3)
        if number == 10:
            assert len(ways) == 10
            await until(lambda: wanted[-1] == 4 or (wanted[-1] == 0 and 3 in wanted))
            await until(lambda: kept or self.ready == 0)
        ways.append("elsewhere" if self.ready else "here")
        return await made(self, item, count)

    monkeypatch.setattr(process_trial.ProcessTrial, "take", taken)
    monkeypatch.setattr(ProcessPool, "send", send)
    here.write_many(15)
    summary = await here.run(processes="auto", concurrency=1)
    assert summary.exit_code == 0
    assert ways == ["here"] * 5 + ["elsewhere"] * 5 + ["elsewhere" if kept else "here"] * 5
    here.assert_uploaded()


async def test_auto_does_without_what_cannot_be_started(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more processes may be had here, and the run goes on alone."""
    monkeypatch.setattr(process_tuner, "usable_cores", lambda: 4)
    monkeypatch.setattr(process_tuner, "_WINDOW", 0.0)
    monkeypatch.setattr(cores.IdleCores, "since_last", lambda *_: 3.0)
    monkeypatch.setattr(process_trial, "_BUSY", -1.0)
    tries = list[object]()

    async def spawn(theirs: object) -> None:
        tries.append(theirs)
        raise OSError(errno.EAGAIN, "try again")

    async def send(self: ProcessPool, item: Item, count: Count) -> Problem | None:
        await until(lambda: bool(tries))
        return await made(self, item, count)

    made = ProcessPool.send
    monkeypatch.setattr(sending_process, "_spawn", spawn)
    monkeypatch.setattr(ProcessPool, "send", send)
    here.write_many(10)
    assert (await here.run(processes="auto", concurrency=1)).exit_code == 0
    here.assert_uploaded()
    assert len(tries) == 1


async def test_a_fault_of_the_program_is_told_as_one(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was, without what was in it; the run does not go on as if nothing was."""
    monkeypatch.setattr(sending_process, "job_of", lambda number, _: (number, "confidential"))
    here.write_many(1)
    with pytest.raises(BaseExceptionGroup) as raised:
        await here.run()
    told = "".join(traceback.format_exception(raised.value))
    assert "ValueError in a sending process" in told
    assert "in item_of" in told
    assert "confidential" not in told
