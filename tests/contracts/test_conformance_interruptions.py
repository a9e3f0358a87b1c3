"""Runs of every provider that are interrupted, and the runs that resume them: nothing is lost and nothing is
duplicated.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from conformance_world import (
    CLOSING,
    EVERY,
    before_sending,
    conformance,
    is_closing,
    meddle,
    recorded_calls,
    tree,
)
from pipeline_world import World, interrupt_after, interrupt_when
from sending_ways import Way, two_of

from bulkup import ExitCode, FileState
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.tickets import Ticket
from bulkup.providers import NotYet
from bulkup.providers.xvid.adapter import Xvid

WORKERS = 4


@pytest.fixture(params=EVERY)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        yield running


async def assert_resumes(place: World, files: int, cuts: int = 1) -> None:
    """Assert that the next run succeeds: each file once, no record under a new id, and few bytes sent again."""
    done = {row.path: row.remote_id for row in place.manifest() if row.status is FileState.UPLOADED}
    summary = await place.run()
    assert summary.exit_code == 0, summary.error
    assert summary.counters.skipped == len(done)
    place.assert_uploaded()
    assert done.items() <= {row.path: row.remote_id for row in place.manifest()}.items()
    assert place.puts <= files + WORKERS * cuts
    # Calls that were cut off are counted for as many ids as they can have made.
    assert place.lost_ids() <= 0


async def test_a_caller_that_leaves_the_uploader(place: World) -> None:
    """The run is interrupted, and the next one resumes it."""
    place.write(tree(40))
    await interrupt_after(place, 8, concurrency=WORKERS, batch_size=15)
    assert sum(state is FileState.UPLOADED for state in place.states().values()) >= 8
    await assert_resumes(place, 40)


async def test_a_stopped_run(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It completes the transfers in flight and gives back the other files; the next run sends only those."""
    place.write(tree(40))
    async with place.uploader(concurrency=WORKERS, batch_size=15) as uploader:

        async def stop(_: Ticket) -> None:
            if place.puts >= 5:
                uploader.stop(ExitCode.SIGTERM)

        with monkeypatch.context() as patch:
            before_sending(patch, stop)
            summary = await uploader.run()
    assert (summary.exit_code, summary.counters.failed) == (ExitCode.SIGTERM, 0)
    assert summary.counters.remaining
    await assert_resumes(place, 40, cuts=0)
    assert place.orphans() == []


async def cut_at(place: World, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await place.run(concurrency=WORKERS, batch_size=10)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
async def test_repeated_interruptions(place: World, seed: int) -> None:
    """No file is recorded that is not stored, and none is recorded twice."""
    chance = random.Random(seed)
    place.write(tree(40))
    for _ in range(4):
        await cut_at(place, chance.uniform(0.01, 0.15))
        rows = place.manifest()
        assert len({row.path for row in rows}) == len(rows)
        assert all(place.stored_at(row).exists() for row in rows if row.status is FileState.UPLOADED)
    await assert_resumes(place, 40, cuts=4)


@pytest.mark.parametrize(("place", "way"), two_of(EVERY), indirect=["place"])
async def test_repeated_interruptions_on_every_way(place: World, way: Way) -> None:
    """Small and larger files, both senders, with and without sending processes."""
    chance = random.Random(str(way))
    place.settings.update(way.settings)
    place.write_many(30, way.size)
    for _ in range(3):
        await cut_at(place, chance.uniform(0.01, 0.15 if way.processes == 1 else 0.8))
        rows = place.manifest()
        assert all(place.stored_at(row).exists() for row in rows if row.status is FileState.UPLOADED)
    await assert_resumes(place, 30, cuts=3)


async def stop_at(place: World, seconds: float, grace: float, code: ExitCode) -> int:
    """Run, stop after a while, and return the exit code; 0 if the run was complete by then."""
    async with place.uploader(grace=grace, concurrency=WORKERS, batch_size=10) as uploader:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await anyio.sleep(seconds)
            uploader.stop(code)
        counters = uploader.summary.counters
        assert counters.found == counters.settled + counters.remaining
        return uploader.summary.exit_code


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
async def test_repeated_stops(place: World, seed: int) -> None:
    """Files sent within the grace are not sent again, and no id is lost."""
    chance, hurried = random.Random(seed), 0
    place.write(tree(40))
    for _ in range(5):
        grace = chance.choice((0.0, 3600.0, 3600.0))
        code = chance.choice((ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.TIME_UP))
        bounded = code is not ExitCode.TIME_UP
        assert await stop_at(place, chance.uniform(0.01, 0.15), grace, code) in (code, 0)
        hurried += bounded and not grace
        rows = place.manifest()
        assert len({row.path for row in rows}) == len(rows)
        assert all(place.stored_at(row).exists() for row in rows if row.status is FileState.UPLOADED)
    await assert_resumes(place, 40, cuts=hurried)
    if not hurried:
        assert place.lost_ids() == 0


async def never(_call: ApiCall, _request: ApiRequest) -> ApiAnswer:
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("place", CLOSING, indirect=True)
@pytest.mark.parametrize("heard", [True, False])
async def test_an_interruption_before_the_closing_call(
    place: World, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    """The next run makes only the closing calls, even if they had been received."""

    async def unanswered(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        if heard:
            await call(request)
        return await never(call, request)

    place.write(tree(10))
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "confirm", unanswered)
        await interrupt_when(place, lambda: list(place.states().values()) == [FileState.STORED] * 10)
    before = place.server.stats()
    calls = recorded_calls(monkeypatch)
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.bytes_sent) == (0, 10, 0)
    assert {**place.server.stats(), "presign_calls": 0} == {**before, "presign_calls": 0}
    assert calls
    # Git LFS names the address of a verify call only in the answer to a batch call.
    asks_again = place.provider == "git-lfs"
    assert all(is_closing(request) or (asks_again and request.path == "/objects/batch") for request in calls)
    place.assert_uploaded()
    assert place.orphans() == []


async def hold(_: Ticket) -> None:
    await anyio.sleep_forever()


async def test_a_file_that_changes_after_an_interruption(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its new bytes are uploaded, and the old id is an orphan."""
    place.write(tree(12))
    with monkeypatch.context() as patch:
        before_sending(patch, hold)
        await interrupt_when(place, lambda: FileState.TICKETED in place.states().values(), batch_size=12)
    path = next(path for path, state in place.states().items() if state is FileState.TICKETED)
    place.write({path: b"another content"})
    await assert_resumes(place, 12)
    assert {orphan.path for orphan in place.orphans()}.issuperset(place.orphaned([path]))


@pytest.mark.parametrize("place", CLOSING, indirect=True)
async def test_a_stop_during_slow_closing_calls(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the grace to end. The files are stored, and the next run closes them."""
    place.write(tree(10))
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "confirm", never)
        async with place.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            while list(place.states().values()) != [FileState.STORED] * 10:
                await anyio.sleep(0.01)
            uploader.stop(ExitCode.SIGTERM)
    assert (uploader.summary.exit_code, uploader.summary.counters.remaining) == (ExitCode.SIGTERM, 10)
    sent = place.puts
    await assert_resumes(place, 10, cuts=0)
    assert (place.puts, place.orphans()) == (sent, [])


@pytest.mark.parametrize("place", ["xvid"], indirect=True)
@pytest.mark.parametrize("code", [ExitCode.SIGTERM, ExitCode.TIME_UP])
async def test_a_stop_during_polling(place: World, monkeypatch: pytest.MonkeyPatch, code: ExitCode) -> None:
    """The run does not wait for the service. The next run polls again and sends nothing."""
    place.write(tree(10))
    with monkeypatch.context() as patch:
        patch.setattr(Xvid, "poll", not_yet)
        patch.setattr(Xvid, "confirm", not_yet)
        async with place.uploader(grace=3600) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            while uploader.gauge.depths()["closing"] != 10:
                await anyio.sleep(0.01)
            uploader.stop(code)
    assert (uploader.summary.exit_code, uploader.summary.counters.remaining) == (code, 10)
    sent = place.puts
    await assert_resumes(place, 10, cuts=0)
    assert (place.puts, place.orphans()) == (sent, [])


async def not_yet(*_: object, **__: object) -> NotYet:
    return NotYet(600.0, {"status": "closing"})
