"""Every provider with invalid answers: whatever the service sends, each file ends up under an id of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from conformance_world import CLOSING, Act, change_first, conformance, having, is_closing, meddle, recorded_calls, tree
from pipeline_world import Need, Service, World

from bulkup.localserver import FaultOptions
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.transport import Transport

Spoil = Callable[[ApiAnswer, Service], bytes]


@pytest.fixture(params=having(Need.API))
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        yield running


def with_value(found: Any, key: str, value: Any) -> Any:
    """Return JSON in which every value of a key is replaced; `...` removes the key."""
    if isinstance(found, list):
        return [with_value(item, key, value) for item in found]
    if not isinstance(found, dict):
        return found
    changed = {name: value if name == key else with_value(item, key, value) for name, item in found.items()}
    return {name: item for name, item in changed.items() if item is not ...}


def ids(value: Any) -> Spoil:
    return lambda answer, service: orjson.dumps(with_value(answer.json(), service.id, value))


def urls(value: Any) -> Spoil:
    return lambda answer, service: orjson.dumps(with_value(answer.json(), service.url, value))


def body(content: bytes) -> Spoil:
    return lambda _answer, _service: content


NOTHING_TO_READ: dict[str, Spoil] = {
    "html": body(b"<!DOCTYPE html><html><body>It works!</body></html>"),
    "empty": body(b""),
    "cut": lambda answer, _: answer.body[: len(answer.body) // 2],
    "not-utf-8": lambda answer, _: answer.body.replace(b'{"', b'{"\xff\xfe', 1),
    "garbage": body(os.urandom(64 * 1024)),
    "null": body(b"null"),
    "list": body(b"[]"),
    "text": body(b'"ok"'),
    "nothing-in-it": body(b"{}"),
    "nulls": body(b'{"data": null, "items": null, "tickets": null, "upload": null, "upload_url": null}'),
}
TICKETS: dict[str, Spoil] = {
    "id-a-number": ids(7),
    "id-empty": ids(""),
    "id-missing": ids(...),
    "url-a-list": urls(["http://127.0.0.1/"]),
    "url-missing": urls(...),
    "url-null": urls(None),
    "url-of-ftp": urls("ftp://127.0.0.1/file"),
    "url-of-a-file": urls("file:///etc/passwd"),
    "url-relative": urls("/somewhere"),
    "url-with-user": urls("http://user:password@127.0.0.1/file"),
    "url-two-lines": urls("http://127.0.0.1/file\r\nX-Header: 1"),
}


def spoil_in_turn(service: Service, ways: Iterable[Spoil]) -> Act:
    """Return an act that makes the call and spoils every second answer, each time in the next way."""
    calls, left = 0, iter(ways)

    async def act(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        nonlocal calls
        answer = await call(request)
        calls += 1
        way = next(left, None) if calls % 2 else None
        return answer if way is None else replace(answer, body=way(answer, service))

    return act


@pytest.mark.parametrize("ways", [NOTHING_TO_READ, TICKETS], ids=["nothing to read", "bad tickets"])
async def test_malformed_answers(place: World, monkeypatch: pytest.MonkeyPatch, ways: dict[str, Spoil]) -> None:
    """After an invalid answer the call is repeated. All files are uploaded, and the lost ids are counted."""
    if place.service.described_as:  # ids of a described service may be numbers
        ways = {name: way for name, way in ways.items() if name != "id-a-number"}
    meddle(monkeypatch, place.provider, "presign", spoil_in_turn(place.service, ways.values()))
    files = tree(2 * len(ways))
    place.write(files)
    summary = await place.run(batch_size=2, attempts=50)
    assert (summary.exit_code, summary.counters.retries) == (0, len(ways)), summary.error
    place.assert_uploaded()
    assert (place.puts, place.lost_ids()) == (len(files), 0)
    assert [orphan.remote_id for orphan in place.orphans()] == place.orphaned([None] * len(ways))


def all_the_first(found: Any) -> Any:
    """Return an answer in which all items are copies of the first."""
    if isinstance(found, list):
        return found[:1] * len(found)
    keyed = isinstance(found, dict) and all(isinstance(item, dict) for item in found.values()) and len(found) > 1
    if keyed:
        return dict.fromkeys(found, next(iter(found.values())))
    return {name: all_the_first(item) for name, item in found.items()} if isinstance(found, dict) else found


@pytest.mark.parametrize("place", having(Need.API, Need.GROUPS), indirect=True)
async def test_one_ticket_for_a_whole_group(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with the same ticket for several files is refused as a whole."""
    same = change_first(2, lambda answer: replace(answer, body=orjson.dumps(all_the_first(answer.json()))))
    meddle(monkeypatch, place.provider, "presign", same)
    place.write(tree(6))
    assert (await place.run(batch_size=3)).exit_code == 0
    place.assert_uploaded()
    assert (place.puts, place.lost_ids()) == (6, 0)


async def test_a_service_that_only_sends_invalid_answers(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends, and no file is marked as failed."""
    meddle(monkeypatch, place.provider, "presign", change_first(99, lambda answer: replace(answer, body=b"<html>")))
    place.write_many(3)
    summary = await place.run(attempts=3)
    assert (summary.exit_code, summary.counters.remaining, place.puts) == (4, 3, 0)
    assert summary.error is not None
    assert place.lost_ids() == 0


@pytest.mark.parametrize("place", CLOSING, indirect=True)
async def test_malformed_closing_answers(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closing call with an invalid answer costs at most one more call, and no upload."""
    for method in ("confirm", "poll"):
        meddle(monkeypatch, place.provider, method, spoil_in_turn(place.service, NOTHING_TO_READ.values()))
    place.write(tree(25))
    summary = await place.run(attempts=50)
    assert summary.exit_code == 0, summary.error
    place.assert_uploaded()
    assert (place.puts, place.calls, place.orphans()) == (25, summary.counters.presign_calls, [])


async def lost(call: ApiCall, request: ApiRequest) -> ApiAnswer:
    await call(request)
    raise ProblemError(Problem(ProblemKind.TRANSIENT, "the connection broke", maybe_created=True))


def lose_first(count: int) -> Act:
    """Return an act that makes the call and loses the first answers."""
    made = 0

    async def act(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        nonlocal made
        made += 1
        return await (lost(call, request) if made <= count else call(request))

    return act


@pytest.mark.parametrize("place", CLOSING, indirect=True)
async def test_closed_already(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closing call whose answer was lost is repeated, and "already complete" counts as success."""
    meddle(monkeypatch, place.provider, "confirm", lose_first(4))
    calls = recorded_calls(monkeypatch)
    place.write_many(6)
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.retries) == (0, 6, 4)
    place.assert_uploaded()
    assert place.puts == 6
    assert sum(is_closing(request) and request.method != "GET" for request in calls) == 10


async def test_answers_lost(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls whose answers were lost are repeated, and the ids that they created are counted."""
    meddle(monkeypatch, place.provider, "presign", lose_first(2))
    place.write(tree(8))
    assert (await place.run(batch_size=4)).exit_code == 0
    place.assert_uploaded()
    assert place.lost_ids() == 0
    assert [orphan.remote_id for orphan in place.orphans()] == place.orphaned([None, None])


async def test_throttled(place: World) -> None:
    """A service that throttles for a while loses no file, and costs no attempts."""
    place.faults("retry-later", options=FaultOptions(retry_later_window=0.3))
    place.write(tree(20))
    summary = await place.run(batch_size=4, attempts=1)
    assert summary.exit_code == 0, summary.error
    place.assert_uploaded()
    assert summary.counters.retries
    assert place.lost_ids() <= 0


async def test_a_throttled_call_pauses_all_calls(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is made before the time in Retry-After."""
    calls = early = 0
    closed_until = 0.0
    place.write(tree(12))
    changes = {"confirm": False} if place.provider in CLOSING else {}
    real_call = Transport.call

    async def watched(transport: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
        nonlocal calls, early, closed_until
        calls += 1
        early += place.clock.monotonic() < closed_until
        answer = await real_call(transport, base_url, request)
        if calls != 3:
            return answer
        closed_until = place.clock.monotonic() + 1
        return replace(answer, status=429, headers={"retry-after": "1"}, body=b"")

    monkeypatch.setattr(Transport, "call", watched)
    async with place.uploader(batch_size=2, calls_in_flight=1, **changes) as uploader:
        summary = await uploader.run()
    assert (summary.exit_code, summary.counters.retries, early) == (0, 1, 0)
    place.assert_uploaded()


@pytest.mark.parametrize("place", CLOSING, indirect=True)
async def test_throttled_closing_calls(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttled closing calls are repeated, and nothing is sent twice."""
    later = change_first(3, lambda answer: replace(answer, status=429, headers={}, body=b""))
    meddle(monkeypatch, place.provider, "confirm", later)
    place.write_many(6)
    summary = await place.run(attempts=1)
    assert (summary.exit_code, place.puts, summary.counters.uploaded) == (0, 6, 6)
    place.assert_uploaded()


@pytest.mark.parametrize("place", ["xvid"], indirect=True)
async def test_answers_in_xml(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Xvid's XML is read like its JSON: tickets, forms, statuses and refusals."""

    async def in_xml(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        mark = "&" if "?" in request.path else "?"
        answer = await call(replace(request, path=f"{request.path}{mark}format=xml"))
        assert answer.body.startswith(b"<?xml")
        return answer

    for method in ("presign", "confirm", "poll"):
        meddle(monkeypatch, "xvid", method, in_xml)
    place.write(tree(10))
    place.write({"a & <b>.mp4": b"x"})
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()
    assert {row.remote["status"] for row in place.manifest()} == {"COMPLETED"}
    place.write({"new.mp4": b"new"})
    refused = await place.run(token="wrong")
    assert refused.exit_code == 4
    assert refused.error is not None
    assert "Invalid access token" in refused.error.message
