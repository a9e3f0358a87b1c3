"""A sending process: takes jobs from the process that started it, makes the attempts, and reports.

It ends when its socket does, at once: what it had in hand is nobody's then, and a journal is nowhere near.
"""

from __future__ import annotations

import asyncio
import os
import socket
import traceback
from typing import cast

from bulkup.helpers import event_loop
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.garbage_collector import reduce_gc_frequency
from bulkup.model.problems import ProblemError
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import (
    Came,
    Plain,
    item_of,
    report,
    report_problem,
    report_sent,
    setup_from_plain,
)
from bulkup.pipeline.send.attempt import FileSender, LocalSender
from bulkup.providers import PROVIDERS
from bulkup.transport import Storage

_PROGRESS_EVERY = 0.1  # seconds


def main() -> None:
    """Send until the socket on standard input is closed."""
    reduce_gc_frequency()
    event_loop.run(_main, socket.socket(fileno=os.dup(0)))


async def _main(parent: socket.socket) -> None:
    loop, clock = asyncio.get_running_loop(), SystemClock()
    child = Child()
    await loop.create_unix_connection(lambda: child, sock=parent)
    setup = setup_from_plain(await child.setup)
    async with Storage(setup.transport) as storage, asyncio.TaskGroup() as tasks:
        child.begin(LocalSender(storage, PROVIDERS[setup.provider], clock, setup.sending), tasks)
        await child.tell_progress()


class _Job:
    """An attempt under way; `count` are the bytes that went and were not reported yet."""

    __slots__ = ("begun", "count", "number", "task")

    def __init__(self, number: int) -> None:
        self.number = number
        self.begun = False
        self.count = 0
        self.task: asyncio.Task[None]

    def add(self, count: int) -> None:
        self.count += count


class Child(asyncio.Protocol):
    """The way from and to the process that started this one. Reports of one turn of the loop go together."""

    def __init__(self) -> None:
        self.setup: asyncio.Future[Plain] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._jobs: dict[int, _Job] = {}
        self._reports: list[Plain] = []
        self._sender: FileSender
        self._tasks: asyncio.TaskGroup
        self._transport: asyncio.WriteTransport

    def begin(self, sender: FileSender, tasks: asyncio.TaskGroup) -> None:
        """Say that jobs can come."""
        self._sender, self._tasks = sender, tasks
        self._transport.write(frame([]))

    async def tell_progress(self) -> None:
        """Report how far attempts have got, time and again."""
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            for job in self._jobs.values():
                if job.count:
                    self._report(report(job.number, self._counted(job), Came.PROGRESS))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # it does not matter
        """End: there is nobody to send for."""
        os._exit(0)

    def data_received(self, data: bytes) -> None:
        """Take what was told: the setup at first, then jobs, and the numbers of those to be given up."""
        for message in self._frames.feed(data):
            if not self.setup.done():
                self.setup.set_result(message)
                continue
            jobs, cancelled = message
            for job in jobs:
                self._begin(job)
            for number in cancelled:
                self._cancel(number)

    def _begin(self, plain: Plain) -> None:
        job = self._jobs[plain[0]] = _Job(plain[0])
        job.task = self._tasks.create_task(self._work(job, plain))

    def _cancel(self, number: int) -> None:
        job = self._jobs.get(number)
        if job is None:
            return  # its report is on its way
        job.task.cancel()
        if not job.begun:  # so it will never come to report
            del self._jobs[number]
            self._report(report(number, 0, Came.CANCELLED))

    async def _work(self, job: _Job, plain: Plain) -> None:
        job.begun = True
        try:
            told = await self._attempt(job, plain)
        except asyncio.CancelledError:
            told = report(job.number, self._counted(job), Came.CANCELLED)
        except Exception as error:  # noqa: BLE001  # whatever it is, a worker waits for an answer
            told = report(job.number, self._counted(job), Came.FAULT, _where(error))
        del self._jobs[job.number]
        self._report(told)

    async def _attempt(self, job: _Job, plain: Plain) -> Plain:
        item = item_of(plain)
        try:
            problem = await self._sender.send(item, job.add)
        except ProblemError as error:
            problem = error.problem
        count = self._counted(job)
        return report_sent(job.number, count, item) if problem is None else report_problem(job.number, count, problem)

    def _counted(self, job: _Job) -> int:
        count, job.count = job.count, 0
        return count

    def _report(self, told: Plain) -> None:
        if not self._reports:
            self._loop.call_soon(self._flush)
        self._reports.append(told)

    def _flush(self) -> None:
        reports, self._reports = self._reports, []
        self._transport.write(frame(reports))


def _where(error: BaseException) -> str:
    """Return an error's type and where it was raised; its text may hold what must not be printed."""
    return f"{type(error).__name__} in a sending process\n{''.join(traceback.format_tb(error.__traceback__))}"
