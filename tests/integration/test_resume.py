"""Runs that are cut off, and the runs after them, also of providers that do not exist yet."""

from __future__ import annotations

import hashlib
import os
import random
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from pipeline_world import World, cut_off_after, cut_off_when, world

from bulkup import ExitCode, FileState
from bulkup.config.provider_defaults import PROVIDERS as DECLARED
from bulkup.config.provider_defaults import ProviderDefaults
from bulkup.model.http import ApiCall
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.providers import PROVIDERS, Capabilities, FileSpec, NotYet
from bulkup.providers.local.adapter import Local
from bulkup.providers.magic_hour.adapter import MagicHour


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        yield running


def accounted_for(place: World) -> bool:
    """Say whether every id the server handed out is in the manifest or among the orphans."""
    uploaded = sum(row.status is FileState.UPLOADED for row in place.manifest())
    live = sum(row.status is FileState.TICKETED for row in place.manifest())
    return place.server.stats()["tickets"] <= uploaded + live + sum(orphan.count for orphan in place.orphans())


@pytest.mark.parametrize("provider", ["magic-hour", "move-ugc", "metastudio", "xvid"])
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 13))])
async def test_cut_off_at_random_points(tmp_path: Path, provider: str, seed: int) -> None:
    """However often a run is cut off, the last one has every file once; only what was in flight is sent once more."""
    chance = random.Random(seed)
    async with world(tmp_path, provider) as place:
        place.write_many(150)
        place.write({"large.mov": os.urandom(3 * 1024**2)})
        cuts = 0
        done: dict[bytes, str | None] = {}
        for _ in range(6):
            with anyio.move_on_after(chance.uniform(0.005, 0.12)) as scope:
                await place.run(batch_size=12)
            cuts += scope.cancelled_caught
            rows = place.manifest()
            assert len({row.path for row in rows}) == len(rows)
            uploaded = [row for row in rows if row.status is FileState.UPLOADED]
            assert all(hashlib.md5(place.stored(row)).hexdigest() == row.md5 for row in uploaded)
            assert done.items() <= {row.path: row.remote_id for row in uploaded}.items()
            done = {row.path: row.remote_id for row in uploaded}
        summary = await place.run()
        assert summary.exit_code == 0
        place.assert_uploaded()
        assert done.items() <= {row.path: row.remote_id for row in place.manifest()}.items()
        assert place.puts <= 151 + 8 * cuts  # a file a worker and cut, and no more
        assert accounted_for(place)


async def test_leaving_the_iterator_cuts_the_run_off(here: World) -> None:
    """A reader that has seen enough leaves without an error, and the next run goes on with the tickets there are."""
    here.write_many(100)
    await cut_off_after(here, 10, concurrency=2, batch_size=25)
    done = sum(state is FileState.UPLOADED for state in here.states().values())
    assert 10 <= done < 100
    tickets = here.server.stats()["tickets"]
    live = sum(state is FileState.TICKETED for state in here.states().values())
    assert live
    summary = await here.run()
    assert (summary.exit_code, summary.counters.skipped) == (0, done)
    assert summary.counters.reused_tickets == live
    assert here.server.stats()["tickets"] - tickets == 100 - done - live
    assert here.puts <= 100 + 2
    here.assert_uploaded()


async def test_error_in_the_caller(here: World) -> None:
    """An error in the caller's own code ends the run and reaches the caller; the journal can be used at once."""
    here.write_many(30)

    async def careless() -> None:
        async with here.uploader(concurrency=2) as uploader:
            async for _ in uploader.results():
                raise ZeroDivisionError

    with pytest.raises((ZeroDivisionError, ExceptionGroup)) as raised:
        await careless()
    assert "ZeroDivisionError" in "".join(traceback.format_exception(raised.value))
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_tickets_that_ran_out_meanwhile(tmp_path: Path) -> None:
    """Tickets that a cut-off run left and that ran out are asked for again, and their ids are orphans."""
    async with world(tmp_path, url_ttl=1) as place:
        place.write_many(60)
        await cut_off_after(place, 5, concurrency=2, batch_size=30)
        live = sum(state is FileState.TICKETED for state in place.states().values())
        assert live
        await anyio.sleep(2)
        summary = await place.run()
        assert (summary.exit_code, summary.counters.reused_tickets) == (0, 0)
        place.assert_uploaded()
        assert len([orphan for orphan in place.orphans() if orphan.remote_id]) >= live
        assert accounted_for(place)


async def test_file_that_changed_while_it_had_a_ticket(here: World) -> None:
    """A ticket got for a file as it was is not used for what it became, and its id is not lost."""
    here.write_many(40)
    async with here.uploader(concurrency=1, batch_size=40) as uploader:
        async for _ in uploader.results():
            uploader.stop()
    ticketed = {path for path, state in here.states().items() if state is FileState.TICKETED}
    assert ticketed
    here.write(dict.fromkeys(ticketed, b"another content"))
    summary = await here.run()
    assert (summary.exit_code, summary.counters.reused_tickets) == (0, 0)
    here.assert_uploaded()
    assert {orphan.path for orphan in here.orphans()} == ticketed
    assert accounted_for(here)


async def test_orphans_do_not_grow_by_themselves(here: World) -> None:
    """A stopped run whose tickets are all used by the next one leaves no orphan."""
    here.write_many(60)
    async with here.uploader(concurrency=2, batch_size=30) as uploader:
        async for _ in uploader.results():
            uploader.stop()
    await here.run()
    assert here.orphans() == []
    assert here.server.stats()["tickets"] == 60


async def test_call_cut_off_before_its_answer(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose answer nobody saw is counted as so many unknown ids, once."""
    presign, answered = MagicHour.presign, anyio.Event()

    async def unseen(self: MagicHour, specs: Sequence[FileSpec], call: ApiCall) -> Any:
        await presign(self, specs, call)
        answered.set()
        await anyio.sleep_forever()

    here.write_many(9)
    with monkeypatch.context() as patch:
        patch.setattr(MagicHour, "presign", unseen)
        async with here.uploader() as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await answered.wait()
            tasks.cancel_scope.cancel()
    assert (await here.run()).exit_code == 0
    assert (await here.run()).exit_code == 0
    (orphan,) = here.orphans()
    assert (orphan.remote_id, orphan.count) == (None, 9)
    assert accounted_for(here)


async def test_stop_is_told_from_a_finished_run(here: World) -> None:
    """A stop asked for when everything is done already leaves nothing undone."""
    here.write_many(3)
    async with here.uploader() as uploader:
        seen = 0
        async for _ in uploader.results():
            seen += 1
            if seen == 3:
                uploader.stop(ExitCode.SIGTERM)
    assert uploader.summary.counters.remaining == 0
    assert (await here.run()).counters.skipped == 3


class Closing(Local):
    """A service as those that come next: it wants the checksum first, and a closing call that is polled."""

    name = "closing"
    capabilities = Capabilities(batch_limit=1000, batch_size=10, checksum_first=True, confirms=True)
    objects_dir = ""
    polls: ClassVar[Counter[str]] = Counter()
    confirmed: ClassVar[Counter[str]] = Counter()
    digests: ClassVar[list[bytes]] = []
    gate: ClassVar[anyio.Event | None] = None
    gate_at: ClassVar[str] = ""
    presigning: Callable[[], object] = staticmethod(lambda: None)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        kind = type(self)
        kind.digests += [spec.digest.md5 for spec in specs if spec.digest]
        assert all(spec.digest for spec in specs)
        kind.presigning()
        if kind.gate is not None and kind.gate_at == "presign":
            await kind.gate.wait()
        return await super().presign(specs, call)

    async def confirm(
        self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool
    ) -> Mapping[str, Any] | NotYet:
        kind = type(self)
        stored = Path(kind.objects_dir, ticket.remote_id).read_bytes()
        assert receipt.digest is not None
        assert hashlib.md5(stored).digest() == receipt.digest.md5
        if kind.gate is not None and kind.gate_at == "confirm":
            await kind.gate.wait()
        kind.polls[ticket.remote_id] += 1
        return NotYet(0.0)

    async def poll(self, ticket: Ticket, call: ApiCall) -> Mapping[str, Any] | NotYet:
        kind = type(self)
        kind.polls[ticket.remote_id] += 1
        kind.confirmed[ticket.remote_id] += 1
        return {"asset": f"asset of {ticket.remote_id}"}


@pytest.fixture
async def closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    """A world whose service is the double above."""
    fresh: dict[str, object] = {"polls": Counter(), "confirmed": Counter(), "digests": [], "gate": None}
    for name, value in fresh.items():
        monkeypatch.setattr(Closing, name, value)
    monkeypatch.setattr(Closing, "presigning", staticmethod(lambda: None))
    monkeypatch.setitem(PROVIDERS, "closing", Closing)
    monkeypatch.setitem(DECLARED, "closing", ProviderDefaults(None, (("token",),)))
    async with world(tmp_path, "closing") as place:
        monkeypatch.setattr(Closing, "objects_dir", place.server.objects_dir)
        yield place


async def test_confirm_after_storage_has_it(closing: World) -> None:
    """Every file is confirmed once, after its bytes are there, and what the service answered is in the manifest."""
    closing.write_many(45)
    closing.write({"any extension": b"x", "large": os.urandom(2 * 1024**2 + 1), "empty": b""})
    summary = await closing.run()
    assert summary.exit_code == 0
    closing.assert_uploaded()
    assert set(Closing.confirmed) == {row.remote_id for row in closing.manifest()}
    assert set(Closing.confirmed.values()) == {1}
    assert set(Closing.polls.values()) == {2}
    assert all(row.remote == {"id": row.remote_id, "asset": f"asset of {row.remote_id}"} for row in closing.manifest())
    assert (await closing.run()).counters.skipped == 48
    assert closing.puts == 48


async def test_cut_off_between_stored_and_confirmed(closing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run cut off before its closing calls goes on with them alone: no call for URLs, no byte again."""
    closing.write_many(12)
    monkeypatch.setattr(Closing, "gate", anyio.Event())
    monkeypatch.setattr(Closing, "gate_at", "confirm")
    await cut_off_when(closing, lambda: list(closing.states().values()) == [FileState.STORED] * 12, concurrency=4)
    before = closing.server.stats()
    assert before["puts_completed"] == 12
    monkeypatch.setattr(Closing, "gate", None)
    summary = await closing.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.bytes_sent) == (0, 12, 0)
    assert closing.server.stats() == before
    assert set(Closing.confirmed.values()) == {1}
    assert len(Closing.confirmed) == 12
    closing.assert_uploaded()


async def test_stored_file_that_changed_is_sent_again(closing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changed before its closing call goes up as it is now, and the id of what it was is an orphan."""
    closing.write_many(3)
    monkeypatch.setattr(Closing, "gate", anyio.Event())
    monkeypatch.setattr(Closing, "gate_at", "confirm")
    await cut_off_when(closing, lambda: list(closing.states().values()) == [FileState.STORED] * 3)
    monkeypatch.setattr(Closing, "gate", None)
    closing.write({"d0/0000.mp4": b"changed"})
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    assert closing.puts == 4
    assert [orphan.path for orphan in closing.orphans()] == [b"d0/0000.mp4"]


async def test_digests_are_kept(closing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a cut-off run hashed and did not upload are not hashed again."""
    closing.write_many(10)
    monkeypatch.setattr(Closing, "gate", anyio.Event())
    monkeypatch.setattr(Closing, "gate_at", "presign")
    await cut_off_when(closing, lambda: len(closing.states()) == 10)
    monkeypatch.setattr(Closing, "gate", None)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("hashed again")

    with monkeypatch.context() as patch:
        patch.setattr("bulkup.pipeline.hasher.digests_of", refuse)
        assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    assert {row.md5 for row in closing.manifest()} == {digest.hex() for digest in Closing.digests}


async def test_groups_behind_the_hasher_are_full(closing: World) -> None:
    """Files that are hashed first are asked for in full groups, too."""
    closing.write_many(60, size=50_000)
    summary = await closing.run()
    assert (summary.exit_code, summary.counters.presign_calls) == (0, 6)


async def test_file_that_changes_after_it_was_hashed(closing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not those whose checksum was told are not recorded as uploaded, nor confirmed."""
    closing.write({"a.mp4": b"before"})

    def change() -> None:
        path = closing.source / "a.mp4"
        stat = path.stat()
        path.write_bytes(b"after!")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    monkeypatch.setattr(Closing, "presigning", staticmethod(change))
    summary = await closing.run()
    assert (summary.exit_code, summary.counters.changed) == (3, 1)
    assert not Closing.confirmed
    monkeypatch.setattr(Closing, "presigning", staticmethod(lambda: None))
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()


async def test_faults_and_confirms(closing: World) -> None:
    """A provider with all stages survives the faults like the others, and confirms nothing twice."""
    closing.faults("expired-url=0.1", "status-503=0.1", "cut-body=0.1", "wrong-etag=0.1", "short-answer=0.1", seed=5)
    closing.write_many(50)
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    assert set(Closing.confirmed.values()) == {1}
    assert len(Closing.confirmed) == 50


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
async def test_confirms_cut_off_at_random_points(closing: World, seed: int) -> None:
    """However often such a run is cut off, every file is uploaded once in the end, and confirmed where it counts."""
    chance = random.Random(seed)
    closing.write_many(80)
    stored: dict[bytes, str | None] = {}
    for _ in range(5):
        with anyio.move_on_after(chance.uniform(0.01, 0.1)):
            await closing.run()
        there = (FileState.STORED, FileState.UPLOADED)
        paths = {path for path, state in closing.states().items() if state in there}
        assert stored.keys() <= paths
        stored |= {row.path: row.remote_id for row in closing.manifest() if row.status is FileState.UPLOADED}
        stored |= dict.fromkeys(paths - stored.keys())
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    last = {row.path: row.remote_id for row in closing.manifest()}
    assert all(last[path] == remote_id for path, remote_id in stored.items() if remote_id is not None)
    assert {row.remote_id for row in closing.manifest()} <= set(Closing.confirmed)


class OneShot(Local):
    """A service whose URLs are not to be used by another run."""

    name = "one-shot"
    capabilities = Capabilities(batch_limit=1000, batch_size=20, reusable_urls=False)

    def reusable(self, ticket: Ticket) -> bool:
        return self.capabilities.reusable_urls


async def test_one_shot_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where URLs are good for one run, the next one asks anew, and the ids it leaves are orphans."""
    monkeypatch.setitem(PROVIDERS, "one-shot", OneShot)
    monkeypatch.setitem(DECLARED, "one-shot", ProviderDefaults(None, (("token",),)))
    async with world(tmp_path, "one-shot") as place:
        place.write_many(40)
        async with place.uploader(concurrency=1) as uploader:
            async for _ in uploader.results():
                uploader.stop()
        live = {path for path, state in place.states().items() if state is FileState.TICKETED}
        assert live
        summary = await place.run()
        assert (summary.exit_code, summary.counters.reused_tickets) == (0, 0)
        place.assert_uploaded()
        assert {orphan.path for orphan in place.orphans()} == live
