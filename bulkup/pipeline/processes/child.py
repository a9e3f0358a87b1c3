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
from bulkup.model.items import Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.granted_throttle import GrantedThrottle
from bulkup.pipeline.processes.jobs import (
    Plain,
    ReportKind,
    files_of,
    is_usual,
    report,
    report_problem,
    report_sent,
    setup_from_plain,
)
from bulkup.pipeline.send.attempt import FileSender, LocalSender
from bulkup.providers import PROVIDER_CLASSES
from bulkup.transport import Storage

_PROGRESS_EVERY = 0.1  # seconds
_NO_REPORTS = frame(([], []))


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
        storage.throttle = child.throttle
        child.begin(LocalSender(storage, PROVIDER_CLASSES[setup.provider], clock, setup.sending), tasks)
        await child.report_progress()


class _Job:
    """An attempt under way; `count` is the number of bytes sent and not reported yet."""

    __slots__ = ("begun", "count", "file", "number", "task")

    def __init__(self, number: int, file: Ticketed) -> None:
        self.number = number
        self.file = file
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
        self._usual: list[tuple[int, bytes]] = []
        self._reports: list[Plain] = []
        self._flushes = False
        self.throttle = GrantedThrottle(self._ask_for_bytes)
        self._sender: FileSender
        self._tasks: asyncio.TaskGroup
        self._transport: asyncio.WriteTransport

    def begin(self, sender: FileSender, tasks: asyncio.TaskGroup) -> None:
        """Report that this process is ready for jobs."""
        self._sender, self._tasks = sender, tasks
        self._transport.write(_NO_REPORTS)

    async def report_progress(self) -> None:
        """Report the bytes sent, at regular intervals. A message without reports says that this process still runs."""
        while True:
            await asyncio.sleep(_PROGRESS_EVERY)
            for job in self._jobs.values():
                if job.count:
                    self._report(report(job.number, self._counted(job), ReportKind.PROGRESS))
            if self._jobs and not self._flushes:
                self._transport.write(_NO_REPORTS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, for reports."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the reason does not matter
        """End this process, because its parent has ended or no longer needs it."""
        os._exit(0)

    def data_received(self, data: bytes) -> None:
        """Take the set-up at first, then jobs, the request to cancel all of them, and bytes of the bandwidth."""
        for message in self._frames.feed(data):
            if not self.setup.done():
                self.setup.set_result(message)
                continue
            batches, cancelled = message
            if batches is None:
                self.throttle.take(*cancelled)
                continue
            try:
                for batch in batches:
                    self._begin(batch)
            except Exception as error:  # noqa: BLE001  # the parent waits for a report of any error
                self._report(report(-1, 0, ReportKind.FAULT, _where(error)))
            if cancelled:
                self._cancel()

    def _begin(self, batch: Plain) -> None:
        for number, file in files_of(batch):
            job = self._jobs[number] = _Job(number, file)
            job.task = self._tasks.create_task(self._work(job))

    def _cancel(self) -> None:
        for number, job in list(self._jobs.items()):
            job.task.cancel()
            if not job.begun:  # a task cancelled before it begins never reports
                del self._jobs[number]
                self._report(report(number, 0, ReportKind.CANCELLED))

    async def _work(self, job: _Job) -> None:
        job.begun = True
        try:
            sent = await self._sender.send(job.file, job.add)
        except ProblemError as error:
            self._report(report_problem(job.number, self._counted(job), error.problem))
        except asyncio.CancelledError:
            self._report(report(job.number, self._counted(job), ReportKind.CANCELLED))
        except Exception as error:  # noqa: BLE001  # the parent waits for a report of any error
            self._report(self._fault(job, error))
        else:
            self._report_end(job, sent)
        del self._jobs[job.number]

    def _report_end(self, job: _Job, sent: Receipt | Problem) -> None:
        if isinstance(sent, Problem):
            self._report(report_problem(job.number, self._counted(job), sent))
        elif sent.digest is not None and job.count == sent.identity.size and is_usual(job.file, sent):
            self._usual.append((job.number, sent.digest.value))
            self._flush_soon()
        else:
            self._report(report_sent(job.number, self._counted(job), sent))

    def _fault(self, job: _Job, error: Exception) -> Plain:
        count = self._counted(job)
        if is_thread_limit(error):
            problem = Problem(ProblemKind.MACHINE, f"{NO_THREADS}; {THREADS_HINT}", maybe_created=True)
            return report_problem(job.number, count, problem)
        return report(job.number, count, ReportKind.FAULT, _where(error))

    def _ask_for_bytes(self, count: int) -> None:
        self._report(report(-1, count, ReportKind.BANDWIDTH))

    def _counted(self, job: _Job) -> int:
        count, job.count = job.count, 0
        return count

    def _report(self, message: Plain) -> None:
        self._reports.append(message)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushes:
            self._flushes = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        message = self._usual, self._reports
        self._usual, self._reports, self._flushes = [], [], False
        self._transport.write(frame(message))


def _where(error: BaseException) -> str:
    """Return an error's type and traceback, without its text, which may hold secrets."""
    return f"{type(error).__name__} in a sending process\n{''.join(traceback.format_tb(error.__traceback__))}"
