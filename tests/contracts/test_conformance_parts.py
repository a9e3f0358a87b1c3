"""Files in parts (metastudio, with limits of a few hundred KiB instead of gibibytes)."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import orjson
import pytest
from conformance_world import Act, before_sending, conformance, is_closing, meddle, recorded_calls
from pipeline_world import World, interrupt_when

from bulkup import FileState
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.providers import PROVIDER_CLASSES
from bulkup.providers.metastudio.adapter import MetaStudio, PartLimits

KIB = 1024
ONE_PUT, PART = 300 * KIB, 100 * KIB
SIZE = 4 * PART + 7  # five parts


class SmallParts(MetaStudio):
    part_limits = PartLimits(ONE_PUT, PART)


_NUMBER = re.compile(r"[?&]partNumber=([0-9]+)")


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    monkeypatch.setitem(PROVIDER_CLASSES, "metastudio", SmallParts)
    async with conformance(tmp_path, "metastudio", monkeypatch) as running:
        running.write({"large.mov": os.urandom(SIZE)})
        yield running


def at_part(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> list[int]:
    """Call `act` once before the part `number` is sent. Return the list of attempted parts, which grows."""
    tried: list[int] = []
    acted = False

    async def before(ticket: Ticket) -> None:
        nonlocal acted
        found = _NUMBER.search(ticket.url.reveal())
        tried.append(int(found[1]) if found else 0)
        if tried[-1] == number and not acted:
            acted = True
            act()

    before_sending(monkeypatch, before)
    return tried


def nothing() -> None:
    """Do nothing."""


def break_down() -> None:
    raise ProblemError(Problem(ProblemKind.TRANSIENT, "the connection broke"))


async def test_a_file_in_parts(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is sent in parts, one after another, and is complete at the service. Others are sent whole."""
    here.write({"exactly.mov": os.urandom(ONE_PUT), "over.mov": os.urandom(ONE_PUT + 1), "small.mp4": b"s"})
    tried = at_part(monkeypatch, 0, nothing)
    summary = await here.run(concurrency=1)
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 4, 0)
    here.assert_uploaded()
    assert sorted(tried) == sorted([0, 0, *range(1, 5), *range(1, 6)])
    assert here.puts == 2 + 4 + 5
    parts = {row.path: row.remote.get("parts") for row in here.manifest()}
    assert parts == {b"large.mov": 5, b"over.mov": 4, b"exactly.mov": None, b"small.mp4": None}
    assert summary.counters.bytes_sent == summary.counters.bytes_uploaded


async def test_a_part_that_fails(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the third part fails, it is sent again, and the earlier parts are not."""
    tried = at_part(monkeypatch, 3, break_down)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.retries) == (0, 1)
    assert tried == [1, 2, 3, 3, 4, 5]
    assert (here.puts, here.calls) == (5, 1)
    here.assert_uploaded()


@pytest.mark.parametrize("fault", ["cut-body", "wrong-etag", "status-503"])
async def test_parts_under_faults(here: World, fault: str) -> None:
    here.faults(f"{fault}=0.4", seed=3)
    here.write({"other.mov": os.urandom(SIZE), "third.mov": os.urandom(SIZE)})
    summary = await here.run(attempts=20)
    assert summary.exit_code == 0, summary.error
    here.assert_uploaded()
    assert here.lost_ids() == 0


async def test_a_part_whose_url_expires(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new ticket is a new file at the service. All parts are sent to it, and the old id is an orphan."""
    tried = at_part(monkeypatch, 3, lambda: here.faults("expired-url,first=1"))
    summary = await here.run()
    assert (summary.exit_code, summary.counters.presign_renewed, here.calls) == (0, 1, 2)
    assert tried == [1, 2, 3, 1, 2, 3, 4, 5]
    here.assert_uploaded()
    (orphan,) = here.orphans()
    assert orphan.path == b"large.mov"
    assert orphan.remote_id not in {None, *(row.remote_id for row in here.manifest())}


def asks_for(count: int, times: int) -> Act:
    """Return an act that changes the requested number of URLs."""
    made = 0

    async def act(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        nonlocal made
        made += 1
        body = orjson.loads(request.body or b"{}")
        if made > times:
            return await call(request)
        return await call(replace(request, body=orjson.dumps({**body, "file_multipart_count": count})))

    return act


BY_TOKEN = {"access_key": None, "secret_key": None, "auth_token": "local-token"}  # which signs no body


@pytest.mark.parametrize("count", [2, 3, 7, 500])
async def test_a_different_number_of_urls(here: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A file is sent in as many parts as the service has URLs for, if the parts are small enough."""
    meddle(monkeypatch, "metastudio", "presign", asks_for(count, 1))
    summary = await here.run(**BY_TOKEN)
    assert summary.exit_code == 0, summary.error
    here.assert_uploaded()
    assert [row.remote["parts"] for row in here.manifest()] == [count]


async def test_too_few_urls(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a malformed answer: the call is repeated, and the lost id is counted."""
    meddle(monkeypatch, "metastudio", "presign", asks_for(1, 2))
    summary = await here.run(**BY_TOKEN)
    assert (summary.exit_code, here.calls) == (0, 3)
    here.assert_uploaded()
    assert here.lost_ids() == 0


def rewrite(path: Path) -> None:
    """Overwrite the end and restore the modification time, so that only the ctime changes."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"0123456789")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("change", [rewrite, append, Path.unlink])
async def test_a_file_that_changes_between_parts(
    here: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """It is cancelled at the service, where nothing of it remains."""
    calls = recorded_calls(monkeypatch)
    with monkeypatch.context() as patch:
        at_part(patch, 3, lambda: change(here.source / "large.mov"))
        summary = await here.run()
    assert (summary.exit_code, summary.counters.changed) == (3, 1)
    assert here.states() == {b"large.mov": FileState.CHANGED}
    assert [orjson.loads(call.body or b"") for call in calls if is_closing(call)] == [{"state": "CANCELLED"}]
    assert [names for _, _, names in os.walk(here.server.objects_dir) if names] == []
    here.write({"large.mov": os.urandom(SIZE)})
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_an_interruption_between_parts(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run uses the same ticket for the whole file."""
    with monkeypatch.context() as patch:
        tried: list[Ticket] = []

        async def hold(ticket: Ticket) -> None:
            tried.append(ticket)
            if len(tried) == 4:
                await anyio.sleep_forever()

        before_sending(patch, hold)
        await interrupt_when(here, lambda: len(tried) == 4)
    assert here.states() == {b"large.mov": FileState.TICKETED}
    summary = await here.run()
    assert (summary.exit_code, summary.counters.reused_tickets, here.calls) == (0, 1, 1)
    here.assert_uploaded()
    assert here.orphans() == []
