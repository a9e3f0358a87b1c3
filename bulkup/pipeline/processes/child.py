"""A sending process: takes jobs from its parent, makes the attempts, and reports.

It ends at once when its socket is closed. Nothing is lost then: it keeps no state beyond the attempts, and the journal
is the parent's.
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
from bulkup.helpers.thread_limit import NO_THREADS, THREADS_HINT, is_thread_limit
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import (
    Plain,
    ReportKind,
    file_of,
    report,
    report_problem,
    report_sent,
    setup_from_plain,
)
from bulkup.pipeline.send.attempt import FileSender, LocalSender
from bulkup.providers import PROVIDER_CLASSES
from bulkup.transport import Storage

_PROGRESS_EVERY = 0.1  # seconds
_HEARTBEAT = frame([])


def main() -> None:
    """Make attempts until the socket on standard input is closed."""
    reduce_gc_frequency()
    event_loop.run(_main, socket.socket(fileno=os.dup(0)))


async def _main(parent: socket.socket) -> None:
    loop, clock = asyncio.get_running_loop(), SystemClock()
    child = Child()
    await loop.create_unix_connection(lambda: child, sock=parent)
    setup = setup_from_plain(await child.setup)
    async with Storage(setup.transport) as storage, asyncio.TaskGroup() as tasks:
        child.begin(LocalSender(storage, PROVIDER_CLASSES[setup.provider], clock, setup.sending), tasks)
        await child.report_progress()


class _Job:
    """An attempt under way; `count` is the number of bytes sent and not reported yet."""

    __slots__ = ("begun", "count", "number", "task")

    def __init__(self, number: int) -> None:
        self.number = number
        self.begun = False
        self.count = 0
        self.task: asyncio.Task[None]

    def add(self, count: int) -> None:
        self.count += count


class Child(asyncio.Protocol):
    """The connection to the parent. Reports of one turn of the loop share a message."""

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
        """Report that this process is ready for jobs."""
        self._sender, self._tasks = sender, tasks
        self._transport.write(frame([]))

    async def report_progress(self) -> None:
        """Report the bytes sent, at regular intervals. A message without reports says that this process still runs."""
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            for job in self._jobs.values():
                if job.count:
                    self._report(report(job.number, self._counted(job), ReportKind.PROGRESS))
            if self._jobs and not self._reports:
                self._transport.write(_HEARTBEAT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, for reports."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the reason does not matter
        """End this process, because its parent has ended or no longer needs it."""
        os._exit(0)

    def data_received(self, data: bytes) -> None:
        """Take the set-up at first, then jobs and the numbers of jobs to cancel."""
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
            return  # its last report is on its way
        job.task.cancel()
        if not job.begun:  # a task cancelled before it begins never reports
            del self._jobs[number]
            self._report(report(number, 0, ReportKind.CANCELLED))

    async def _work(self, job: _Job, plain: Plain) -> None:
        job.begun = True
        try:
            last = await self._attempt(job, plain)
        except asyncio.CancelledError:
            last = report(job.number, self._counted(job), ReportKind.CANCELLED)
        except Exception as error:  # noqa: BLE001  # a worker waits for a report of any error
            last = self._fault(job, error)
        del self._jobs[job.number]
        self._report(last)

    async def _attempt(self, job: _Job, plain: Plain) -> Plain:
        try:
            sent = await self._sender.send(file_of(plain), job.add)
        except ProblemError as error:
            sent = error.problem
        count = self._counted(job)
        if isinstance(sent, Problem):
            return report_problem(job.number, count, sent)
        return report_sent(job.number, count, sent)

    def _fault(self, job: _Job, error: Exception) -> Plain:
        count = self._counted(job)
        if is_thread_limit(error):
            problem = Problem(ProblemKind.MACHINE, f"{NO_THREADS}; {THREADS_HINT}", maybe_created=True)
            return report_problem(job.number, count, problem)
        return report(job.number, count, ReportKind.FAULT, _where(error))

    def _counted(self, job: _Job) -> int:
        count, job.count = job.count, 0
        return count

    def _report(self, message: Plain) -> None:
        if not self._reports:
            self._loop.call_soon(self._flush)
        self._reports.append(message)

    def _flush(self) -> None:
        reports, self._reports = self._reports, []
        self._transport.write(frame(reports))


def _where(error: BaseException) -> str:
    """Return an error's type and traceback, without its text, which may hold secrets."""
    return f"{type(error).__name__} in a sending process\n{''.join(traceback.format_tb(error.__traceback__))}"
