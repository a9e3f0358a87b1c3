"""Unfinished uploads at the service, over an embedded server."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from pipeline_world import QUICK_RETRIES, World, interrupt_when, world

from bulkup.api.unfinished import unfinished_uploads
from bulkup.errors import JournalLockedError, MachineError, UsageError
from bulkup.journal import Lock
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.journal_rows import UnfinishedRow
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport

MIB = 1024**2
NEVER = 0.0
ALL = 4e9  # a time after every upload


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, "s3", tunables=QUICK_RETRIES) as running:
        running.settings = {"multipart_from": 20 * MIB, "part_size": 5 * MIB, "concurrency": 2}
        running.write({"large.mov": os.urandom(21 * MIB)})
        yield running


async def listed(here: World, before: float | None = None) -> list[UnfinishedRow]:
    return await unfinished_uploads(here.resolved(), str(here.journal), environ={}, remove_before=before)


async def interrupted(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until two parts are stored."""
    with monkeypatch.context() as patch:
        send, tried = Transport.send, 0

        async def held(self: Transport, ticket: Ticket, *values: object, **named: object) -> object:
            nonlocal tried
            tried += 1
            if tried > 2:
                await anyio.sleep_forever()
            return await send(self, ticket, *values, **named)  # type: ignore[arg-type]

        patch.setattr(Transport, "send", held)
        await interrupt_when(here, lambda: here.puts == 2)


async def lost(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the file up, and lose the call that deletes its parts."""
    with monkeypatch.context() as patch:
        call = Transport.call

        async def refused(self: Transport, ticket: Ticket, *_: object, **__: object) -> object:
            raise ProblemError(Problem(ProblemKind.FAILED, "no"))

        async def cut(self: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
            if request.method == "DELETE":
                raise ProblemError(Problem(ProblemKind.TRANSIENT, "cut off"))
            return await call(self, base_url, request)

        patch.setattr(Transport, "send", refused)
        patch.setattr(Transport, "call", cut)
        assert (await here.run()).counters.failed == 1


async def test_an_upload_that_the_next_run_continues_is_listed_and_stays(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await interrupted(here, monkeypatch)
    (row,) = await listed(here)
    assert row.remote_id.startswith("up/large.mov?uploadId=")
    assert (row.resumable, row.orphan, row.removed) == (True, False, False)
    assert await listed(here, ALL) == [row]
    summary = await here.run()
    assert summary.exit_code == 0
    assert 5 <= here.puts <= 7  # both workers' parts may have been stored when the interruption cut their answers off
    assert await listed(here) == []


async def test_an_upload_that_was_given_up_is_removed_at_any_age(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await lost(here, monkeypatch)
    (row,) = await listed(here)
    assert (row.resumable, row.orphan) == (False, True)
    assert [orphan.remote_id for orphan in here.orphans()] == [row.remote_id]
    (removed,) = await listed(here, NEVER)
    assert removed.removed
    assert (await listed(here), here.orphans()) == ([], [])


async def test_an_upload_of_another_program_is_removed_only_if_it_is_old(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lost(here, monkeypatch)
    other = str(here.folder / "other.sqlite3")
    rows = await unfinished_uploads(here.resolved(), other, environ={}, remove_before=NEVER)
    assert [(row.orphan, row.removed) for row in rows] == [(False, False)]
    rows = await unfinished_uploads(here.resolved(), other, environ={}, remove_before=ALL)
    assert [row.removed for row in rows] == [True]
    assert not os.path.exists(other)


async def test_uploads_of_other_shards_stay(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service lists those of all shards, and the journal of one knows only its own."""
    await interrupted(here, monkeypatch)
    one, two = (here.folder / f"nightly+{number}of2.sqlite3" for number in (1, 2))
    here.journal.rename(two)
    (row,) = await unfinished_uploads(here.resolved(), str(one), environ={}, remove_before=ALL)
    assert (row.resumable, row.removed) == (True, False)
    with Lock(str(two)) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)
        with pytest.raises(JournalLockedError):
            await unfinished_uploads(here.resolved(), str(one), environ={}, remove_before=ALL)


async def test_uploads_below_other_keys_are_not_listed(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await lost(here, monkeypatch)
    settings = here.resolved(key="elsewhere/{path}")
    assert await unfinished_uploads(settings, str(here.journal), environ={}) == []


async def test_during_a_run_nothing_is_removed(here: World) -> None:
    await here.run()
    with Lock(str(here.journal)) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)
        assert await listed(here) == []
        with pytest.raises(JournalLockedError) as raised:
            await listed(here, ALL)
    assert raised.value.hint == "remove uploads when that run has ended"


async def test_a_service_that_lists_nothing(here: World) -> None:
    settings = here.resolved(provider="magic-hour", token="t")
    with pytest.raises(UsageError, match="magic-hour cannot list unfinished uploads"):
        await unfinished_uploads(settings, str(here.journal), environ={})


async def test_keys_that_the_store_refuses(here: World) -> None:
    with pytest.raises(MachineError, match=r"SignatureDoesNotMatch.*check secret_key"):
        await unfinished_uploads(here.resolved(secret_key="wrong"), str(here.journal), environ={})
