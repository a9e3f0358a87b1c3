"""The ready queue: files that have a ticket and wait for a worker."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from stage_world import Stages, found, settled

from bulkup.errors import ExitCode
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState


async def hold(stages: Stages, number: int, problem: Problem) -> list[Item]:
    """Close the gate of the host by a problem, and return the files that wait for it."""
    items = stages.add(number)
    stages.end_scan()
    await settled()
    stages.gate.begin()
    stages.gate.end(problem, stages.clock.time, stages.clock.time, 0.5)
    assert await stages.use() == []
    return items


async def test_files_wait_for_a_paused_host_without_a_worker() -> None:
    """One file goes out after the pause, the others when that one was answered."""
    async with Stages() as stages:
        items = await hold(stages, 3, Problem(ProblemKind.TRANSIENT, "back soon", 20.0))
        await stages.advance(19.9)
        assert (stages.ready.held, stages.ready.ready) == (3, 0)
        assert await stages.use() == []
        await stages.advance(0.2)
        assert [file.item for file in await stages.use(end=False)] == items[:1]
        await stages.advance(100.0)
        assert await stages.use() == []
        stages.gate.end(None, stages.clock.time, stages.clock.time, 0.5)
        assert [file.item for file in await stages.use()] == items[1:]


async def test_one_file_tests_a_pause_and_the_others_follow_when_it_is_accepted() -> None:
    async with Stages() as stages:
        items = await hold(stages, 3, Problem(ProblemKind.THROTTLED, "slow down", 20.0))
        await stages.advance(0.9)
        assert (stages.ready.held, stages.ready.ready) == (3, 0)
        await stages.advance(0.2)
        assert [file.item for file in await stages.use(end=False)] == items[:1]
        stages.gate.end(None, stages.clock.time, stages.clock.time, 0.5)
        assert [file.item for file in await stages.use()] == items[1:]


async def test_files_go_out_at_the_pace_of_their_host() -> None:
    """Held files leave one by one, without a request that would end and wake them."""
    async with Stages(batch_size=30) as stages:
        gate, clock = stages.gate, stages.clock
        begun = clock.time
        for problem in (Problem(ProblemKind.THROTTLED, "slow down"), *[None] * 10):
            gate.begin()
            gate.end(problem, clock.time, clock.time, 0.5)
            clock.time += 0.1
        gate.begin()
        gate.end(Problem(ProblemKind.THROTTLED, "slow down"), clock.time, clock.time, 0.5)
        rate = 0.97 * 10 / (clock.time - begun)
        stages.add(30)
        stages.end_scan()
        await settled()
        sent = []
        for _ in range(10):
            await stages.advance(1 / rate)
            sent.append(len(await stages.use()))
        assert sum(sent) == 10
        assert max(sent) <= 2


async def test_a_host_without_held_files_is_forgotten() -> None:
    """A service that names a new host for each file would fill the memory."""
    async with Stages() as stages:
        await hold(stages, 3, Problem(ProblemKind.THROTTLED, "slow down", 20.0))
        assert stages.ready.hosts_held == 1
        await stages.advance(30.0)
        await stages.use()
        assert stages.ready.hosts_held == 0


async def test_files_that_wait_for_their_host_are_given_back_when_the_run_stops() -> None:
    """They keep their tickets, which the next run can use."""
    async with Stages() as stages:
        items = await hold(stages, 3, Problem(ProblemKind.THROTTLED, "slow down", 20.0))
        stages.run.stop.request(ExitCode.SIGTERM)
        stages.ready.wake()
        await settled()
        assert [outcome.item for outcome in stages.settled if outcome.state is None] == items
        assert all(item.ticket is not None for item in items)
        assert stages.ready.ready == stages.ready.held == stages.ready.unused() == 0


async def test_no_ticket_is_requested_while_files_wait_for_their_host() -> None:
    """Files that wait have tickets, and those count as unused."""
    async with Stages(batch_size=10, calls_in_flight=1, concurrency=4) as stages:
        await hold(stages, 10, Problem(ProblemKind.THROTTLED, "slow down", 200.0))
        stages.add(30, start=10)
        await stages.advance(100.0)
        assert stages.provider.sizes == [10]


async def test_a_retry_keeps_its_ticket_and_waits_until_its_time() -> None:
    """It goes to a worker at that time, without a presign call."""
    async with Stages(batch_size=1) as stages:
        stages.add(1)
        (file,) = await stages.use()
        stages.ready.retry(file, 1005.0)
        await stages.advance(4.9)
        assert (await stages.use(), stages.ready.later) == ([], 1)
        await stages.advance(0.2)
        assert await stages.use() == [file]
        assert stages.provider.sizes == [1]


async def test_a_worker_receives_no_file_whose_ticket_has_expired() -> None:
    """The file asks for a new ticket instead."""
    async with Stages(lease=100.0, lease_margin=0.0, batch_size=2) as stages:
        stages.add(2)
        await settled()
        await stages.advance(101.0)
        stages.run.counters.scan_done = True
        assert await stages.use() == []
        files = await stages.use()
        assert sorted(stages.provider.asked[-1]) == ["0.mp4", "1.mp4"]
        assert len(files) == stages.run.counters.presign_renewed == 2
        assert all(file.item.history.lapses == 1 for file in files)


async def test_a_file_whose_short_leases_always_lapse_fails_in_the_end() -> None:
    """Leases that end while the file waits for a worker end after `lapses` tickets."""
    async with Stages(lease=1.0, batch_size=1) as stages:
        (item,) = stages.add(1)
        stages.run.counters.scan_done = True
        for _ in range(stages.run.options.retry.lapses + 1):
            await settled()
            await stages.advance(1.0)
            assert await stages.use() == []
        assert [(outcome.item, outcome.state) for outcome in stages.settled] == [(item, FileState.FAILED)]
        assert item.history.lapses == stages.run.options.retry.lapses + 1


async def test_tickets_that_are_over_on_arrival_end_the_run_after_few_paced_calls() -> None:
    """One full group, then a single ticket at a time; the files stay for the next run."""
    async with Stages(lease=-3 * 3600.0, batch_size=100) as stages:
        items = stages.add(300)
        stages.end_scan()
        await stages.advance(60.0)
        assert stages.run.stop.error is not None
        assert stages.run.stop.error.exit_code is ExitCode.SERVICE
        assert "3 hours ago" in stages.run.stop.error.message
        rounds = stages.run.options.retry.lost_rounds
        assert stages.provider.sizes == [100, *[1] * (rounds - 1)]
        pauses = [after - before for before, after in itertools.pairwise(stages.provider.times)]
        assert all(pause > 0 for pause in pauses)
        stages.batcher.wake()
        await settled()
        assert {outcome.item for outcome in stages.settled} == set(items)
        assert all(outcome.state is None for outcome in stages.settled)


async def test_a_service_whose_leases_become_good_is_asked_for_groups_again() -> None:
    async with Stages(lease=0.0, batch_size=10) as stages:
        stages.add(20)
        stages.end_scan()
        await settled()
        assert stages.provider.sizes == [10]
        stages.provider.lease = 100.0
        await stages.advance(1.0)
        assert stages.provider.sizes == [10, 1]
        await stages.use(1)
        stages.run.ticket_losses.worked()
        stages.batcher.wake()
        await stages.advance(1.0)
        assert (max(stages.provider.sizes[2:]), stages.run.stop.requested) == (10, False)


async def test_a_file_of_an_earlier_run_is_sent_with_the_ticket_it_has() -> None:
    async with Stages(batch_size=1) as stages:
        stages.add(1)
        (file,) = await stages.use()
        stages.ready.resume(file.item, file.ticket)
        assert [(again.item, again.ticket) for again in await stages.use()] == [(file.item, file.ticket)]
        assert (stages.run.counters.reused_tickets, stages.provider.sizes) == (1, [1])


async def test_no_file_goes_out_after_a_stop() -> None:
    async with Stages(batch_size=1) as stages:
        (item,) = stages.add(1)
        await settled()
        stages.run.stop.request(ExitCode.SIGTERM)
        assert await stages.use() == []
        stages.ready.wake()
        await settled()
        assert [(outcome.item, outcome.state) for outcome in stages.settled] == [(item, None)]


async def test_a_ticket_that_arrives_after_the_stop_is_left_to_the_next_run() -> None:
    """A presign call that was under way ends, and no worker takes its files any more."""
    async with Stages(batch_size=1) as stages:
        (item,) = stages.add(1)
        stages.run.stop.request(ExitCode.TIME_UP)
        await settled()
        (outcome,) = stages.settled
        assert (outcome.item, outcome.state) == (item, None)
        assert stages.ready.unused() == 0


async def test_held_files_whose_tickets_expire_are_renewed_one_and_all() -> None:
    """The pause of a host releases one file at a time; a file that needs a new ticket frees the way for the next."""
    async with Stages(lease=20.0, lease_margin=0.0, batch_size=30, concurrency=4) as stages:
        items = stages.add(30)
        stages.end_scan()
        await settled()
        stages.gate.begin()
        stages.gate.end(Problem(ProblemKind.THROTTLED, "slow down", 25.0), stages.clock.time, stages.clock.time, 0.5)
        assert await stages.use() == []
        await stages.advance(26.0)
        sent = []
        for _ in range(3 * len(items)):
            sent += await stages.use()
        assert sorted(file.item.file.path for file in sent) == sorted(item.file.path for item in items)


def named_another_host(stages: Stages) -> None:
    """Have the service name another host than in the tickets of an earlier run."""
    first = Item(found(b"first.mp4"))
    stages.run.earlier_origins.failed("https://s.example", first, Problem(ProblemKind.UNREACHABLE, "refused"))
    stages.run.earlier_origins.renewed(first, "https://other.example")


def refused_every_ticket(stages: Stages) -> None:
    """Have storage refuse enough tickets of an earlier run for all of them to count as refused."""
    for _ in range(100):
        stages.run.storage_refusals.refused("the signature is wrong", "mp4", final=False)


@pytest.mark.parametrize("event", [named_another_host, refused_every_ticket])
async def test_held_tickets_of_an_earlier_run_are_replaced_one_and_all(event: Callable[[Stages], None]) -> None:
    """The first is released just before its ticket becomes useless, so it begins no request that could end."""
    async with Stages(batch_size=1, concurrency=4) as stages:
        stages.add(5)
        stages.run.counters.scan_done = True
        files = await stages.use()
        stages.gate.begin()
        stages.gate.end(Problem(ProblemKind.TRANSIENT, "back soon", 20.0), stages.clock.time, stages.clock.time, 0.5)
        for file in files:
            stages.ready.resume(file.item, file.ticket)
        assert await stages.use() == []
        await stages.advance(20.1)
        assert (stages.ready.ready, stages.ready.held) == (1, 4)
        event(stages)
        sent = [file for _ in range(3 * len(files)) for file in await stages.use()]
        assert sorted(file.item.file.path for file in sent) == sorted(file.item.file.path for file in files)
        assert all(file.asked_at is not None for file in sent)


async def test_a_paused_run_gives_out_no_file() -> None:
    """Neither a new one nor a retry. After the pause all of them go out, those that waited with idle workers too."""
    async with Stages(lease=1000.0) as stages:
        stages.run.pause.begin(stages.clock.time)
        items = stages.add(3)
        stages.end_scan()
        assert await stages.use() == []
        assert stages.provider.asked == []
        stages.run.pause.end(stages.clock.time)
        files = await stages.use()
        assert [file.item for file in files] == items
        stages.run.pause.begin(stages.clock.time)
        stages.ready.retry(files[0], stages.clock.time + 5.0)
        await stages.advance(60.0)
        assert await stages.use() == []
        stages.run.pause.end(stages.clock.time)
        assert [file.item for file in await stages.use()] == items[:1]


async def test_a_worker_that_waited_gets_its_file_after_a_pause() -> None:
    async with Stages() as stages:
        items = stages.add(1)
        stages.end_scan()
        await settled()
        stages.run.pause.begin(stages.clock.time)
        taken = []

        async def work() -> None:
            taken.append((await stages.ready.take())[0].item)

        async with stages.working(work):
            assert not taken
            stages.run.pause.end(stages.clock.time)
            await settled()
            assert taken == items


async def test_sending_processes_get_their_files_after_a_pause() -> None:
    async with Stages() as stages:
        calls = list[bool]()
        stages.ready.dispatch_by(lambda: calls.append(stages.run.pause.on))
        stages.run.pause.begin(stages.clock.time)
        stages.add(1)
        stages.end_scan()
        await settled()
        assert stages.ready.take_now() is None
        calls.clear()
        stages.run.pause.end(stages.clock.time)
        await settled()
        assert calls
        assert stages.ready.take_now() is not None


async def test_a_lease_that_ends_during_a_pause_is_renewed() -> None:
    async with Stages(lease=100.0) as stages:
        stages.add(1)
        stages.end_scan()
        await settled()
        stages.run.pause.begin(stages.clock.time)
        await stages.advance(3600.0)
        stages.run.pause.end(stages.clock.time)
        assert await stages.use() == []
        assert [file.ticket.remote_id for file in await stages.use()] == ["id-2"]
        assert stages.run.counters.presign_renewed == 1


async def test_a_paused_run_that_is_stopped_gives_its_files_back() -> None:
    async with Stages() as stages:
        stages.add(2)
        stages.end_scan()
        await settled()
        stages.run.pause.begin(stages.clock.time)
        stages.run.stop.request(ExitCode.SIGTERM)
        stages.ready.wake()
        await settled()
        assert [outcome.state for outcome in stages.settled] == [None, None]
