"""The sending processes of a run: gives them attempts, and passes their results on, both in groups.

The parent keeps everything but the bytes. It makes attempts itself while no process is ready, after all processes were
withdrawn, and always for files in parts: an MD5 in progress cannot move to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

import anyio

from bulkup.errors import MachineError
from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Receipt
from bulkup.pipeline.processes.jobs import Plain, ReportKind, Setup, problem_of, receipt_of, usual_receipt
from bulkup.pipeline.processes.sending_process import Attempt, Callbacks, ProcessOptions, SendingProcess
from bulkup.pipeline.throttle import SharedThrottle

_log = EventLogger("bulkup.processes")
_ENDED_OFTEN = Problem(ProblemKind.MACHINE, "sending processes ended unexpectedly several times; use --processes 1")

Result = tuple[Attempt, Receipt | Problem]


class Receiver(Protocol):
    """Takes what a pool reports (`pipeline.dispatcher`). Its methods do not wait."""

    def pool_changed(self) -> None:
        """Note that the pool takes attempts now."""

    def progressed(self, attempt: Attempt, count: int) -> None:
        """Count bytes of an attempt under way."""

    def ended(self, results: Sequence[Result]) -> None:
        """Take the results of attempts."""

    def lost(self, attempts: Sequence[Attempt]) -> None:
        """Take back attempts whose process ended, or that no process will make."""

    def cancelled(self, attempts: Iterable[Attempt]) -> None:
        """Take back attempts that were cancelled."""

    def faulted(self, error: RuntimeError) -> None:
        """Take an error of the program in a sending process."""


class ProcessPool:
    """Owns the processes, within `async with`. `receiver` is set before the first attempt is given.

    With a number of `processes`, all of them start at once, attempts wait for them, and one that ends is replaced a few
    times. With None there are none until `start`, and one that ends is not replaced.
    """

    receiver: Receiver

    def __init__(
        self,
        setup: Setup,
        clock: Clock,
        processes: int | None,
        options: ProcessOptions,
        make: Callable[[Callbacks, ProcessOptions], SendingProcess] = SendingProcess,
        throttle: SharedThrottle | None = None,
    ) -> None:
        self._setup = setup
        self._clock = clock
        self._fixed = processes
        self._options = options
        self._make = make
        self._throttle = throttle or SharedThrottle(clock)
        self._throttle.on_change(self._limit_changed)
        self._callbacks = Callbacks(self._add, self._take, self._lose)
        self._processes: list[SendingProcess] = []
        self._ready: list[SendingProcess] = []
        self._lost: list[SendingProcess] = []
        self._losses = 0
        self._withdrawing = self._cancelling = False
        self._waiting: list[Attempt] = []  # for a process that is ready
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
    def takes(self) -> bool:
        """Whether attempts are to be given to this pool."""
        return bool(self._ready or self._fixed)

    @property
    def broken(self) -> bool:
        """Return whether a process ended unexpectedly."""
        return self._losses > 0

    def give(self, attempts: Sequence[Attempt]) -> None:
        """Have attempts made: each process gets its share in one message."""
        if self._ready:
            self._share_out(attempts)
        else:
            self._waiting += attempts
            self._fail_waiting()

    def _share_out(self, attempts: Sequence[Attempt]) -> None:
        by_load = sorted(self._ready, key=lambda process: len(process.attempts))
        begin = 0
        for process, share in zip(by_load, shares(len(attempts), [len(p.attempts) for p in by_load]), strict=True):
            if share:
                process.give(attempts[begin : begin + share])
                begin += share

    async def cancel(self) -> None:
        """Cancel all attempts, and wait until the processes have stopped sending. Their results do not count."""
        self._cancelling = True
        self.receiver.cancelled(self._waiting)
        self._waiting = []
        for process in self._processes:
            process.cancel()
        with anyio.move_on_after(self._options.cancel_timeout, shield=True):
            for process in list(self._processes):
                await process.idle()
        for process in self._processes:
            self.receiver.cancelled(process.attempts.values())
            process.attempts.clear()

    async def start(self, count: int) -> None:
        """Start processes, which take attempts once they are ready. Raises `MachineError`."""
        for _ in range(count):
            process = self._make(self._callbacks, self._options)
            self._processes.append(process)  # before it is started, for it may end at once
            process.limit(self._throttle.rate)
            try:
                await process.start(self._setup)
            except MachineError:
                self._processes.remove(process)
                raise

    async def withdraw(self) -> None:
        """Take no more attempts; the processes end once theirs have ended."""
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

    def _add(self, process: SendingProcess) -> None:
        if self._withdrawing:
            return
        self._ready.append(process)
        if self._waiting:
            attempts, self._waiting = self._waiting, []
            self._share_out(attempts)
        if not self._fixed:
            self.receiver.pool_changed()

    def _take(self, process: SendingProcess, message: Plain) -> None:
        usual, reports = message
        now, results = self._clock.now(), list[Result]()
        for number, md5 in usual:
            attempt = process.attempts.pop(number, None)
            if attempt is None:  # it was cancelled, and took too long
                continue
            self.receiver.progressed(attempt, attempt.file.item.file.identity.size)
            results.append((attempt, usual_receipt(attempt.file, md5, now)))
        for report in reports:
            self._take_report(process, report, now, results)
        process.note_reports()
        self._pass_on(results)

    def _take_report(self, process: SendingProcess, report: Plain, now: float, results: list[Result]) -> None:
        number, count, kind = report[:3]
        if kind == ReportKind.BANDWIDTH:
            self._grant(process, count)
            return
        if kind == ReportKind.FAULT:
            self.receiver.faulted(RuntimeError(report[3]))
            return
        attempt = process.attempts.get(number)
        if attempt is None:
            return
        if count:
            self.receiver.progressed(attempt, count)
        if kind == ReportKind.PROGRESS:
            return
        del process.attempts[number]
        if kind == ReportKind.CANCELLED:
            self.receiver.cancelled([attempt])
        else:
            results.append((attempt, receipt_of(report, now) if kind == ReportKind.SENT else problem_of(report)))

    def _limit_changed(self) -> None:
        for process in self._processes:
            process.limit(self._throttle.rate)

    def _grant(self, process: SendingProcess, count: int) -> None:
        """Let a process send bytes, in its turn among all that send."""
        turn = self._throttle.request(count)
        if turn is None:
            process.grant(count)
        else:
            turn.add_done_callback(lambda _: process.grant(count) if process in self._processes else None)

    def _pass_on(self, results: list[Result]) -> None:
        if self._cancelling:
            self.receiver.cancelled([attempt for attempt, _ in results])
        elif results:
            self.receiver.ended(results)

    def _lose(self, process: SendingProcess) -> None:
        if process not in self._processes:  # its end was requested
            return
        self._losses += 1
        self._processes.remove(process)
        if process in self._ready:
            self._ready.remove(process)
        self._lost.append(process)
        self._loss.set()
        attempts = list(process.attempts.values())
        process.attempts.clear()
        process.note_reports()
        self._give_back(attempts)
        self._fail_waiting()

    def _fail_waiting(self) -> None:
        """Fail the attempts that wait if no process will become ready."""
        if self._losses >= self._options.most_losses or not self._fixed:
            waiting, self._waiting = self._waiting, []
            if self._fixed:
                self._pass_on([(attempt, _ENDED_OFTEN) for attempt in waiting])
            else:
                self._give_back(waiting)

    def _give_back(self, attempts: Sequence[Attempt]) -> None:
        if self._cancelling:
            self.receiver.cancelled(attempts)
        elif attempts:
            self.receiver.lost(attempts)

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
