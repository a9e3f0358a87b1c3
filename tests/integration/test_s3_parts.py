"""Files of `s3` in parts, over an embedded server."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from pipeline_world import QUICK_RETRIES, World, interrupt_when, read_tree, world

from bulkup import FileState
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport

MIB = 1024**2
SIZE = 12 * 5 * MIB + 7  # thirteen parts


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, "s3", tunables=QUICK_RETRIES) as running:
        running.settings = {"multipart_from": 20 * MIB, "part_size": 5 * MIB, "concurrency": 4}
        running.write({"large.mov": os.urandom(SIZE)})
        yield running


def part_of(ticket: Ticket) -> int:
    return int(parse_qs(urlsplit(ticket.url.reveal()).query).get("partNumber", ["0"])[0])


def before_sending(monkeypatch: pytest.MonkeyPatch, act: Callable[[Ticket], Awaitable[object]]) -> None:
    send = Transport.send

    async def sent(self: Transport, ticket: Ticket, *values: Any, **named: Any) -> Any:
        await act(ticket)
        return await send(self, ticket, *values, **named)

    monkeypatch.setattr(Transport, "send", sent)


def recorded_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    made: list[tuple[str, str]] = []
    call = Transport.call

    async def recorded(self: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
        made.append((request.method, request.path.partition("?")[2].partition("=")[0]))
        return await call(self, base_url, request)

    monkeypatch.setattr(Transport, "call", recorded)
    return made


def unfinished(here: World) -> list[str]:
    return os.listdir(here.folder / "store" / "state" / "parts")


def rows_of_parts(here: World) -> int:
    """Return how many parts the journal has."""
    if not here.journal.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{here.journal}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM parts").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the tables are being made


def assert_stored(here: World) -> None:
    for path, data in read_tree(here.source).items():
        assert Path(here.server.objects_dir, "my-bucket/up", os.fsdecode(path)).read_bytes() == data


async def test_a_large_file_is_sent_in_parts_at_the_same_time(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    here.write({"whole.mov": os.urandom(20 * MIB - 1), "small.mp4": b"s"})
    calls = recorded_calls(monkeypatch)
    busy, most = 0, 0
    send = Transport.send

    async def sent(self: Transport, ticket: Ticket, *values: Any, **named: Any) -> Any:
        nonlocal busy, most
        busy += bool(part_of(ticket))
        most = max(most, busy)
        try:
            return await send(self, ticket, *values, **named)
        finally:
            busy -= bool(part_of(ticket))

    monkeypatch.setattr(Transport, "send", sent)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 3, 0)
    assert_stored(here)
    assert most >= 2
    assert calls == [("POST", "uploads"), ("POST", "uploadId")]
    assert summary.counters.bytes_sent == summary.counters.bytes_uploaded
    assert summary.counters.bytes_moving == 0
    (row,) = [row for row in here.manifest() if row.path == b"large.mov"]
    assert row.remote_id == "up/large.mov"
    assert row.remote["etag"].endswith("-13")
    assert (here.orphans(), unfinished(here)) == ([], [])
    again = await here.run()
    assert (again.counters.skipped, again.counters.bytes_sent) == (3, 0)


async def test_a_killed_run_sends_only_the_parts_that_were_on_their_way(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    with monkeypatch.context() as patch:

        async def hold(ticket: Ticket) -> None:
            if len(done) >= 6:
                await anyio.sleep_forever()
            done.append(part_of(ticket))

        before_sending(patch, hold)
        await interrupt_when(here, lambda: rows_of_parts(here) == 6)
    assert here.states() == {b"large.mov": FileState.TICKETED}
    tried: list[int] = []

    async def note(ticket: Ticket) -> None:
        tried.append(part_of(ticket))

    before_sending(monkeypatch, note)
    calls = recorded_calls(monkeypatch)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.reused_tickets) == (0, 1)
    assert sorted(tried) == sorted(set(range(1, 14)) - set(done))
    assert calls == [("POST", "uploadId")]
    assert_stored(here)
    assert (here.orphans(), unfinished(here)) == ([], [])


async def test_a_part_that_fails_is_sent_again_alone(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    async def fail_once(ticket: Ticket) -> None:
        tried.append(part_of(ticket))
        if tried.count(7) == 1 and part_of(ticket) == 7:
            raise ProblemError(Problem(ProblemKind.TRANSIENT, "the connection broke"))

    before_sending(monkeypatch, fail_once)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.retries) == (0, 1)
    assert sorted(tried) == sorted([*range(1, 14), 7])
    assert_stored(here)


@pytest.mark.parametrize("fault", ["cut-body", "wrong-etag", "status-503", "expired-url"])
async def test_parts_under_faults(here: World, fault: str) -> None:
    here.faults(f"{fault}=0.3", seed=3)
    here.write({"other.mov": os.urandom(SIZE)})
    summary = await here.run(attempts=20)
    assert summary.exit_code == 0, summary.error
    assert_stored(here)
    assert unfinished(here) == []


async def test_a_part_that_is_refused_for_good_ends_the_file_and_deletes_its_parts(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(ticket: Ticket) -> None:
        if part_of(ticket) == 5:
            raise ProblemError(Problem(ProblemKind.FAILED, "no"))

    before_sending(monkeypatch, refuse)
    here.write({"small.mp4": b"s"})
    calls = recorded_calls(monkeypatch)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.failed, summary.counters.uploaded) == (1, 1, 1)
    assert calls[-1] == ("DELETE", "uploadId")
    assert (here.orphans(), unfinished(here)) == ([], [])


async def test_a_file_that_changes_between_its_parts(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = False

    async def change(ticket: Ticket) -> None:
        nonlocal changed
        if part_of(ticket) == 9 and not changed:
            changed = True
            with (here.source / "large.mov").open("ab") as file:
                file.write(b"more")

    with monkeypatch.context() as patch:
        before_sending(patch, change)
        summary = await here.run()
    assert (summary.exit_code, summary.counters.changed) == (3, 1)
    assert unfinished(here) == []
    assert not Path(here.server.objects_dir, "my-bucket/up/large.mov").exists()
    assert (await here.run()).exit_code == 0
    assert_stored(here)


async def test_a_file_that_changes_is_sent_anew(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = False

    async def change(ticket: Ticket) -> None:
        nonlocal changed
        if part_of(ticket) == 9 and not changed:
            changed = True
            with (here.source / "large.mov").open("ab") as file:
                file.write(b"more")

    before_sending(monkeypatch, change)
    summary = await here.run(on_change="retry")
    assert summary.exit_code == 0
    assert_stored(here)


async def test_an_upload_whose_parts_were_deleted_begins_anew(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = False

    async def delete(ticket: Ticket) -> None:
        nonlocal deleted
        if part_of(ticket) == 6 and not deleted:
            deleted = True
            for name in unfinished(here):
                folder = here.folder / "store" / "state" / "parts" / name
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()

    before_sending(monkeypatch, delete)
    summary = await here.run()
    assert summary.exit_code == 0, summary.error
    assert_stored(here)
    assert unfinished(here) == []


async def test_a_run_that_is_stopped_leaves_the_parts_to_the_next_one(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with here.uploader() as uploader:
        with monkeypatch.context() as patch:

            async def stop(ticket: Ticket) -> None:
                if part_of(ticket) == 6:
                    uploader.stop()

            before_sending(patch, stop)
            summary = await uploader.run()
    assert summary.exit_code == 130
    assert here.states() == {b"large.mov": FileState.TICKETED}
    before = here.puts
    assert 5 <= before <= 12
    summary = await here.run()
    assert summary.exit_code == 0
    assert here.puts == 13
    assert_stored(here)
    assert unfinished(here) == []


async def test_a_run_that_is_killed_before_the_upload_is_completed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        call, waiting = Transport.call, False

        async def held(self: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
            nonlocal waiting
            if "uploadId" in request.path:
                waiting = True
                await anyio.sleep_forever()
            return await call(self, base_url, request)

        patch.setattr(Transport, "call", held)
        await interrupt_when(here, lambda: waiting)
    assert here.states() == {b"large.mov": FileState.STORED}
    summary = await here.run()
    assert (summary.exit_code, summary.counters.bytes_sent, here.puts) == (0, 0, 13)
    assert_stored(here)


async def test_a_completion_whose_answer_is_lost(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    call, lost = Transport.call, False

    async def lose(self: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
        nonlocal lost
        answer = await call(self, base_url, request)
        if "uploadId" in request.path and not lost:
            lost = True
            raise ProblemError(Problem(ProblemKind.TRANSIENT, "the answer was lost", maybe_created=True))
        return answer

    monkeypatch.setattr(Transport, "call", lose)
    summary = await here.run()
    assert summary.exit_code == 0, summary.error
    assert_stored(here)


@pytest.mark.parametrize("algorithm", ["sha256", "crc32c", "crc64nvme"])
async def test_parts_with_checksums(here: World, monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    """Each part is sent with its checksum, also after a kill. The store compares SHA-256."""
    done: list[int] = []
    with monkeypatch.context() as patch:

        async def hold(ticket: Ticket) -> None:
            if len(done) >= 6:
                await anyio.sleep_forever()
            done.append(part_of(ticket))
            assert f"x-amz-checksum-{algorithm}" in ticket.headers

        before_sending(patch, hold)
        await interrupt_when(here, lambda: rows_of_parts(here) == 6, checksum_algorithm=algorithm)
    summary = await here.run(checksum_algorithm=algorithm)
    assert (summary.exit_code, summary.counters.unverified, here.puts) == (0, 0, 13), summary.error
    assert_stored(here)
    assert (here.orphans(), unfinished(here)) == ([], [])


async def test_a_part_that_changes_after_it_was_hashed(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store refuses it, and the file is `changed`."""
    changed = False

    async def change(ticket: Ticket) -> None:
        nonlocal changed
        if part_of(ticket) == 9 and not changed:
            changed = True
            path = here.source / "large.mov"
            with path.open("r+b") as file:
                file.seek(8 * 5 * MIB)
                file.write(b"other bytes")

    before_sending(monkeypatch, change)
    summary = await here.run(checksum_algorithm="sha256")
    assert (summary.exit_code, summary.counters.changed) == (3, 1)
    assert unfinished(here) == []


async def test_parts_of_a_file_that_cannot_be_read(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = False

    async def remove(ticket: Ticket) -> None:
        nonlocal removed
        if not removed:
            removed = True
            (here.source / "large.mov").unlink()

    before_sending(monkeypatch, remove)
    here.write({"small.mp4": b"s"})
    summary = await here.run(checksum_algorithm="sha256")
    assert (summary.counters.uploaded, summary.counters.changed) == (1, 1)
    assert unfinished(here) == []


async def test_an_upload_is_begun_anew_for_other_checksums(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        done: list[int] = []

        async def hold(ticket: Ticket) -> None:
            if len(done) >= 6:
                await anyio.sleep_forever()
            done.append(part_of(ticket))

        before_sending(patch, hold)
        await interrupt_when(here, lambda: rows_of_parts(here) == 6)
    summary = await here.run(checksum_algorithm="sha256")
    assert (summary.exit_code, summary.counters.unverified, here.puts) == (0, 0, 6 + 13), summary.error
    assert_stored(here)
    (left,) = unfinished(here)
    assert [orphan.remote_id for orphan in here.orphans()] == [f"up/large.mov?uploadId={left}"]
