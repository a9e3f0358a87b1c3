"""Places that only one file can have: an asset's MAIN, an object key. The second file is rejected in advance."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from conformance_world import CLOSING, conformance, recorded_calls
from pipeline_world import World

from bulkup import FileState
from bulkup.api.preview import preview

# Settings with which all files have one place, and one with which each has its own.
ONE_PLACE: dict[str, dict[str, Any]] = {
    "metastudio": {"asset_file_category": "MAIN"},
    "xvid": {"object_key": "all/{name}"},
}
# Settings that move every file elsewhere at the service, without another destination of the journal.
MOVED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "metastudio": (
        {"assets": ({"match": "*.mp4", "asset_id": "first"},)},
        {"assets": ({"match": "*.mp4", "asset_id": "second"},)},
        "asset_id",
    ),
    "xvid": ({"object_key": "first/{path}"}, {"object_key": "second/{path}"}, "object_key"),
}


@pytest.fixture(params=CLOSING)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        running.settings = dict(ONE_PLACE[request.param])
        running.write({"one/a.mp4": b"first", "two/a.mp4": b"second"})
        yield running


def previewed(place: World) -> dict[bytes, tuple[str, str | None]]:
    """Return the result of a dry run for each file."""
    return {entry.path: (entry.action, entry.reason) for entry in preview(place.resolved(), environ={})}


def split(place: World) -> tuple[bytes, bytes]:
    """Return the file that has the place, and the other one."""
    (first,) = [path for path, state in place.states().items() if state is FileState.UPLOADED]
    (second,) = [path for path, state in place.states().items() if state is FileState.REJECTED]
    return first, second


async def test_the_second_file_for_a_place_is_rejected(place: World) -> None:
    """The reason names the first file, in a dry run as well."""
    said = previewed(place)
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 1, 1)
    first, second = split(place)
    place.assert_uploaded(second)
    assert (place.calls, place.puts) == (1, 1)
    (row,) = [row for row in place.manifest() if row.path == second]
    assert first.decode() in (row.error or "")
    assert said == {first: ("upload", None), second: ("rejected", row.error)}
    assert previewed(place) == {first: ("unchanged", None), second: ("rejected", row.error)}


async def test_an_uploaded_file_keeps_its_place(place: World) -> None:
    """Even after it is deleted from disk, because another file would overwrite it."""
    await place.run()
    first, second = split(place)
    (place.source / first.decode()).unlink()
    assert previewed(place)[second][0] == "rejected"
    summary = await place.run()
    assert (summary.exit_code, summary.counters.rejected, place.puts) == (3, 1, 1)
    assert place.states() == {first: FileState.UPLOADED, second: FileState.REJECTED}


async def test_a_claim_without_a_ticket_is_free_in_the_next_run(place: World) -> None:
    refused = await place.run(**{name: f"wrong-{name}-0001" for name in place.credentials})
    assert (refused.exit_code, refused.counters.rejected) == (4, 1)
    (loser,) = [path for path, state in place.states().items() if state is FileState.REJECTED]
    (winner,) = {b"one/a.mp4", b"two/a.mp4"} - {loser}
    (place.source / winner.decode()).unlink()
    assert previewed(place) == {loser: ("upload", None)}
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded) == (0, 1)
    place.assert_uploaded()


async def test_a_changed_file_keeps_its_place(place: World) -> None:
    """It is uploaded again, and the other file stays rejected."""
    if place.provider == "metastudio":
        place.settings["confirm"] = False  # an asset that has its MAIN takes no other, whoever sends it
    await place.run()
    first, second = split(place)
    place.write({first: b"changed since"})
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 1, 1)
    place.assert_uploaded(second)


async def test_a_new_place_means_a_new_upload(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files whose place stays the same cause no call."""
    before, after, moved = MOVED[place.provider]
    place.settings = before
    assert (await place.run()).exit_code == 0
    old = {row.path: row.remote[moved] for row in place.manifest()}
    calls = recorded_calls(monkeypatch)
    assert ((await place.run()).counters.skipped, calls) == (2, [])
    place.settings = after
    assert {action for action, _ in previewed(place).values()} == {"upload"}
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, place.puts) == (0, 2, 4)
    place.assert_uploaded()
    new = {row.path: row.remote[moved] for row in place.manifest()}
    assert all("first" in old[path] and "second" in new[path] for path in old)
    assert (await place.run()).counters.skipped == 2
