"""Makes attempts in sending processes: several attempts share a message, and so do several reports.

The parent keeps everything but the bytes. It makes attempts itself while no process is ready, after all processes were
withdrawn, and always for files in parts: an MD5 in progress cannot move to another process.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

import anyio

from bulkup.errors import MachineError
from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.items import Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Receipt
from bulkup.pipeline.processes.jobs import Plain, ReportKind, Setup, problem_of, receipt_of
from bulkup.pipeline.processes.sending_process import Attempt, Callbacks, ProcessOptions, SendingProcess
from bulkup.pipeline.send.attempt import Count, FileSender

_log = EventLogger("bulkup.processes")
_ENDED = Problem(ProblemKind.TRANSIENT, "a sending process ended unexpectedly")
_ENDED_OFTEN = Problem(ProblemKind.MACHINE, "sending processes ended unexpectedly several times; use --processes 1")


class ProcessPool:
    """A `FileSender` that makes attempts in other processes. Owns the processes, within `async with`.

    `own` makes attempts in this process. With a number of `processes`, all of them start at once, attempts wait for
    them, and one that ends is replaced a few times. With None there are none until `start`, and one that ends is not
    replaced.
    """

    def __init__(
        self,
        own: FileSender,
        setup: Setup,
        clock: Clock,
        processes: int | None,
        options: ProcessOptions,
        make: Callable[[Callbacks, ProcessOptions], SendingProcess] = SendingProcess,
    ) -> None:
        self._own = own
        self._setup = setup
        self._clock = clock
        self._fixed = processes
        self._options = options
        self._make = make
        self._callbacks = Callbacks(self._add, self._take, self._lose)
        self._processes: list[SendingProcess] = []
        self._ready: list[SendingProcess] = []
        self._lost: list[SendingProcess] = []
        self._losses = 0
        self._withdrawing = False
        self._numbers = itertools.count()
        self._outbox: list[Attempt] = []
        self._loss = anyio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self.start(self._fixed or 0)
        except BaseException:
            await self._end_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end_all()

    @property
    def ready(self) -> int:
        """The number of processes that take attempts."""
        return len(self._ready)

    @property
    def broken(self) -> bool:
        """Return whether a process ended unexpectedly."""
        return self._losses > 0

    def send(self, file: Ticketed, count: Count) -> Coroutine[Any, Any, Receipt | Problem]:
        """Send the file, as `FileSender` says."""
        if file.ticket.more_urls or not (self._ready or self._fixed):
            return self._own.send(file, count)
        return self._send_by_process(file, count)

    async def start(self, count: int) -> None:
        """Start processes, which take attempts once they are ready. Raises `MachineError`."""
        for _ in range(count):
            process = self._make(self._callbacks, self._options)
            self._processes.append(process)  # before it is started, for it may end at once
            try:
                await process.start(self._setup)
            except MachineError:
                self._processes.remove(process)
                raise

    async def withdraw(self) -> None:
        """Make attempts in this process again; the others end once their attempts have ended."""
        self._withdrawing = True
        self._ready.clear()
        for process in list(self._processes):
            await process.idle()
        await self._end_all()
        self._withdrawing = False

    async def work(self) -> None:
        """Log each process that ended unexpectedly, and replace it; until cancelled."""
        while True:
            while self._lost:
                process = self._lost.pop()
                _log.warning(LogEvent.PROCESS_LOST, status=await process.close())
                if self._fixed and self._losses < self._options.most_losses:
                    await self.start(1)
            self._loss = anyio.Event()
            await self._loss.wait()

    async def _send_by_process(self, file: Ticketed, count: Count) -> Receipt | Problem:
        attempt = Attempt(next(self._numbers), file, count, asyncio.get_running_loop().create_future())
        self._put(attempt)
        try:
            sent = await attempt.done
            assert sent is not None  # only an attempt that `_cancel` waits for ends without a result
            return sent
        except asyncio.CancelledError:
            await self._cancel(attempt)
            raise

    def _put(self, attempt: Attempt) -> None:
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(attempt)

    def _flush(self) -> None:
        if not self._ready:
            if self._losses >= self._options.most_losses or not self._fixed:
                _fail(self._outbox, _ENDED_OFTEN if self._fixed else _ENDED)
                self._outbox = []
            return  # until one is ready
        attempts, self._outbox = self._outbox, []
        by_load = sorted(self._ready, key=lambda process: len(process.attempts))
        for process, share in zip(by_load, shares(len(attempts), [len(p.attempts) for p in by_load]), strict=True):
            if share:
                process.give(attempts[:share])
                del attempts[:share]

    async def _cancel(self, attempt: Attempt) -> None:
        """Cancel an attempt, and wait until its process has stopped sending."""
        process = attempt.process
        if attempt in self._outbox:
            self._outbox.remove(attempt)
        elif process is not None and attempt.number in process.attempts:
            attempt.done = asyncio.get_running_loop().create_future()
            process.cancel(attempt)
            with anyio.move_on_after(self._options.cancel_timeout, shield=True):
                await attempt.done
            process.drop(attempt.number)

    def _add(self, process: SendingProcess) -> None:
        if not self._withdrawing:
            self._ready.append(process)
            self._flush()

    def _take(self, process: SendingProcess, reports: Sequence[Plain]) -> None:
        now = self._clock.now()
        for report in reports:
            attempt = process.attempts.get(report[0])
            if attempt is not None:  # else its worker has stopped waiting
                self._take_report(process, attempt, report, now)

    def _take_report(self, process: SendingProcess, attempt: Attempt, report: Plain, now: float) -> None:
        number, count, kind = report[:3]
        if count:
            attempt.count(count)
        if kind == ReportKind.PROGRESS:
            return
        process.drop(number)
        if attempt.done.done():  # its worker is being cancelled
            return
        if kind == ReportKind.SENT:
            attempt.done.set_result(receipt_of(report, now))
        elif kind == ReportKind.FAULT:
            attempt.done.set_exception(RuntimeError(report[3]))
        else:
            attempt.done.set_result(problem_of(report) if kind == ReportKind.PROBLEM else None)

    def _lose(self, process: SendingProcess) -> None:
        if process not in self._processes:  # its end was requested
            return
        self._losses += 1
        self._processes.remove(process)
        if process in self._ready:
            self._ready.remove(process)
        self._lost.append(process)
        self._loss.set()
        _fail([process.drop(number) for number in list(process.attempts)], _ENDED)
        self._flush()

    async def _end_all(self) -> None:
        self._ready.clear()
        processes, self._processes = [*self._processes, *self._lost], []
        self._lost.clear()
        async with anyio.create_task_group() as ends:
            for process in processes:
                ends.start_soon(process.close)


def shares(count: int, loads: Sequence[int]) -> list[int]:
    """Return how many of `count` attempts each process gets, so that loads become even. Pure.

    `loads` are the attempts that each process already has, in ascending order.
    """
    level = -(-(count + sum(loads)) // len(loads))
    given = []
    for load in loads:
        given.append(min(count, max(0, level - load)))
        count -= given[-1]
    return given


def _fail(attempts: Sequence[Attempt | None], problem: Problem) -> None:
    for attempt in attempts:
        if attempt is not None and not attempt.done.done():
            attempt.done.set_result(problem)
