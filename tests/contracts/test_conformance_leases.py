"""URLs and forms that expire, with every provider: only the affected file gets a new one, and lost ids are listed."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from conformance_world import MovableClock, before_sending, conformance, having, tree
from pipeline_world import Need, World

from bulkup import FileState, Uploader
from bulkup.model.tickets import Ticket

DAY = 86_400.0


async def stop(uploader: Uploader, _: Ticket) -> None:
    """Stop the run when a few tickets are waiting."""
    while uploader.gauge.counters.presign_files < 5:
        await anyio.sleep(0.01)
    uploader.stop()


@pytest.fixture
def clock() -> MovableClock:
    """The clock of server and runs."""
    return MovableClock()


@pytest.fixture(params=having(Need.RENEWAL))
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch, server_clock=clock) as running:
        running.clock = clock
        yield running


async def test_refused_as_expired(place: World) -> None:
    """A URL that storage refuses as expired is renewed for that file alone, and the lost id is an orphan."""
    place.faults("expired-url,first=3")
    place.write(tree(20))
    summary = await place.run(batch_size=20)
    assert (summary.exit_code, summary.counters.presign_renewed, summary.counters.presign_files) == (0, 3, 23)
    assert summary.counters.failed == 0
    place.assert_uploaded()
    assert place.server.stats()["tickets"] == place.presign_calls(23)
    kept = {row.remote_id for row in place.manifest()}
    lost = [orphan.remote_id for orphan in place.orphans() if orphan.remote_id not in kept]
    assert len(set(lost) - {None}) == len(place.orphaned(range(3)))
    assert all(orphan.path in place.states() for orphan in place.orphans())


async def test_urls_that_expire_while_files_wait(
    place: World, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    """Each file gets a new URL before it is sent, and none fails."""
    sent = 0

    async def later(_: Ticket) -> None:
        nonlocal sent
        sent += 1
        clock.ahead += 2 * DAY if sent == 5 else 0

    if place.provider == "metastudio":
        # A call on its way while the clock jumps would carry a signature of two days ago; a token has no time in it.
        place.settings = {"access_key": None, "secret_key": None, "auth_token": place.config.token}
    before_sending(monkeypatch, later)
    place.write(tree(16))
    summary = await place.run(batch_size=16, concurrency=2)
    assert (summary.exit_code, summary.counters.failed) == (0, 0), summary.error
    assert summary.counters.presign_renewed
    place.assert_uploaded()
    assert place.lost_ids() == 0
    assert len(place.orphans()) == len(place.orphaned(range(summary.counters.presign_renewed)))
    assert place.puts == 16


async def test_urls_that_expire_between_two_runs(
    place: World, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    """They are renewed, and the ids of the old ones are orphans."""
    place.write(tree(20))
    async with place.uploader(batch_size=20, concurrency=1) as uploader:
        with monkeypatch.context() as patch:
            before_sending(patch, functools.partial(stop, uploader))
            await uploader.run()
    live = sum(state is FileState.TICKETED for state in place.states().values())
    assert live
    clock.ahead += 2 * DAY
    summary = await place.run()
    assert (summary.exit_code, summary.counters.reused_tickets) == (0, 0)
    place.assert_uploaded()
    assert summary.counters.presign_files == 19
    assert (len(place.orphans()), place.lost_ids(), place.puts) == (len(place.orphaned(range(live))), 0, 20)


@pytest.mark.slow
async def test_leases_of_two_seconds_with_slow_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are enough for any number of files, because no more tickets are requested than can be used."""

    async def slowly(_: Ticket) -> None:
        await anyio.sleep(0.1)

    before_sending(monkeypatch, slowly)
    for provider in having(Need.RENEWAL):
        with monkeypatch.context() as patch:
            async with conformance(tmp_path / provider, provider, patch, url_ttl=2) as place:
                place.write(tree(80))
                summary = await place.run(concurrency=2)
                assert summary.exit_code == 0
                place.assert_uploaded()
                assert place.lost_ids() == 0
