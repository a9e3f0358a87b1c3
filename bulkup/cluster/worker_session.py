"""A run on a worker: the stages of an ordinary pipeline, from the batcher to the closer, over files that arrive.

    coordinator --groups--> intake --> hasher, batcher, ready, workers, parts, closer --outcomes--> coordinator
                ^                             |
                '-------- records ------------'   (journal proxy: each waits for its row)

It lives in the event loop of the Dask worker, from `begin` until the coordinator ends it, or until it has heard nothing
of the coordinator for the lease. Then it stops sending at once, because its files will be given to others.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import resource
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import anyio

from bulkup.cluster.group_intake import GroupIntake
from bulkup.cluster.held_files import HeldFiles
from bulkup.cluster.journal_proxy import JournalProxy
from bulkup.cluster.remote_recorder import RemoteRecorder
from bulkup.cluster.remote_throttle import GrantedCalls, RemoteThrottle
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.session_setup import SessionSetup
from bulkup.cluster.uplink import Uplink
from bulkup.cluster.wire_values import Plain, file_of, problem_from, problem_to_plain
from bulkup.cluster.worker_credentials import credentials_of
from bulkup.errors import BulkupError, ExitCode, MachineError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.model.counters import Counters
from bulkup.model.items import Result
from bulkup.model.problems import Problem
from bulkup.model.sent_files import TopFiles
from bulkup.pipeline import Pipeline, Run
from bulkup.pipeline.routes import Routes
from bulkup.providers import ProviderConfig, create
from bulkup.transport import Transport
from bulkup.transport.clock_skew import ClockSkewCheck, ServiceClock
from bulkup.transport.timed_calls import TimedCall

if TYPE_CHECKING:
    from bulkup.journal import Journal
    from bulkup.pipeline.throttle import SharedThrottle

_DESCRIPTORS_A_WORKER = 3
_OTHER_DESCRIPTORS = 128
_REFUSALS = ("service_refusals", "storage_refusals", "closing_refusals")


class WorkerSession:
    """One run on this worker, from `start` to `ended`."""

    def __init__(
        self, setup: SessionSetup, clock: Clock | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """`environ` has the variables of this worker, by default those of the process."""
        self._setup = setup
        self._environ = os.environ if environ is None else environ
        self._clock = clock or SystemClock()
        self._service_clock = ServiceClock(self._clock)
        self._uplink = Uplink()
        self._files = HeldFiles()
        self._heard = self._clock.monotonic()
        self._received = 0
        self._accepted = set(setup.accepted)
        self._scope = anyio.CancelScope()
        self._stack = contextlib.AsyncExitStack()
        self._intake: GroupIntake
        self._run: Run
        self._pipeline: Pipeline
        self._task: asyncio.Task[None] | None = None
        self._figures: dict[str, Any] = {}

    @property
    def key(self) -> tuple[str, str]:
        """The journal and the worker: there is one session at a time for both."""
        return self._setup.journal, self._setup.address

    async def start(self) -> None:
        """Build the parts, and begin. Raises `BulkupError` where this worker cannot do its part."""
        setup, clock = self._setup, self._service_clock
        credentials = await credentials_of(setup, self._environ)
        try:
            transport = await self._stack.enter_async_context(Transport(_transport_options(setup), self._clock))
            config = ProviderConfig(setup.base_url, credentials, setup.values, self._clock, clock.now)
            provider = create(setup.provider, config)
            self._stack.callback(provider.close)
        except ImportError as error:
            raise MachineError(f"the provider {setup.provider} cannot be used: {error}") from error
        counters = Counters()
        requests = TimedCall(functools.partial(transport.call, setup.base_url), counters.api_seconds, self._clock)
        call: Any = ClockSkewCheck(requests, clock)
        journal = JournalProxy(self._uplink, self._files)
        self._journal = journal
        self._run = Run(
            provider=provider,
            call=GrantedCalls(call, self._uplink) if setup.limited else call,
            transport=transport,
            journal=cast("Journal", journal),  # the stages of a worker use the steps of a file alone
            clock=self._clock,
            options=_pipeline_options(setup),
            sources=setup.sources,
            emit=_ignore,
            tunables=setup.tunables,
            emits_uploaded=False,
            clock_skew=lambda: clock.skew,
            counters=counters,
        )
        self._throttle = RemoteThrottle(self._uplink, setup.tunables.bandwidth)
        transport.throttle = self._throttle
        self._run.throttle = cast("SharedThrottle", self._throttle)
        self._run.gates.tell = self._tell_of_gate
        self._take_accepted(setup.accepted)
        self._pipeline = Pipeline(self._run, ends=self)
        self._sources = {source.id: source for source in setup.sources}
        self._task = asyncio.create_task(self._work())

    def first(self, run: Run, routes: Routes) -> GroupIntake:
        """Return the first stage of the pipeline."""
        self._intake = GroupIntake(run, routes)
        return self._intake

    def last(self, run: Run) -> RemoteRecorder:
        """Return the last stage of the pipeline."""
        return RemoteRecorder(run, self._uplink, self._files, self._journal)

    def push(self, number: int, messages: Sequence[Plain]) -> None:
        """Take messages of the coordinator; those of a number that was taken before are ignored."""
        self._heard = self._clock.monotonic()
        if number != self._received + 1:
            return
        self._received = number
        for kind, *values in messages:
            getattr(self, f"_on_{kind}")(*values)

    async def pull(self, number: int, wait: float, linger: float) -> SealedBody:
        """Return the messages for the coordinator, as `Uplink.collect`."""
        self._heard = self._clock.monotonic()
        self._note_accepted()
        return await self._uplink.collect(number, wait, linger)

    def abandon(self) -> None:
        """Stop at once: nobody takes the records of this session any more."""
        self._scope.cancel()

    async def ended(self) -> None:
        """Return once nothing of the session runs."""
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._task)

    async def _work(self) -> None:
        try:
            async with self._stack:
                await self._run_pipeline()
        finally:
            self._uplink.tell("ended")  # also after the lease: the coordinator may have been away for a while

    async def _run_pipeline(self) -> None:
        with self._scope:
            try:
                async with anyio.create_task_group() as beside:
                    for work in (self._watch_lease, self._report_figures, self._report_stop):
                        beside.start_soon(work)
                    await self._pipeline.work()
                    self._tell_figures()
                    beside.cancel_scope.cancel()
            except BulkupError as error:
                self._tell_fatal(error)
            except BaseExceptionGroup as group:
                ours, others = group.split(BulkupError)
                self._tell_error(group if ours is None or others is not None else ours)

    # Messages of the coordinator.

    def _on_files(self, files: Sequence[Plain]) -> None:
        for plain in files:
            number, need, item = file_of(plain, self._sources, self._files.devices)
            self._files.add(number, item)
            self._intake.add(need, item)

    def _on_answer(self, number: int, value: Any) -> None:
        self._uplink.answered(number, value)

    def _on_devices(self, pairs: Sequence[tuple[int, int]]) -> None:
        for there, here in pairs:
            self._files.devices.learn(there, here)

    def _on_last(self, last: bool) -> None:
        self._intake.note_last(last=last)

    def _on_bytes(self, rate: float | None, granted: int) -> None:
        self._throttle.take(rate, granted)

    def _on_rate(self, rate: float | None, share: float | None) -> None:
        self._throttle.limit(rate, share)

    def _on_gate(self, name: str, problem: Plain | None) -> None:
        heard = None if problem is None else problem_from(problem)
        self._run.gates.hear(name, heard, self._clock.monotonic(), self._setup.cluster.echo)

    def _on_accepted(self, names: Sequence[str]) -> None:
        self._take_accepted(names)

    def _on_pause(self, on: bool) -> None:
        now = self._clock.monotonic()
        if on:
            self._run.pause.begin(now)
        else:
            self._run.pause.end(now)

    def _on_concurrency(self, workers: int, adaptive: bool) -> None:
        self._pipeline.worker_tasks.limit(_workers(workers), adaptive=adaptive)

    def _on_stop(self, code: int) -> None:
        self._run.stop.request(ExitCode(code))

    def _on_end(self) -> None:
        self._intake.end()

    # News for the coordinator.

    async def _watch_lease(self) -> None:
        lease = self._setup.cluster.lease
        while True:
            left = self._heard + lease - self._clock.monotonic()
            if left <= 0:
                self._scope.cancel()
            await anyio.sleep(max(left, 0.0))

    async def _report_stop(self) -> None:
        await self._run.stop.wait()
        if self._run.stop.error is not None:
            self._tell_fatal(self._run.stop.error)

    async def _report_figures(self) -> None:
        while True:
            await anyio.sleep(self._setup.cluster.figures)
            self._tell_figures()

    def _tell_figures(self) -> None:
        counters, gauge = self._run.counters, self._pipeline.gauge
        now = self._clock.monotonic()
        depths = dict(gauge.depths())
        depths["grouping"] += self._intake.depth
        figures = {
            "bytes_sent": counters.bytes_sent,
            "bytes_moving": counters.bytes_moving,
            "presign_calls": counters.presign_calls,
            "presign_files": counters.presign_files,
            "presign_renewed": counters.presign_renewed,
            "retries": counters.retries,
            "reused_tickets": counters.reused_tickets,
            "concurrency": counters.concurrency,
            "presign_seconds": _histogram(counters.presign_seconds),
            "url_age": _histogram(counters.url_age),
            "api_seconds": _histogram(counters.api_seconds),
            "small": _histogram(counters.sent.small),
            "large": _histogram(counters.sent.large),
            "slowest": _top(counters.sent.slowest),
            "largest": _top(counters.sent.largest),
            "skew": self._service_clock.skew,
        }
        sending = [(file.source, file.path, file.size, file.sent, file.seconds) for file in gauge.sending(now, 5)]
        self._uplink.tell("figures", figures, depths, sending)

    def _tell_of_gate(self, name: str, problem: Problem | None) -> None:
        self._uplink.tell("gate", name, None if problem is None else problem_to_plain(problem))

    def _tell_fatal(self, error: BulkupError) -> None:
        self._uplink.tell("fatal", int(error.exit_code), error.message, error.hint)

    def _tell_error(self, group: BaseException) -> None:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, BulkupError):
            self._tell_fatal(error)
        else:  # its text may hold secrets
            self._uplink.tell("fatal", int(ExitCode.MACHINE), f"an error in the program: {type(error).__name__}", "")
            raise group

    def _note_accepted(self) -> None:
        new = [name for name in _REFUSALS if getattr(self._run, name).accepted and name not in self._accepted]
        if new:
            self._accepted.update(new)
            self._uplink.tell("accepted", tuple(new))

    def _take_accepted(self, names: Sequence[str]) -> None:
        self._accepted.update(names)
        for name in names:
            getattr(self._run, name).accepted = True


def _histogram(histogram: Any) -> Plain:
    return tuple(histogram.counts), histogram.sum


def _top(files: TopFiles) -> list[Plain]:
    return [(file.source.id, file.path, tuple(file.identity), *figures) for file, *figures in files.files()]


def _workers(wanted: int) -> int:
    """Return how many files may be sent at once, within the descriptors that this process may open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = wanted if limit == resource.RLIM_INFINITY else (limit - _OTHER_DESCRIPTORS) // _DESCRIPTORS_A_WORKER
    return max(1, min(wanted, free))


def _transport_options(setup: SessionSetup) -> Any:
    return dataclasses.replace(setup.transport, connections=_workers(setup.transport.connections))


def _pipeline_options(setup: SessionSetup) -> Any:
    """Return the options of the stages here. What concerns the whole run is the coordinator's."""
    return dataclasses.replace(
        setup.options,
        concurrency=_workers(setup.options.concurrency),
        processes=1,
        max_failures=None,
        max_files=None,
        max_bytes=None,
        count=False,
        disposal=None,
    )


async def _ignore(_: Sequence[Result]) -> None:
    """Discard results: the coordinator has them."""
