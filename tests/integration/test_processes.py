"""Whole runs with sending processes: faults of storage, files that change, processes that end."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import math
import os
import signal
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import anyio
import psutil
import pytest
from pipeline_world import QUICK_RETRIES, World, interrupt_after, world
from structlog.testing import capture_logs

from bulkup import ExitCode, MachineError
from bulkup.localserver import FaultOptions, ReadPace
from bulkup.model.items import Item, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem
from bulkup.model.tickets import Receipt
from bulkup.pipeline import Tunables
from bulkup.pipeline.processes import sending_process
from bulkup.pipeline.processes.process_pool import ProcessPool
from bulkup.pipeline.processes.sending_process import Attempt, ProcessOptions
from bulkup.pipeline.send.attempt import Count, LocalSender
from bulkup.pipeline.tuning import process_tuner
from bulkup.pipeline.tuning.cores import IdleCores
from bulkup.pipeline.tuning.process_plan import ProcessPlan, ProcessPlanOptions, Window

MIB = 1024**2
QUICK = ProcessPlanOptions(window=0.02, busy=-1.0, windows=1, worth=0.0)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        place.settings["processes"] = 2
        yield place
    assert not processes()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on a file that is sent by the process of the run."""

    async def send(*_: object) -> None:
        raise AssertionError("a file was sent by the process of the run")

    monkeypatch.setattr(LocalSender, "send", send)


def processes() -> list[psutil.Process]:
    """Return the sending processes of this one."""
    return [one for one in psutil.Process().children() if "bulkup.pipeline.processes" in one.cmdline()]


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not holds():
            await anyio.sleep(0.01)


def before_each(monkeypatch: pytest.MonkeyPatch, act: Callable[[Item], None]) -> None:
    """Call `act` right before each attempt."""
    given = ProcessPool.give

    def give(self: ProcessPool, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            act(attempt.file.item)
        given(self, attempts)

    monkeypatch.setattr(ProcessPool, "give", give)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("provider", ["metastudio", "xvid"])
async def test_sending_processes_send_every_file(tmp_path: Path, provider: str) -> None:
    """Through faults of storage: PUTs with and without Content-MD5, forms, small files and a large one."""
    faults = ["expired-url=0.1", "status-503=0.05", "cut-body=0.1", "wrong-etag=0.1"]
    async with world(tmp_path, provider, faults=faults, seed=3, tunables=QUICK_RETRIES) as place:
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
async def test_files_that_change_or_vanish_are_reported(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_killed_process_is_replaced_and_its_files_sent_again(here: World) -> None:
    """Although a file has one try: it is not at fault."""
    here.settings["attempts"] = 1
    here.write_many(16, size=30_000)
    here.faults("slow-body")
    with capture_logs() as logs, anyio.fail_after(60):
        async with here.uploader() as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await until(lambda: any(one.net_connections() for one in processes()))
            next(one for one in processes() if one.net_connections()).kill()  # it is sending files
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.bytes_moving) == (0, 16, 0)
    assert counters.retries
    here.assert_uploaded()
    assert [line["status"] for line in logs if line["event"] == LogEvent.PROCESS_LOST] == [-signal.SIGKILL]


async def test_a_stopped_process_is_replaced_and_its_files_sent_again(here: World) -> None:
    here.write_many(16, size=30_000)
    here.faults("slow-body")
    with capture_logs() as logs, anyio.fail_after(30):
        async with here.uploader(idle_timeout=2) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await until(lambda: any(one.net_connections() for one in processes()))
            next(one for one in processes() if one.net_connections()).suspend()  # it is sending files
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.bytes_moving) == (0, 16, 0)
    assert counters.retries
    here.assert_uploaded()
    assert [line["status"] for line in logs if line["event"] == LogEvent.PROCESS_LOST] == [-signal.SIGKILL]


async def test_processes_that_wait_for_slow_storage_are_kept(here: World) -> None:
    """Storage reads each body for longer than the timeout, from the buffers of the system."""
    here.write_many(4, size=1_000_000)
    here.faults("slow-body", options=FaultOptions(slow_pace=ReadPace(250_000, 1.0)))
    with capture_logs() as logs, anyio.fail_after(60):
        summary = await here.run(idle_timeout=2)
    assert (summary.exit_code, summary.counters.retries) == (0, 0)
    assert not [line for line in logs if line["event"] == LogEvent.PROCESS_LOST]


async def test_processes_that_end_several_times_end_the_run(here: World) -> None:
    """With a machine error; the next run finishes."""
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


async def test_a_run_cut_off_leaves_no_process(here: World) -> None:
    """The next run finishes."""
    here.faults("slow-body=0.5", options=FaultOptions(slow_pace=ReadPace(4096, 0.05)))
    here.write_many(20, size=100_000)
    await interrupt_after(here, 3)
    assert not processes()
    here.faults()
    assert (await here.run(processes=1)).exit_code == 0
    here.assert_uploaded()


async def test_attempts_are_cancelled_at_the_end_of_the_grace(here: World) -> None:
    """Their files are given back with their tickets, and their bytes no longer count."""
    here.tunables = Tunables(process=ProcessOptions(cancel_timeout=math.inf))
    here.faults("slow-body", options=FaultOptions(slow_pace=ReadPace(64, 0.05)))
    here.write({f"{number}.mov": os.urandom(200_000) for number in range(4)})
    async with here.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        await until(lambda: uploader.gauge.counters.bytes_moving > 0)
        uploader.stop(ExitCode.SIGINT)
        await until(lambda: not uploader.gauge.counters.bytes_moving)  # each process has reported it
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.remaining) == (ExitCode.SIGINT, 0, 4)
    assert counters.bytes_moving == 0
    assert not processes()
    here.faults()
    again = await here.run(processes=1)
    assert (again.exit_code, again.counters.reused_tickets) == (0, 4)
    here.assert_uploaded()


async def test_auto_starts_processes_when_they_pay(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begins without any; files are sent before and after there are some."""
    monkeypatch.setattr(process_tuner, "usable_cores", lambda: 4)
    monkeypatch.setattr(IdleCores, "since_last", lambda *_: 3.0)
    here.tunables = Tunables(process_plan=QUICK)
    take, sent, given, pools = ProcessPlan.take, LocalSender.send, ProcessPool.give, list[ProcessPool]()
    ways, numbers = list[str](), itertools.count()

    def taken(self: ProcessPlan, seen: Window) -> int:
        return take(self, dataclasses.replace(seen, waiting=True)) if len(ways) >= 5 else 0

    async def send(self: LocalSender, file: Ticketed, count: Count) -> Receipt | Problem:
        if next(numbers) == 5:
            await until(lambda: bool(pools) and pools[0].ready == 3)
        ways.append("here")
        return await sent(self, file, count)

    def give(self: ProcessPool, attempts: Sequence[Attempt]) -> None:
        ways.extend(["elsewhere"] * len(attempts))
        given(self, attempts)

    async def start(self: ProcessPool, count: int) -> None:
        pools.append(self)
        await started(self, count)

    started = ProcessPool.start
    monkeypatch.setattr(ProcessPlan, "take", taken)
    monkeypatch.setattr(LocalSender, "send", send)
    monkeypatch.setattr(ProcessPool, "give", give)
    monkeypatch.setattr(ProcessPool, "start", start)
    here.write_many(15)
    summary = await here.run(processes="auto", concurrency=1)
    assert summary.exit_code == 0
    assert ways == ["here"] * 6 + ["elsewhere"] * 9
    here.assert_uploaded()


async def test_auto_continues_without_a_process_that_ended(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are sent again by the process of the run, and no other process is started."""
    monkeypatch.setattr(process_tuner, "usable_cores", lambda: 2)
    monkeypatch.setattr(IdleCores, "since_last", lambda *_: 1.0)
    here.tunables = Tunables(process_plan=QUICK)
    take = ProcessPlan.take
    monkeypatch.setattr(ProcessPlan, "take", lambda self, seen: take(self, dataclasses.replace(seen, waiting=True)))
    here.write_many(60, size=30_000)
    here.faults("slow-body=0.2", options=FaultOptions(slow_pace=ReadPace(30_000, 0.1)))
    with capture_logs() as logs, anyio.fail_after(60):
        async with here.uploader(processes="auto", concurrency=4) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await until(lambda: any(one.net_connections() for one in processes()))
            processes()[0].kill()
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.bytes_moving) == (0, 60, 0)
    here.assert_uploaded()
    assert len([line for line in logs if line["event"] == LogEvent.PROCESSES_STARTED]) == 1
    assert [line["status"] for line in logs if line["event"] == LogEvent.PROCESS_LOST] == [-signal.SIGKILL]


async def test_auto_continues_without_processes_that_cannot_be_started(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tuner, "usable_cores", lambda: 4)
    monkeypatch.setattr(IdleCores, "since_last", lambda *_: 3.0)
    here.tunables = Tunables(process_plan=QUICK)
    take, tries = ProcessPlan.take, list[object]()
    monkeypatch.setattr(ProcessPlan, "take", lambda self, seen: take(self, dataclasses.replace(seen, waiting=True)))

    async def spawn(*command: object, **_: object) -> None:
        tries.append(command)
        raise OSError(errno.EAGAIN, "try again")

    async def send(self: LocalSender, file: Ticketed, count: Count) -> Receipt | Problem:
        await until(lambda: bool(tries))
        return await sent(self, file, count)

    sent = LocalSender.send
    monkeypatch.setattr(anyio, "open_process", spawn)
    monkeypatch.setattr(LocalSender, "send", send)
    here.write_many(10)
    assert (await here.run(processes="auto", concurrency=1)).exit_code == 0
    here.assert_uploaded()
    assert len(tries) == 1


async def test_an_error_of_the_program_ends_the_run(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its place in a sending process, and without its text."""
    monkeypatch.setattr(sending_process, "jobs_to_plain", lambda _: [("confidential",)])
    here.write_many(1)
    with pytest.raises(BaseExceptionGroup) as raised:
        await here.run()
    text = "".join(traceback.format_exception(raised.value))
    assert "ValueError in a sending process" in text
    assert "in files_of" in text
    assert "confidential" not in text
