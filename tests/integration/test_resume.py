"""Interrupted runs and the runs after them, also with services that need other calls."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from pipeline_world import QUICK_RETRIES, World, interrupt_after, interrupt_when, world
from sending_ways import Way, every

from bulkup import ExitCode, FileState
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS, ProviderDeclaration
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import ApiCall
from bulkup.model.tickets import Receipt, Ticket
from bulkup.providers import PROVIDER_CLASSES, Capabilities, FileSpec, NotYet, TicketAnswer
from bulkup.providers.local.adapter import Local
from bulkup.providers.magic_hour.adapter import MagicHour


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        yield running


def accounted_for(place: World) -> bool:
    """Return whether every id that the server issued is in the manifest or an orphan."""
    uploaded = sum(row.status is FileState.UPLOADED for row in place.manifest())
    live = sum(row.status is FileState.TICKETED for row in place.manifest())
    return place.server.stats()["tickets"] <= uploaded + live + sum(orphan.count for orphan in place.orphans())


@pytest.mark.parametrize("provider", ["magic-hour", "move-ugc", "metastudio", "xvid"])
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 13))])
async def test_runs_interrupted_at_random_points(tmp_path: Path, provider: str, seed: int) -> None:
    """In the end each file is uploaded once. Only files in flight were sent a second time."""
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
        assert place.puts <= 151 + 8 * cuts  # one file per worker and interruption
        assert accounted_for(place)


@pytest.mark.parametrize("way", every())
async def test_runs_interrupted_at_random_points_on_every_way(tmp_path: Path, way: Way) -> None:
    """Small and larger files, both senders, with and without sending processes."""
    chance, files, cuts = random.Random(str(way)), 80, 0
    async with world(tmp_path) as place:
        place.settings.update(way.settings)
        place.write_many(files, way.size)
        for _ in range(4):
            with anyio.move_on_after(chance.uniform(0.02, 0.15 if way.processes == 1 else 0.8)) as scope:
                await place.run(batch_size=12)
            cuts += scope.cancelled_caught
            rows = [row for row in place.manifest() if row.status is FileState.UPLOADED]
            assert all(hashlib.md5(place.stored(row)).hexdigest() == row.md5 for row in rows)
        assert (await place.run()).exit_code == 0
        place.assert_uploaded()
        assert place.puts <= files + 8 * cuts  # one file per worker and interruption
        assert accounted_for(place)


async def test_leaving_the_iterator_interrupts_the_run(here: World) -> None:
    """It raises nothing, and the next run uses the tickets that are left."""
    here.write_many(100)
    await interrupt_after(here, 10, concurrency=2, batch_size=25)
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


async def test_an_error_of_the_caller_ends_the_run(here: World) -> None:
    """The caller receives it, and the journal can be used at once."""
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


async def test_tickets_that_expired_between_runs_are_replaced(tmp_path: Path) -> None:
    """Their ids are orphans."""
    async with world(tmp_path, url_ttl=1) as place:
        place.write_many(60)
        await interrupt_after(place, 5, concurrency=2, batch_size=30)
        live = sum(state is FileState.TICKETED for state in place.states().values())
        assert live
        await anyio.sleep(2)
        summary = await place.run()
        assert (summary.exit_code, summary.counters.reused_tickets) == (0, 0)
        place.assert_uploaded()
        assert len([orphan for orphan in place.orphans() if orphan.remote_id]) >= live
        assert accounted_for(place)


@contextmanager
def naming(origin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the service name this storage host in all its upload URLs."""
    presign = MagicHour.presign

    async def misled(self: MagicHour, *values: Any) -> Sequence[TicketAnswer]:
        answers = await presign(self, *values)
        return [
            answer._replace(url=SecretUrl(answer.url.reveal().replace(answer.url.origin, origin)))
            if isinstance(answer, Ticket)
            else answer
            for answer in answers
        ]

    with monkeypatch.context() as patch:
        patch.setattr(MagicHour, "presign", misled)
        yield


@contextmanager
def storage_of(kind: str, here: World) -> Iterator[str]:
    """Yield the origin of a storage host of this kind, which receives nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        port = silent.getsockname()[1]
        if kind == "closed port":
            silent.close()
        yield here.server.url.replace("http:", "https:") if kind == "no TLS" else f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("kind", ["closed port", "silent", "no TLS"])
async def test_a_service_that_named_a_wrong_host_is_asked_anew(
    here: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its tickets are still valid in the next run. The service has been mended before it."""
    here.tunables = QUICK_RETRIES
    here.write_many(60)
    with storage_of(kind, here) as origin:
        with naming(origin, monkeypatch):
            first = await here.run(retry_for=0.5, idle_timeout=0.2, batch_size=30)
        assert (first.exit_code, first.counters.failed, first.counters.uploaded) == (4, 0, 0)
        assert FileState.TICKETED in here.states().values()
        second = await here.run(idle_timeout=0.2)
    assert (second.exit_code, second.counters.uploaded) == (0, 60)
    here.assert_uploaded()
    assert accounted_for(here)


@pytest.mark.parametrize("kind", ["closed port", "silent", "no TLS"])
async def test_the_tickets_of_a_host_that_is_still_down_are_kept(
    here: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One new ticket shows that the service still names it."""
    here.tunables = QUICK_RETRIES
    here.write_many(60)
    with storage_of(kind, here) as origin, naming(origin, monkeypatch):
        await here.run(retry_for=0.5, idle_timeout=0.2, batch_size=60)
        summary = await here.run(retry_for=0.5, idle_timeout=0.2, batch_size=60)
    assert (summary.exit_code, summary.counters.failed) == (4, 0)
    assert (summary.counters.reused_tickets, summary.counters.presign_files) == (60, 1)


async def test_a_ticket_is_not_used_for_a_file_that_has_changed(here: World) -> None:
    """Its id is an orphan."""
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


async def test_a_stopped_run_leaves_no_orphan(here: World) -> None:
    """The next run uses all its tickets."""
    here.write_many(60)
    async with here.uploader(concurrency=2, batch_size=30) as uploader:
        async for _ in uploader.results():
            uploader.stop()
    await here.run()
    assert here.orphans() == []
    assert here.server.stats()["tickets"] == 60


async def test_a_call_interrupted_before_its_answer_leaves_unknown_ids(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted once."""
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


async def test_a_stop_after_the_last_file_leaves_nothing(here: World) -> None:
    """The run was complete by then."""
    here.write_many(3)
    async with here.uploader() as uploader:
        seen = 0
        async for _ in uploader.results():
            seen += 1
            if seen == 3:
                uploader.stop(ExitCode.SIGTERM)
    assert uploader.summary.counters.remaining == 0
    assert (await here.run()).counters.skipped == 3


@dataclass
class ClosingService:
    """The state of the service `Closing`: counts by remote id, and the digests of presign calls.

    `on_presign` is called with each presign call. Within `held`, calls of one name do not return.
    """

    objects_dir: str
    polls: Counter[str] = field(default_factory=Counter)
    confirmed: Counter[str] = field(default_factory=Counter)
    digests: list[bytes] = field(default_factory=list)
    on_presign: Callable[[], object] = lambda: None
    held_call: str = ""

    @contextmanager
    def held(self, call: str) -> Iterator[None]:
        self.held_call = call
        yield
        self.held_call = ""

    async def enter(self, call: str) -> None:
        if call == self.held_call:
            await anyio.sleep_forever()


class Closing(Local):
    """A service that needs the checksum first, and has a closing call that is polled."""

    name = "closing"
    capabilities = Capabilities(batch_limit=1000, batch_size=10, checksum_first="md5", confirms=True)
    service: ClassVar[ClosingService]

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        self.service.digests += [spec.digest.value for spec in specs if spec.digest]
        assert all(spec.digest for spec in specs)
        self.service.on_presign()
        await self.service.enter("presign")
        return await super().presign(specs, call)

    async def confirm(
        self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool
    ) -> Mapping[str, Any] | NotYet:
        stored = Path(self.service.objects_dir, ticket.remote_id).read_bytes()
        assert receipt.digest is not None
        assert hashlib.md5(stored).digest() == receipt.digest.value
        await self.service.enter("confirm")
        self.service.polls[ticket.remote_id] += 1
        return NotYet(0.0)

    async def poll(self, ticket: Ticket, call: ApiCall) -> Mapping[str, Any] | NotYet:
        self.service.polls[ticket.remote_id] += 1
        self.service.confirmed[ticket.remote_id] += 1
        return {"asset": f"asset of {ticket.remote_id}"}


@pytest.fixture
async def closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    """A world with the service `Closing`."""
    monkeypatch.setitem(PROVIDER_CLASSES, "closing", Closing)
    monkeypatch.setitem(PROVIDER_DECLARATIONS, "closing", ProviderDeclaration(None, (("token",),)))
    async with world(tmp_path, "closing") as place:
        monkeypatch.setattr(Closing, "service", ClosingService(place.server.objects_dir), raising=False)
        yield place


@pytest.fixture
def service(closing: World) -> ClosingService:
    """The state of the service of `closing`."""
    del closing  # it has set the service
    return Closing.service


async def test_every_file_is_confirmed_once_after_it_is_stored(closing: World, service: ClosingService) -> None:
    """The manifest has the answer of the service."""
    closing.write_many(45)
    closing.write({"any extension": b"x", "large": os.urandom(2 * 1024**2 + 1), "empty": b""})
    summary = await closing.run()
    assert summary.exit_code == 0
    closing.assert_uploaded()
    assert set(service.confirmed) == {row.remote_id for row in closing.manifest()}
    assert set(service.confirmed.values()) == {1}
    assert set(service.polls.values()) == {2}
    assert all(row.remote == {"id": row.remote_id, "asset": f"asset of {row.remote_id}"} for row in closing.manifest())
    assert (await closing.run()).counters.skipped == 48
    assert closing.puts == 48


async def test_a_run_interrupted_before_its_closing_calls_makes_only_those(
    closing: World, service: ClosingService
) -> None:
    """The next run makes no presign call and sends no byte."""
    closing.write_many(12)
    with service.held("confirm"):
        await interrupt_when(closing, lambda: list(closing.states().values()) == [FileState.STORED] * 12, concurrency=4)
    before = closing.server.stats()
    assert before["puts_completed"] == 12
    summary = await closing.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.bytes_sent) == (0, 12, 0)
    assert closing.server.stats() == before
    assert set(service.confirmed.values()) == {1}
    assert len(service.confirmed) == 12
    closing.assert_uploaded()


async def test_a_stored_file_that_changed_is_sent_again(closing: World, service: ClosingService) -> None:
    """It had no closing call, so the id of its old content is an orphan."""
    closing.write_many(3)
    with service.held("confirm"):
        await interrupt_when(closing, lambda: list(closing.states().values()) == [FileState.STORED] * 3)
    closing.write({"d0/0000.mp4": b"changed"})
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    assert closing.puts == 4
    assert [orphan.path for orphan in closing.orphans()] == [b"d0/0000.mp4"]


async def test_files_hashed_by_an_interrupted_run_are_not_hashed_again(
    closing: World, service: ClosingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their digests are in the journal."""
    closing.write_many(10)
    with service.held("presign"):
        await interrupt_when(closing, lambda: len(closing.states()) == 10)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a file was hashed again")

    with monkeypatch.context() as patch:
        patch.setattr("bulkup.pipeline.hasher.digests_of", refuse)
        assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    assert {row.md5 for row in closing.manifest()} == {digest.hex() for digest in service.digests}


async def test_files_that_are_hashed_first_are_asked_for_in_full_groups(closing: World) -> None:
    closing.write_many(60, size=50_000)
    summary = await closing.run()
    assert (summary.exit_code, summary.counters.presign_calls) == (0, 6)


async def test_a_file_that_changes_after_it_was_hashed_is_not_uploaded(closing: World, service: ClosingService) -> None:
    """The service has the checksum of other bytes, so the upload is not confirmed."""
    closing.write({"a.mp4": b"before"})

    def change() -> None:
        path = closing.source / "a.mp4"
        stat = path.stat()
        path.write_bytes(b"after!")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    service.on_presign = change
    summary = await closing.run()
    assert (summary.exit_code, summary.counters.changed) == (3, 1)
    assert not service.confirmed
    service.on_presign = lambda: None
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()


async def test_a_service_with_closing_calls_survives_faults(closing: World, service: ClosingService) -> None:
    """No file is confirmed twice."""
    closing.faults("expired-url=0.1", "status-503=0.1", "cut-body=0.1", "wrong-etag=0.1", "short-answer=0.1", seed=5)
    closing.write_many(50)
    assert (await closing.run()).exit_code == 0
    closing.assert_uploaded()
    assert set(service.confirmed.values()) == {1}
    assert len(service.confirmed) == 50


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
async def test_closing_calls_interrupted_at_random_points(closing: World, service: ClosingService, seed: int) -> None:
    """In the end each file is uploaded once, and each recorded id is confirmed."""
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
    assert {row.remote_id for row in closing.manifest()} <= set(service.confirmed)


class OneShot(Local):
    """A service whose URLs can be used by one run only."""

    name = "one-shot"
    capabilities = Capabilities(batch_limit=1000, batch_size=20, reusable_urls=False)

    def reusable(self, ticket: Ticket) -> bool:
        return self.capabilities.reusable_urls


async def test_urls_for_one_run_are_replaced_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old ids are orphans."""
    monkeypatch.setitem(PROVIDER_CLASSES, "one-shot", OneShot)
    monkeypatch.setitem(PROVIDER_DECLARATIONS, "one-shot", ProviderDeclaration(None, (("token",),)))
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
