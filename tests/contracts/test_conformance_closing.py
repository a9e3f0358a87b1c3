"""Closing calls: polls without an end, unknown statuses, and files that are given up."""

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
    """Make xvid report a status for every complete upload."""

    async def said(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        answer = await call(request)
        if answer.status != 200:
            return answer
        upload = {**answer.json()["upload"], "status": status}
        return replace(answer, body=orjson.dumps({"upload": upload}))

    meddle(monkeypatch, "xvid", "confirm", said)
    meddle(monkeypatch, "xvid", "poll", said)


@on_xvid
async def test_polling_is_limited(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that stay COMPLETING are given back in time, with the last status, and the next run polls again."""
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
async def test_an_unknown_status_counts_as_complete(place: World, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """It is stored in the manifest."""
    say_status(monkeypatch, status)
    place.write(tree(3))
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()
    assert {row.remote["status"] for row in place.manifest()} == {status}


@on_xvid
@pytest.mark.parametrize("status", ["FAILED", "error", "UPLOAD_EXPIRED"])
async def test_a_failure_status_fails_the_file(place: World, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """The manifest has the status, and the next run uploads the file again."""
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


async def test_a_file_that_storage_lost_before_its_closing_call(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not count as uploaded, and the next run sends it again."""

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


async def test_a_file_whose_closing_call_always_fails(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is failed, and the next run only repeats the closing call."""
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
    before = place.puts
    again = await place.run()
    assert (again.exit_code, again.counters.uploaded, again.counters.presign_files) == (0, 1, 0)
    assert place.puts == before
    place.assert_uploaded()
    assert place.orphans() == []


def told(calls: Iterable[ApiRequest]) -> list[Any]:
    """Return the bodies of the closing calls."""
    return [orjson.loads(request.body or b"null") for request in calls if is_closing(request)]


@on_metastudio
async def test_failed_files_are_reported_to_the_service(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As FAILED, and the service forgets them."""
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
async def test_changed_files_are_reported_to_the_service(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CANCELLED, if they change before they are sent; the next run uploads the new bytes."""

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
async def test_a_service_that_refuses_such_reports(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's state does not change, and the run continues."""

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
async def test_nothing_is_reported_without_closing_calls(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `confirm = false`."""
    place.faults("wrong-etag,first=2")
    calls = recorded_calls(monkeypatch)
    place.write({"a.mp4": b"a"})
    assert (await place.run(confirm=False)).exit_code == 1
    assert told(calls) == []
