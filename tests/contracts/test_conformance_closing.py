"""What closes an upload: polls that do not come to an end, words nobody knows, and files that are given up."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from conformance_world import CLOSING, conformance, is_closing, meddle, recorded_calls, tree
from pipeline_world import World

from bulkup import FileState
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest


@pytest.fixture(params=CLOSING)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        yield running


on_xvid = pytest.mark.parametrize("place", ["xvid"], indirect=True)
on_metastudio = pytest.mark.parametrize("place", ["metastudio"], indirect=True)


def say_status(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """Have xvid say that every upload that was finished is in a status."""

    async def said(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        answer = await call(request)
        if answer.status != 200:
            return answer
        upload = {**answer.json()["upload"], "status": status}
        return replace(answer, body=orjson.dumps({"upload": upload}))

    meddle(monkeypatch, "xvid", "confirm", said)
    meddle(monkeypatch, "xvid", "poll", said)


@on_xvid
async def test_polls_come_to_an_end(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that stay COMPLETING are given back in time, with what was said last, and the next run asks on."""
    place.write(tree(3))
    with monkeypatch.context() as patch:
        say_status(patch, "COMPLETING")
        summary = await place.run(retry_for=0.3)
    assert (summary.exit_code, summary.counters.remaining, summary.counters.failed) == (3, 3, 0)
    assert {(row.status, row.remote["status"]) for row in place.manifest()} == {(FileState.STORED, "COMPLETING")}
    before = place.server.stats()
    calls = recorded_calls(monkeypatch)
    assert (await place.run()).exit_code == 0
    assert place.server.stats() == before
    assert all(is_closing(request) for request in calls)
    place.assert_uploaded()
    assert {row.remote["status"] for row in place.manifest()} == {"COMPLETED"}
    assert place.orphans() == []


@on_xvid
@pytest.mark.parametrize("status", ["COMPLETE", "ARCHIVED", "Готово"])
async def test_unknown_word_for_the_end(place: World, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """A status that is neither under way nor a failure is an end, and its word stands in the manifest."""
    say_status(monkeypatch, status)
    place.write(tree(3))
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()
    assert {row.remote["status"] for row in place.manifest()} == {status}


@on_xvid
@pytest.mark.parametrize("status", ["FAILED", "error", "UPLOAD_EXPIRED"])
async def test_word_for_a_failure(place: World, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """An upload that the service says failed is failed, with its word; the next run uploads the file anew."""
    place.write(tree(2))
    with monkeypatch.context() as patch:
        say_status(patch, status)
        summary = await place.run()
    assert (summary.exit_code, summary.counters.failed) == (1, 2)
    assert all(status in (row.error or "") for row in place.manifest())
    assert len(place.orphans()) == 2
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()
    assert place.puts == 4


async def test_lost_before_it_was_closed(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that storage lost before the closing call is not taken as uploaded; the next run sends it again."""

    async def lost(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        for folder, _, names in os.walk(place.server.objects_dir):
            for name in names:
                os.unlink(os.path.join(folder, name))
        return await call(request)

    place.write({"a.mp4": b"a"})
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "confirm", lost)
        summary = await place.run()
    assert (summary.exit_code, summary.counters.failed) == (1, 1)
    assert place.states() == {b"a.mp4": FileState.FAILED}
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


async def test_one_that_cannot_be_closed(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose closing call fails for good, while others go through, is failed; the next run closes and no more."""
    unlucky: list[str] = []
    another_was_answered = anyio.Event()

    async def failing(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        if unlucky and request.path != unlucky[0]:
            answer = await call(request)
            another_was_answered.set()
            return answer
        if unlucky:
            await another_was_answered.wait()
        unlucky.append(request.path)
        return ApiAnswer(500, {}, b"", 0.0)

    place.write(tree(8))
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "confirm", failing)
        summary = await place.run(attempts=3, calls_in_flight=2)
    assert (summary.exit_code, summary.counters.failed, summary.counters.uploaded) == (1, 1, 7)
    before = place.server.stats()
    assert (await place.run()).exit_code == 0
    assert place.server.stats() == before
    place.assert_uploaded()
    assert place.orphans() == []


def told(calls: Iterable[ApiRequest]) -> list[Any]:
    """Return the bodies of closing calls."""
    return [orjson.loads(request.body or b"null") for request in calls if is_closing(request)]


@on_metastudio
async def test_failed_files_are_told(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that fail for good are told to the service as FAILED, which forgets what it has of them."""
    place.faults("wrong-etag")
    calls = recorded_calls(monkeypatch)
    place.write(tree(4))
    summary = await place.run()
    assert (summary.exit_code, summary.counters.failed) == (1, 4)
    assert told(calls) == [{"state": "FAILED"}] * 4
    assert [names for _, _, names in os.walk(place.server.objects_dir) if names] == []
    assert len(place.orphans()) == 4
    place.faults()
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


@on_metastudio
async def test_changed_files_are_told(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes before it is sent is told to the service as CANCELLED, and goes up as it is the next time."""

    async def changing(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        answer = await call(request)
        place.write({"a.mp4": b"after it was hashed"})
        return answer

    place.write({"a.mp4": b"before"})
    calls = recorded_calls(monkeypatch)
    with monkeypatch.context() as patch:
        meddle(patch, "metastudio", "presign", changing)
        summary = await place.run()
    assert (summary.exit_code, summary.counters.changed, place.puts) == (3, 1, 0)
    assert place.states() == {b"a.mp4": FileState.CHANGED}
    assert told(calls) == [{"state": "CANCELLED"}]
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


@on_metastudio
async def test_service_that_does_not_listen(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the service could not be told of a file given up changes nothing about it, and ends nothing."""

    async def deaf(_call: ApiCall, _request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(500, {}, b"", 0.0)

    place.faults("wrong-etag,first=2")
    meddle(monkeypatch, "metastudio", "abandon", deaf)
    place.write({"a.mp4": b"a"})
    summary = await place.run()
    assert (summary.exit_code, summary.counters.failed) == (1, 1)
    assert [row.status for row in place.manifest()] == [FileState.FAILED]
    assert (await place.run()).exit_code == 0


@on_metastudio
async def test_nothing_is_told_without_closing_calls(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `confirm = false` files given up are not told either."""
    place.faults("wrong-etag,first=2")
    calls = recorded_calls(monkeypatch)
    place.write({"a.mp4": b"a"})
    assert (await place.run(confirm=False)).exit_code == 1
    assert told(calls) == []
