"""When tickets are asked for and for how many: `leases` alone, then the whole batcher under a clock that is told."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ExitCode
from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import Journal
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.history import FileHistory
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.closer import Closer
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.presign.leases import Demand, Throughput, first_group_size, good_for, group_size, tickets_ahead
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.providers import Capabilities, FileSpec, Provider, ProviderConfig
from bulkup.transport import Transport

DEMAND = Demand(
    fresh=0,
    modest=None,
    oldest_age=0.0,
    scan_done=False,
    unused=0,
    asked=0,
    calls=0,
    workers=4,
    batch_size=10,
    calls_in_flight=2,
    group_age=0.25,
    answered=True,
    lease=None,
    rate=None,
)
demands = st.builds(
    Demand,
    fresh=st.integers(0, 500),
    modest=st.none() | st.integers(1, 100),
    oldest_age=st.floats(0, 100),
    scan_done=st.booleans(),
    unused=st.integers(0, 500),
    asked=st.integers(0, 500),
    calls=st.integers(0, 5),
    workers=st.integers(1, 64),
    batch_size=st.integers(1, 100),
    calls_in_flight=st.integers(1, 4),
    group_age=st.just(0.25),
    answered=st.booleans(),
    lease=st.none() | st.floats(-1e9, math.inf),
    rate=st.none() | st.floats(0, 1e6),
)


def size(**changes: Any) -> int:
    return group_size(replace(DEMAND, **changes))


def test_nothing_is_asked_for_nobody() -> None:
    """Without a file that needs a ticket there is no call."""
    assert size(scan_done=True) == 0


def test_a_full_group_is_asked_for_at_once() -> None:
    """It waits for nothing, and takes no more than the batch."""
    assert size(fresh=10) == 10
    assert size(fresh=25) == 10


def test_a_group_that_is_not_full_waits_for_more() -> None:
    """As long as the scan goes on and its oldest file is young."""
    assert size(fresh=9, oldest_age=0.2) == 0


def test_a_lone_file_is_asked_for_when_it_is_old_enough() -> None:
    """It does not wait for a batch that may never come."""
    assert size(fresh=1, oldest_age=0.25) == 1


def test_a_lone_file_waits_on_while_all_workers_have_work() -> None:
    """Where tickets wait for workers, a call for one file would gain nothing."""
    assert size(fresh=1, oldest_age=9.0, unused=4) == 0
    assert size(fresh=1, oldest_age=9.0, unused=3) == 1


def test_the_end_of_the_scan_flushes_what_there_is() -> None:
    """Nothing more comes, so there is nothing to wait for."""
    assert size(fresh=3, scan_done=True) == 3


def test_there_are_no_more_calls_than_allowed() -> None:
    """With all calls under way even a full group waits."""
    assert size(fresh=50, calls=2) == 0


def test_no_more_is_asked_than_will_be_used() -> None:
    """Tickets waiting and asked for leave room for a whole group, or there is no call."""
    assert size(fresh=50, unused=14) == 10
    assert size(fresh=50, unused=15) == 0
    assert size(fresh=50, unused=5, asked=10) == 0


def test_before_the_first_answer_one_group_is_asked_for() -> None:
    """Nothing is known of the leases yet, so the service is tried with one call."""
    assert size(fresh=50, answered=False) == 10
    assert size(fresh=50, answered=False, asked=10, calls=1) == 0


def test_a_short_lease_is_asked_for_in_small_groups() -> None:
    """With 10 s and 2 files a second, 10 tickets could be used up, and half of that is asked for."""
    assert size(fresh=50, batch_size=100, lease=10.0, rate=1.0) == 5
    assert size(fresh=50, batch_size=100, lease=10.0, rate=1.0, unused=1) == 0


def test_a_short_lease_with_an_unknown_rate_is_asked_for_by_the_workers() -> None:
    """Before anything is known of the rate, only as many tickets as can be begun at once."""
    assert size(fresh=50, lease=59.0) == 4
    assert size(fresh=50, lease=60.0) == 10


def test_one_ticket_may_always_be_asked_for() -> None:
    """A rate of nought, or a lease that is over as it comes, slows the run and does not end it."""
    assert size(fresh=50, lease=10.0, rate=0.0) == 1
    assert size(fresh=50, lease=-5.0, rate=10.0) == 1


@pytest.mark.parametrize("rate", [0.0, 1e-9, 5.0, 1e300])
def test_a_lease_without_end_is_no_limit(rate: float) -> None:
    """An absurdly late expiry is like none."""
    assert tickets_ahead(replace(DEMAND, lease=math.inf, rate=rate)) == tickets_ahead(DEMAND)


@given(demands)
def test_a_group_is_never_more_than_there_is_room_for(demand: Demand) -> None:
    """Neither more than there are files, nor than the batch, nor than what may be ahead."""
    asked = group_size(demand)
    assert 0 <= asked <= min(demand.fresh, demand.batch_size)
    if asked:
        assert demand.unused + demand.asked + asked <= tickets_ahead(demand)
        assert demand.calls < demand.calls_in_flight


@given(demands)
def test_an_idle_run_always_asks(demand: Demand) -> None:
    """With no ticket left and no call under way, old files are asked for: nothing waits for ever."""
    idle = replace(demand, unused=0, asked=0, calls=0, oldest_age=1.0)
    assert bool(group_size(idle)) == bool(idle.fresh)


def test_a_ticket_is_not_begun_within_the_margin() -> None:
    """A long lease ends by the margin early, a short one by a quarter, one without end never."""
    assert good_for(1000.0, 100.0, 15.0) == 885.0
    assert good_for(20.0, 0.0, 15.0) == 15.0
    assert good_for(None, 0.0, 15.0) is None
    assert good_for(math.inf, 0.0, 15.0) == math.inf


@given(st.floats(-1e6, 1e9), st.floats(0, 1e9), st.floats(0, 100))
def test_the_margin_never_turns_a_good_ticket_into_a_bad_one(expires: float, now: float, margin: float) -> None:
    """What is good now is good to begin now, and nothing is begun after its end."""
    left = good_for(expires, now, margin)
    assert left is not None
    assert left <= expires - now
    assert expires <= now or left >= 0


def test_a_rate_needs_a_past() -> None:
    """Before the first file is begun, and within the first second after it, there is none."""
    throughput = Throughput(window=10.0)
    assert throughput.rate(100.0) is None
    throughput.begin(100.0)
    assert throughput.rate(100.5) is None
    assert throughput.rate(102.0) == 0.5


def test_files_that_are_begun_together_are_no_rate() -> None:
    """Only what has been sent tells how fast that goes; the one that is next to end is counted in."""
    throughput = Throughput(window=10.0)
    for _ in range(32):
        throughput.begin(0.0)
    assert throughput.rate(5.0) == 1 / 5
    for _ in range(32):
        throughput.count(8.0)
    assert throughput.rate(9.0) == 33 / 9


def test_a_rate_looks_back_over_its_window_only() -> None:
    """Files sent before it do not count any more."""
    throughput = Throughput(window=10.0)
    throughput.begin(0.0)
    for _ in range(99):
        throughput.count(0.0)
    for _ in range(20):
        throughput.count(9.0)
    assert throughput.rate(10.0) == 12.0
    assert throughput.rate(12.0) == 2.1
    assert throughput.rate(30.0) == 0.1


@given(st.lists(st.floats(0, 5), min_size=1, max_size=300))
def test_a_rate_counts_every_file_once_and_holds_little(gaps: list[float]) -> None:
    """At any speed the memory is bounded, and the figure is right to a hundredth of the window."""
    throughput, times, now = Throughput(window=10.0), list[float](), 0.0
    throughput.begin(now)
    for gap in gaps:
        now += gap
        times.append(now)
        throughput.count(now)
    rate = throughput.rate(now)
    if rate is not None:
        span = min(10.0, now)
        surely = sum(time >= now - 9.9 for time in times)
        at_most = sum(time >= now - 10.1 for time in times)
        assert surely - 1e-6 <= rate * span - 1 <= at_most + 1e-6
    assert len(throughput._ended) <= 102


@pytest.mark.parametrize(
    ("sizes", "workers", "first"),
    [
        ([10_000] * 100, 32, None),
        ([65_536] * 100, 32, None),
        ([0] * 1000, 1, None),
        ([10**9] * 100, 32, 32),
        ([640_000] * 100, 32, 40),
        ([131_072] * 100, 4, 44),
        ([10**9] * 32 + [1] * 68, 32, None),
        ([10**9] * 5, 32, None),
    ],
)
def test_the_first_group_is_full_unless_files_are_large(sizes: list[int], workers: int, first: int | None) -> None:
    """What the workers begin with counts for nothing: those tickets are used at once."""
    assert first_group_size(sizes, workers) == first


def test_the_first_group_is_what_it_is_to_be_and_the_second_is_not() -> None:
    """Once the service has answered, leases and rate decide."""
    assert size(fresh=50, answered=False, modest=7) == 7
    assert size(fresh=6, answered=False, modest=7) == 0
    assert size(fresh=6, answered=False, modest=7, scan_done=True) == 6
    assert size(fresh=50, answered=True, modest=7) == 10


# The whole batcher, with doubles for all that it touches and time that only a test moves.


class FakeClock:
    """Time that the event loop's sleep moves, see `sleeping`."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return 1e9 + self.time

    def monotonic(self) -> float:
        return self.time


class FakeProvider(Provider):
    """Hands out tickets and remembers how many were asked for in each call, and when."""

    name = "fake"
    capabilities = Capabilities(batch_limit=1000, batch_size=100)

    def __init__(self, clock: FakeClock, lease: float | None = None) -> None:
        super().__init__(ProviderConfig("https://api.example"))
        self.clock = clock
        self.lease = lease
        self.asked: list[list[str]] = []
        self.times: list[float] = []
        self.problems: list[Problem] = []  # what the next calls fail with
        self.made = 0

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


class FakeJournal:
    """Takes everything and keeps nothing."""

    def __getattr__(self, _name: str) -> Callable[..., Awaitable[None]]:
        async def record(*_: Any) -> None:
            await anyio.lowlevel.checkpoint()

        return record


class Bench:
    """A batcher with its surroundings. `wakes` counts how often its loop went to sleep."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lease: float | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        self.provider = FakeProvider(self.clock, lease)
        self.run = Run(
            provider=self.provider,
            call=_no_call,
            transport=cast("Transport", None),
            journal=cast("Journal", FakeJournal()),
            clock=self.clock,
            options=PipelineOptions(**options),
            sources=(),
            emit=_no_emit,
        )
        self.recorder = Recorder(self.run)
        self.batcher = Batcher(self.run, self.recorder, lambda: self.run.counters.scan_done)
        self.settled: list[Outcome] = []
        monkeypatch.setattr(self.recorder, "settle", self.settled.append)
        self.deadlines: list[float | None] = []
        monkeypatch.setattr("bulkup.pipeline.batcher.anyio.move_on_after", self._move_on_after)
        self._alarm: tuple[float, anyio.CancelScope] | None = None

    def _move_on_after(self, seconds: float | None) -> anyio.CancelScope:
        self.deadlines.append(seconds)
        assert len(self.deadlines) < 10_000, "the loop does not sleep"
        scope = anyio.CancelScope()
        self._alarm = None if seconds is None else (self.clock.time + seconds, scope)
        return scope

    def add(self, number: int, start: int = 0) -> list[Item]:
        items = [Item(found(b"%d.mp4" % n)) for n in range(start, start + number)]
        for item in items:
            self.batcher.add(item)
        return items

    async def advance(self, seconds: float) -> None:
        """Let time go on, ringing the batcher's alarms as they come due."""
        end = self.clock.time + seconds
        await settled()
        while self._alarm is not None and self._alarm[0] <= end:
            time, scope = self._alarm
            self._alarm = None
            self.clock.time = max(self.clock.time, time)
            scope.cancel()
            await settled()
        self.clock.time = end

    async def use(self, number: int | None = None) -> list[Item]:
        """Take what is ready, as workers do, and go on taking what that makes room for."""
        taken: list[Item] = []
        await settled()
        while number is None or len(taken) < number:
            try:
                item = self.batcher.ready.receive_nowait()
            except anyio.WouldBlock:
                break
            self.batcher.begun(self.clock.time)
            taken.append(item)
            await settled()
        return taken

    async def __aenter__(self) -> Self:
        self._tasks: TaskGroup = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self.batcher.work)
        await settled()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        self.batcher.close()


async def settled() -> None:
    """Let every task run until it waits; the longest way, from a file to its ticket, takes fewer turns than these."""
    for _ in range(40):
        await anyio.lowlevel.checkpoint()


async def _no_call(request: ApiRequest) -> ApiAnswer:
    raise AssertionError("the fake provider makes no calls")


async def _no_emit(_: Mapping[str, Any] | Sequence[Any]) -> None:
    """Nobody listens."""


def found(path: bytes) -> FoundFile:
    return FoundFile(Source(b"/data"), path, Identity(1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("files", "batch"),
    [(1, 1), (1, 100), (7, 3), (99, 100), (100, 100), (101, 100), (250, 50), (1000, 100), (333, 1)],
)
async def test_presign_calls_are_exactly_as_many_as_needed(
    monkeypatch: pytest.MonkeyPatch, files: int, batch: int
) -> None:
    """However many files, the calls are ceil(files / batch), all groups full but one."""
    async with Bench(monkeypatch, batch_size=batch) as bench:
        used, added = 0, 0
        while used < files:
            room = min(files - added, bench.run.options.in_flight - (added - used))
            bench.add(room, added)
            added += room
            bench.run.counters.scan_done = added == files
            bench.batcher.wake()
            used += len(await bench.use())
    assert len(bench.provider.asked) == math.ceil(files / batch) == bench.run.counters.presign_calls
    assert sorted(bench.provider.sizes)[1:] == [batch] * (math.ceil(files / batch) - 1)
    assert sum(bench.provider.sizes) == files == bench.run.counters.presign_files


async def test_every_file_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups neither overlap nor leave one out, and each ticket goes to its own file."""
    async with Bench(monkeypatch, batch_size=10) as bench:
        bench.add(25)
        bench.run.counters.scan_done = True
        bench.batcher.wake()
        items = await bench.use()
    names = [name for group in bench.provider.asked for name in group]
    assert sorted(names) == sorted(f"{n}.mp4" for n in range(25))
    assert len({item.ticket.remote_id for item in items if item.ticket}) == 25


async def test_a_lone_file_is_asked_for_after_the_group_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the scan goes on it waits a quarter of a second, and no longer."""
    async with Bench(monkeypatch, group_age=0.25) as bench:
        bench.add(1)
        await bench.advance(0.24)
        assert bench.provider.sizes == []
        await bench.advance(0.02)
        assert bench.provider.sizes == [1]


async def test_the_end_of_the_scan_does_not_wait_for_the_group_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is asked for in the same instant."""
    async with Bench(monkeypatch) as bench:
        bench.add(3)
        bench.run.counters.scan_done = True
        bench.batcher.wake()
        await settled()
        assert bench.provider.sizes == [3]
        assert bench.clock.time == 1000.0


async def test_leases_that_run_out_soon_are_asked_for_in_small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first answer, no more tickets wait than workers can begin before the leases end."""
    async with Bench(monkeypatch, lease=20.0, batch_size=50, concurrency=4) as bench:
        bench.add(200)
        await bench.use(50)
        assert bench.provider.sizes[0] == 50
        assert max(bench.provider.sizes[1:]) <= 4
        assert bench.batcher.depths["ready"] + bench.batcher.depths["asking"] <= 4


async def test_no_ticket_is_asked_for_while_nobody_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """With workers that take nothing, the tickets ahead stay within their bound however long it lasts."""
    async with Bench(monkeypatch, batch_size=10, calls_in_flight=2, concurrency=4) as bench:
        bench.add(44)
        await bench.advance(3600.0)
        assert sum(bench.provider.sizes) == 20


async def test_the_loop_sleeps_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that wait for room are looked at when something happens, and not over and over."""
    async with Bench(monkeypatch, batch_size=10, calls_in_flight=2, concurrency=4) as bench:
        bench.add(44)
        await bench.advance(3600.0)
        assert len(bench.deadlines) < 10
        assert bench.deadlines[-1] is None


async def test_no_sleep_is_shorter_than_what_there_is_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline is always in the future: a sleep of nought would be a busy loop."""
    async with Bench(monkeypatch, batch_size=10, concurrency=4) as bench:
        bench.provider.problems = [Problem(ProblemKind.TRANSIENT, "x")] * 3 + [
            Problem(ProblemKind.THROTTLED, "x", 7.0)
        ] * 3
        bench.add(64)
        for _ in range(50):
            await bench.advance(1.0)
            await bench.use()
        assert all(seconds is None or seconds > 0 for seconds in bench.deadlines)
        assert len(bench.deadlines) < 150


async def test_a_failed_call_is_made_again_with_the_same_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails does not fail a file."""
    async with Bench(monkeypatch, batch_size=5) as bench:
        bench.provider.problems = [Problem(ProblemKind.TRANSIENT, "broken")]
        bench.add(5)
        await bench.advance(30.0)
        assert bench.provider.asked == [[f"{n}.mp4" for n in range(5)]] * 2
        assert len(await bench.use()) == 5
        assert bench.settled == []
        assert bench.run.counters.retries == 1


async def test_a_throttled_service_is_left_alone_as_long_as_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call of any group goes out before the time is over, and all go out after it."""
    async with Bench(monkeypatch, batch_size=5) as bench:
        bench.add(5)
        await settled()
        bench.provider.problems = [Problem(ProblemKind.THROTTLED, "slow down", 10.0)]
        bench.add(5, start=5)
        await settled()
        bench.add(5, start=10)
        bench.run.counters.scan_done = True
        bench.batcher.wake()
        await bench.advance(60.0)
        times = [time - 1000.0 for time in bench.provider.times]
        assert times[:2] == [0.0, 0.0]
        assert len(times) == 4
        assert min(times[2:]) >= 10.0


async def test_a_group_that_failed_just_before_a_throttle_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """One due while the service is left alone is asked for once that is over, though nothing else wakes the loop."""
    async with Bench(monkeypatch, batch_size=5, calls_in_flight=2) as bench:
        bench.add(5)
        await bench.use()
        bench.provider.problems = [
            Problem(ProblemKind.TRANSIENT, "broken"),
            Problem(ProblemKind.THROTTLED, "slow down", 30.0),
        ]
        bench.add(10, start=5)
        bench.run.counters.scan_done = True
        bench.batcher.wake()
        await bench.advance(120.0)
        assert len(await bench.use()) == 10


async def held_up(bench: Bench, number: int, problem: Problem) -> tuple[list[Item], HostGate]:
    """Have so many files found at a gate that a problem just closed."""
    bench.add(number)
    bench.run.counters.scan_done = True
    bench.batcher.wake()
    await settled()
    items = [bench.batcher.ready.receive_nowait() for _ in range(number)]
    gate = bench.run.gates.storage(SecretUrl("https://s.example/"))
    gate.begin()
    gate.end(problem, bench.clock.time, bench.clock.time, 0.5)
    for item in items:
        bench.batcher.hold(item, gate)
    return items, gate


async def test_files_wait_for_their_host_and_no_worker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """One comes when the time is over that it asked for, and the others when that one was answered."""
    async with Bench(monkeypatch) as bench:
        items, gate = await held_up(bench, 3, Problem(ProblemKind.THROTTLED, "slow down", 20.0))
        await bench.advance(19.9)
        assert (bench.batcher.depths["waiting"], bench.batcher.depths["ready"]) == (3, 0)
        assert await bench.use() == []
        await bench.advance(0.2)
        assert await bench.use() == items[:1]
        gate.begin()
        await bench.advance(100.0)
        assert await bench.use() == []
        gate.end(None, bench.clock.time, bench.clock.time, 0.5)
        assert await bench.use() == items[1:]


async def test_files_that_wait_for_their_host_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """With their tickets, which the next run can use."""
    async with Bench(monkeypatch) as bench:
        items, _ = await held_up(bench, 3, Problem(ProblemKind.THROTTLED, "slow down", 20.0))
        bench.run.stop.request(ExitCode.SIGTERM)
        bench.batcher.wake()
        await settled()
        assert [outcome.item for outcome in bench.settled if outcome.state is None] == items
        assert bench.batcher.depths["ready"] == bench.batcher.depths["waiting"] == 0


async def test_no_ticket_is_asked_for_while_files_wait_for_their_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait have theirs, and count as unused however often a worker has looked at them."""
    async with Bench(monkeypatch, batch_size=10, calls_in_flight=1, concurrency=4) as bench:
        await held_up(bench, 10, Problem(ProblemKind.THROTTLED, "slow down", 200.0))
        bench.add(30, start=10)
        await bench.advance(100.0)
        assert bench.provider.sizes == [10]


async def test_a_group_refused_for_one_file_is_halved_until_that_file_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others get their tickets, and exactly one is rejected."""
    async with Bench(monkeypatch, batch_size=8) as bench:
        real = bench.provider.presign

        async def presign(specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
            if any(spec.path == "3.mp4" for spec in specs):
                raise ProblemError(Problem(ProblemKind.REJECTED, "bad"))
            return await real(specs, call)

        monkeypatch.setattr(bench.provider, "presign", presign)
        bench.add(8)
        await bench.advance(1.0)
        assert len(await bench.use()) == 7
        assert [outcome.item.file.path for outcome in bench.settled] == [b"3.mp4"]


async def test_a_renewed_file_is_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket that ran out costs one new ticket, for that file."""
    async with Bench(monkeypatch, batch_size=5) as bench:
        bench.add(5)
        items = await bench.use()
        bench.run.counters.scan_done = True
        bench.batcher.renew(items[2])
        again = await bench.use()
        assert again == [items[2]]
        assert bench.provider.asked[1:] == [["2.mp4"]]
        assert bench.run.counters.presign_renewed == 1


async def test_a_retry_keeps_its_ticket_and_waits_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed attempt comes back to the workers at its time, without a presign call."""
    async with Bench(monkeypatch, batch_size=1) as bench:
        bench.add(1)
        (item,) = await bench.use()
        bench.batcher.retry(item, 1005.0)
        await bench.advance(4.9)
        assert await bench.use() == []
        await bench.advance(0.2)
        assert await bench.use() == [item]
        assert bench.provider.sizes == [1]


async def test_refused_credentials_end_the_run_and_give_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """No further call goes out, and every file is left to the next run."""
    async with Bench(monkeypatch, batch_size=5) as bench:
        bench.provider.problems = [Problem(ProblemKind.UNAUTHORIZED, "no")]
        bench.add(12)
        await bench.advance(60.0)
        assert bench.provider.sizes == [5]
        assert bench.run.stop.requested
        assert len(bench.settled) == 12
        assert {outcome.state for outcome in bench.settled} == {None}


class Closed(FakeProvider):
    """Counts its closing calls."""

    closed = 0

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Mapping[str, Any]:
        self.closed += 1
        return {}


async def test_closing_calls_come_when_others_have_left_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the gate of the API with the calls that ask for tickets, and are told when one of those has ended."""
    async with Bench(monkeypatch, calls_in_flight=1) as bench:
        provider, gate = Closed(bench.clock), bench.run.gates.api
        bench.run.provider = provider
        confirmer = Closer(bench.run, bench.recorder)
        bench._tasks.start_soon(confirmer.work)
        for _ in range(2):
            gate.begin()
        item = Item(found(b"a.mp4"), Ticket(SecretUrl("https://s.example/"), "id"), history=FileHistory(attempts=1))
        item.receipt = Receipt(Digest(b"d" * 16), item.file.identity, None, True, 0.0)
        confirmer.add(item)
        await settled()
        assert provider.closed == 0
        gate.end(None, bench.clock.time, bench.clock.time, 0.5)
        await settled()
        assert provider.closed == 1
