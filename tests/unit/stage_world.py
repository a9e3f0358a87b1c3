"""Batcher, ready queue and closer, connected as in a run, with time that only a test moves.

There is no scanner and there are no workers: tests add files, and take them as workers do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Self, cast

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import Journal
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.items import Item, Outcome, Ticketed
from bulkup.model.problems import Problem, ProblemError
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.closer import Closer
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.ready import Ready
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.providers import Capabilities, FileSpec, Provider, ProviderConfig
from bulkup.transport import Transport

MOST_SLEEPS = 10_000  # a loop that sleeps more often does not sleep at all
TURNS = 40  # of the event loop; the longest way, from a file to its ticket, takes fewer


class FakeClock:
    """Time that `Stages.advance` moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return 1e9 + self.time

    def monotonic(self) -> float:
        return self.time


class FakeProvider(Provider):
    """Hands out tickets, and remembers the files and the time of each call. `problems` fail the next calls."""

    name = "fake"
    capabilities = Capabilities(batch_limit=1000, batch_size=100)

    def __init__(self, clock: FakeClock, lease: float | None = None) -> None:
        super().__init__(ProviderConfig("https://api.example"))
        self.clock = clock
        self.lease = lease
        self.asked: list[list[str]] = []
        self.times: list[float] = []
        self.problems: list[Problem] = []
        self.made = 0
        self.closed = 0
        self.abandoned: list[str] = []

    @property
    def sizes(self) -> list[int]:
        return [len(names) for names in self.asked]

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        self.asked.append([spec.path for spec in specs])
        self.times.append(self.clock.time)
        problem = self.problems.pop(0) if self.problems else None
        await anyio.lowlevel.checkpoint()
        if problem is not None:
            raise ProblemError(problem)
        expires = None if self.lease is None else self.clock.now() + self.lease
        self.made += len(specs)
        return [
            Ticket(SecretUrl(f"https://s.example/{n}?s"), f"id-{self.made - n}", expires) for n in range(len(specs))
        ]

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Mapping[str, Any]:
        self.closed += 1
        return {}

    async def abandon(self, ticket: Ticket, state: object, call: ApiCall) -> None:
        self.abandoned.append(ticket.remote_id)
        problem = self.problems.pop(0) if self.problems else None
        if problem is not None:
            raise ProblemError(problem)


class FakeJournal:
    """Accepts everything, and keeps the names of the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def record(*_: Any) -> None:
            self.calls.append(name)
            await anyio.lowlevel.checkpoint()

        return record


class Stages:
    """The stages of one test. `deadlines` are all sleeps of their loops, in seconds."""

    def __init__(self, lease: float | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        self.provider = FakeProvider(self.clock, lease)
        self.journal = FakeJournal()
        self.deadlines: list[float | None] = []
        self.settled: list[Outcome] = []
        self._alarms: list[tuple[float, anyio.CancelScope]] = []
        self.run = Run(
            provider=self.provider,
            call=_no_call,
            transport=cast("Transport", None),
            journal=cast("Journal", self.journal),
            clock=self.clock,
            options=PipelineOptions(**options),
            sources=(),
            emit=_no_emit,
            timeout=self._timeout,
        )
        routes = Routes()
        self.batcher, self.ready, self.closer = (
            Batcher(self.run, routes),
            Ready(self.run, routes),
            Closer(self.run, routes),
        )
        routes.ask, routes.renew, routes.ticket_used = self.batcher.add, self.batcher.renew, self.batcher.ticket_used
        routes.send, routes.retry, routes.unused_tickets = self.ready.add, self.ready.retry, self.ready.unused
        routes.close, routes.give_up = self.closer.add, self.closer.give_up
        routes.settle, routes.files_to_hash = self.settled.append, lambda: 0

    @property
    def gate(self) -> HostGate:
        """The gate of the one host that all tickets lead to."""
        return self.run.gates.storage(SecretUrl("https://s.example/"))

    def add(self, number: int, start: int = 0) -> list[Item]:
        items = [Item(found(b"%d.mp4" % n)) for n in range(start, start + number)]
        for item in items:
            self.batcher.add(item)
        return items

    def end_scan(self) -> None:
        self.run.counters.scan_done = True
        self.batcher.wake()

    async def advance(self, seconds: float) -> None:
        """Move the time, and wake the loops as their alarms come due."""
        end = self.clock.time + seconds
        await settled()
        while due := [alarm for alarm in self._alarms if alarm[0] <= end]:
            time, scope = min(due, key=lambda alarm: alarm[0])
            self.clock.time = max(self.clock.time, time)
            scope.cancel()
            await settled()
        self.clock.time = end

    async def use(self, number: int | None = None, *, end: bool = True) -> list[Ticketed]:
        """Take the files that are ready, as workers do, and those that come meanwhile; end their requests, or not."""
        taken: list[Ticketed] = []
        await settled()
        while number is None or len(taken) < number:
            with anyio.move_on_after(0) as waited:
                file, gate = await self.ready.take()
            if waited.cancelled_caught:
                break
            self.run.worker_limit.begin(self.clock.time)
            if end:
                gate.end(None, self.clock.time, self.clock.time, 0.5)
            taken.append(file)
            await settled()
        return taken

    async def __aenter__(self) -> Self:
        self._tasks: TaskGroup = await anyio.create_task_group().__aenter__()
        for stage in (self.batcher, self.ready, self.closer):
            self._tasks.start_soon(stage.work)
        await settled()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    @contextlib.contextmanager
    def _timeout(self, seconds: float | None) -> Iterator[None]:
        self.deadlines.append(seconds)
        assert len(self.deadlines) < MOST_SLEEPS, "a loop does not sleep"
        with anyio.CancelScope() as scope:
            alarm = None if seconds is None else (self.clock.time + seconds, scope)
            if alarm is not None:
                self._alarms.append(alarm)
            try:
                yield
            finally:
                if alarm is not None:
                    self._alarms.remove(alarm)


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(TURNS):
        await anyio.lowlevel.checkpoint()


async def _no_call(request: ApiRequest) -> ApiAnswer:
    raise AssertionError("the fake provider makes no calls")


async def _no_emit(_: Sequence[Any]) -> None:
    """Discard the results."""


def found(path: bytes) -> FoundFile:
    return FoundFile(Source(b"/data"), path, Identity(1, 2, 3, 4, 5))
