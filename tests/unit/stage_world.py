"""Doubles for tests of the stages: a service, a journal, a sender, routes, and a clock that only tests move.

`StageRun` is a run in which everything around the stages is a double. A test of a single stage gives it the routes of
`Passed`, which keep what the stage passes on. `Stages` connects batcher, ready queue and closer as a run does.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Self, cast

import anyio
import anyio.lowlevel

from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import Claim, Holder, Journal, KnownFile
from bulkup.journal.lookup import Comparison
from bulkup.model.files import Digest, FoundFile, Identity, Place, Source, Stat
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.items import Item, Outcome, Result, Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.pipeline import Tunables
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.closer import Closer
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.ready import Ready
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.send.attempt import Count
from bulkup.providers import Capabilities, FileSpec, PartSpec, Provider, ProviderConfig, TicketAnswer
from bulkup.providers.base import Closing
from bulkup.transport import Transport

MAX_SLEEPS = 10_000  # a loop with more sleeps does not wait between its turns
TURNS = 40  # of the event loop; the longest way, from a file to its ticket, takes fewer


class FakeClock:
    """A clock that stands still until `StageRun.advance` moves it."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return 1e9 + self.time

    def monotonic(self) -> float:
        return self.time


class FakeProvider(Provider):
    """Answers every call, and keeps the files and the time of each. `problems` fail the next calls.

    `can` changes capabilities. `places` and `rejections` are by path. `answers` replaces the answer of presign calls,
    and a group with a file of `culprits` is refused. `later` has the problems that are the first answers for files, by
    path. `parts_asked` are the numbers of parts of each call for their tickets. `closings` are the next answers to
    closing calls and polls, whose names are kept in `closed`. While `held` is set, calls wait for it.
    """

    name = "fake"
    capabilities = Capabilities(batch_limit=1000, batch_size=100)

    def __init__(self, clock: FakeClock, lease: float | None = None, events: list[str] | None = None) -> None:
        super().__init__(ProviderConfig("https://api.example"))
        self.clock = clock
        self.lease = lease
        self.events = [] if events is None else events
        self.asked: list[list[str]] = []
        self.times: list[float] = []
        self.problems: list[Problem] = []
        self.places: dict[str, Place] = {}
        self.rejections: dict[str, Rejection] = {}
        self.answers: Sequence[TicketAnswer] | None = None
        self.culprits: set[str] = set()
        self.later: dict[str, list[Problem]] = {}
        self.held: anyio.Event | None = None
        self.made = 0
        self.closings: list[Closing] = []
        self.closed: list[str] = []
        self.abandoned: list[str] = []
        self.parts_asked: list[list[int]] = []

    @property
    def sizes(self) -> list[int]:
        return [len(names) for names in self.asked]

    def can(self, **capabilities: Any) -> None:
        self.capabilities = dataclasses.replace(self.capabilities, **capabilities)

    def reject(self, spec: FileSpec) -> Rejection | None:
        return self.rejections.get(spec.path)

    def place(self, spec: FileSpec) -> Place | None:
        return self.places.get(spec.path)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        self.events.append("presign")
        self.asked.append([spec.path for spec in specs])
        self.times.append(self.clock.time)
        refused = self.culprits.intersection(self.asked[-1])
        await self._fail_if_wanted()
        if refused:
            raise ProblemError(Problem(ProblemKind.REJECTED, "one of the files is bad"))
        if self.answers is not None:
            return self.answers
        expires = None if self.lease is None else self.clock.now() + self.lease
        self.made += len(specs)
        numbers = [self.made - n for n in range(len(specs))]
        tickets = [Ticket(SecretUrl(f"https://s.example/{n}?s"), f"id-{n}", expires) for n in numbers]
        problems = [self.later.get(spec.path) for spec in specs]
        return [left.pop(0) if left else ticket for left, ticket in zip(problems, tickets, strict=True)]

    async def part_tickets(self, ticket: Ticket, parts: Sequence[PartSpec], call: ApiCall) -> Sequence[Ticket]:
        numbers = [part.number for part in parts]
        self.parts_asked.append(numbers)
        await self._fail_if_wanted()
        expires = None if self.lease is None else self.clock.now() + self.lease
        return [Ticket(SecretUrl(f"https://s.example/{number}?s"), f"part-{number}", expires) for number in numbers]

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        self.closed.append("confirm again" if again else "confirm")
        return await self._closing()

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        self.closed.append("poll")
        return await self._closing()

    async def abandon(self, ticket: Ticket, state: object, call: ApiCall) -> None:
        self.abandoned.append(ticket.remote_id)
        await self._fail_if_wanted()

    async def _closing(self) -> Closing:
        self.times.append(self.clock.time)
        await self._fail_if_wanted()
        return self.closings.pop(0) if self.closings else {}

    async def _fail_if_wanted(self) -> None:
        problem = self.problems.pop(0) if self.problems else None
        await anyio.lowlevel.checkpoint()
        if self.held is not None:
            await self.held.wait()
        if problem is not None:
            raise ProblemError(problem)


class FakeLookup:
    """The rows of earlier runs, by path. `knows_files` says whether the source had files in an earlier run."""

    def __init__(self) -> None:
        self.rows: dict[bytes, KnownFile] = {}
        self.knows_files = False
        self.closed = False

    def find(self, files: Sequence[FoundFile]) -> list[KnownFile | None]:
        return [self.rows.get(file.path) for file in files]

    def compare(self, source: Source, files: Mapping[bytes, Stat], now: float) -> Comparison:
        return Comparison([], [], list(files))

    def knows_files_of(self, source: Source) -> bool:
        return self.knows_files

    def close(self) -> None:
        self.closed = True


class FakeJournal:
    """Accepts every call. Keeps the names in `calls`, the arguments in `arguments`, and both calls and answers of all
    doubles in `events`. `holders` are the files that hold a place, by its name. While `held` is set, calls wait for it.
    `error` fails the next call.
    """

    def __init__(self, events: list[str] | None = None) -> None:
        self.calls: list[str] = []
        self.arguments: list[tuple[Any, ...]] = []
        self.events = [] if events is None else events
        self.rows = FakeLookup()
        self.holders: dict[str, Holder] = {}
        self.claimed: list[Claim] = []
        self.held: anyio.Event | None = None
        self.error: Exception | None = None

    def lookup(self) -> FakeLookup:
        return self.rows

    def lookup_earlier(self) -> FakeLookup:
        return self.rows

    async def claim(self, claims: Sequence[Claim]) -> list[Holder | None]:
        self.claimed += claims
        return [self.holders.get(claim.name) for claim in claims]

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def record(*arguments: Any) -> None:
            self.calls.append(name)
            self.events.append(name)
            self.arguments.append(arguments)
            await anyio.lowlevel.checkpoint()
            if self.held is not None:
                await self.held.wait()
            if self.error is not None:
                raise self.error

        return record


class FakeSender:
    """Takes every file, and keeps it in `sent`. `answers` are the results of the next attempts.

    An answer that is an exception is raised. `counts` are the bytes that each attempt reports. While `held` is set,
    attempts wait for it; `busy` is the number of attempts under way.
    """

    def __init__(self) -> None:
        self.sent: list[Ticketed] = []
        self.answers: list[Receipt | Problem | Exception] = []
        self.counts: Sequence[int] = ()
        self.held: anyio.Event | None = None
        self.busy = 0

    async def send(self, file: Ticketed, count: Count) -> Receipt | Problem:
        self.sent.append(file)
        answer = self.answers.pop(0) if self.answers else receipt()
        self.busy += 1
        try:
            for number in self.counts:
                count(number)
            await anyio.lowlevel.checkpoint()
            if self.held is not None:
                await self.held.wait()
        finally:
            self.busy -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class Passed:
    """Routes that keep the values they receive, for a stage alone. `events` are the names of the routes, in order.

    `record` waits for `held` while it is set, as a slow journal would have it wait.
    """

    def __init__(self, events: list[str] | None = None) -> None:
        self.routes = Routes()
        self.values: list[tuple[str, Any]] = []
        self.events = [] if events is None else events
        self.held: anyio.Event | None = None
        for entrance in ("hash", "ask", "renew", "send", "resume", "retry", "close", "give_up", "recheck", "settle"):
            setattr(self.routes, entrance, self._route(entrance))
        self.routes.record = self._record
        self.routes.ticket_used = self.routes.hashing_ended = lambda: None
        self.routes.unused_tickets = self.routes.files_to_hash = lambda: 0
        self.routes.smaller_waits = lambda _: False
        self.routes.count_failure = lambda: None

    def through(self, route: str) -> list[Any]:
        """Return the values that passed through a route; a tuple of values where the route takes several."""
        return [value for name, value in self.values if name == route]

    @property
    def settled(self) -> list[Outcome]:
        return self.through("settle")

    def _route(self, name: str) -> Callable[..., None]:
        def passed(*values: Any) -> None:
            self.events.append(name)
            self.values.append((name, values[0] if len(values) == 1 else values))

        return passed

    async def _record(self, *outcomes: Outcome) -> None:
        self.events += ["record"] * len(outcomes)
        self.values += [("record", outcome) for outcome in outcomes]
        await anyio.lowlevel.checkpoint()
        if self.held is not None:
            await self.held.wait()


class StageRun:
    """A run of doubles. `deadlines` are all sleeps of loops, in seconds; `events` are calls of all doubles, in order.

    `results` are the results that the user received.
    """

    def __init__(self, lease: float | None = None, *, tunables: Tunables | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        self.events: list[str] = []
        self.provider = FakeProvider(self.clock, lease, self.events)
        self.journal = FakeJournal(self.events)
        self.deadlines: list[float | None] = []
        self.results: list[Result] = []
        self._alarms: list[tuple[float, anyio.CancelScope]] = []
        self.run = Run(
            provider=self.provider,
            call=_no_call,
            transport=cast("Transport", None),
            journal=cast("Journal", self.journal),
            clock=self.clock,
            options=PipelineOptions(**options),
            sources=(),
            emit=self._emit,
            tunables=tunables or Tunables(),
            timeout=self._timeout,
        )

    @property
    def gate(self) -> HostGate:
        """The gate of the one host that all tickets lead to."""
        return self.run.gates.storage(SecretUrl("https://s.example/"))

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

    @contextlib.asynccontextmanager
    async def working(self, *loops: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None, None]:
        """Run the loops of stages while the body runs."""
        tasks = await anyio.create_task_group().__aenter__()
        for loop in loops:
            tasks.start_soon(loop)
        try:
            await settled()
            yield
        finally:
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)  # without an error of the body, which a group would wrap

    async def _emit(self, results: Sequence[Result]) -> None:
        self.events.append("emit")
        self.results += results

    @contextlib.contextmanager
    def _timeout(self, seconds: float | None) -> Iterator[None]:
        self.deadlines.append(seconds)
        assert len(self.deadlines) < MAX_SLEEPS, "a loop does not sleep"
        with anyio.CancelScope() as scope:
            alarm = None if seconds is None else (self.clock.time + seconds, scope)
            if alarm is not None:
                self._alarms.append(alarm)
            try:
                yield
            finally:
                if alarm is not None:
                    self._alarms.remove(alarm)


class Stages(StageRun):
    """Batcher, ready queue and closer, connected as in a run.

    There is no scanner and there are no workers: tests add files with `add`, and take them with `use`.
    """

    def __init__(self, lease: float | None = None, **options: Any) -> None:
        super().__init__(lease, **options)
        self.settled: list[Outcome] = []
        self._stack = contextlib.AsyncExitStack()
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
        routes.count_failure, routes.smaller_waits = lambda: None, self.ready.smaller_waits

    def add(self, number: int, start: int = 0) -> list[Item]:
        items = [Item(found(b"%d.mp4" % n)) for n in range(start, start + number)]
        for item in items:
            self.batcher.add(item)
        return items

    def end_scan(self) -> None:
        self.run.counters.scan_done = True
        self.batcher.wake()

    async def use(self, number: int | None = None, *, end: bool = True) -> list[Ticketed]:
        """Take the files that are ready, as workers do, and those that become ready meanwhile.

        `end` says whether the request of each file ends at once.
        """
        taken: list[Ticketed] = []
        await settled()
        while number is None or len(taken) < number:
            with anyio.move_on_after(0) as waited:
                file, gate = await self.ready.take()
            if waited.cancelled_caught:
                break
            self.run.worker_limit.begin(self.clock.time, file.item.file.identity.size)
            if end:
                gate.end(None, self.clock.time, self.clock.time, 0.5)
            taken.append(file)
            await settled()
        return taken

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.working(self.batcher.work, self.ready.work, self.closer.work))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(TURNS):
        await anyio.lowlevel.checkpoint()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that a thread does."""
    with anyio.fail_after(30):
        while not holds():
            await anyio.sleep(0.001)


async def _no_call(request: ApiRequest) -> ApiAnswer:
    raise AssertionError("the fake provider makes no calls")


def found(path: bytes, size: int = 1) -> FoundFile:
    return FoundFile(Source(b"/data"), path, Identity(size, 2, 3, 4, 5))


def ticket(remote_id: str = "id", query: str = "s", expires_at: float | None = None) -> Ticket:
    return Ticket(SecretUrl(f"https://s.example/{remote_id}?{query}"), remote_id, expires_at)


def receipt(*, verified: bool = True) -> Receipt:
    return Receipt(Digest(b"d" * 16), found(b"a").identity, None, verified, 0.0)
