"""Places that only one file can have: an asset's MAIN, an object key. The second file is rejected in advance."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from conformance_world import conformance, having, recorded_calls
from pipeline_world import Need, World

from bulkup import FileState
from bulkup.api.dry_run import preview

# Settings with which all files have one place, and one with which each has its own.
ONE_PLACE: dict[str, dict[str, Any]] = {
    "metastudio": {"asset_file_category": "MAIN"},
    "xvid": {"object_key": "all/{name}"},
    "s3": {"key": "all/{name}"},
}
# Settings that move every file elsewhere at the service, without another destination of the journal.
MOVED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "metastudio": (
        {"assets": ({"match": "*.mp4", "asset_id": "first"},)},
        {"assets": ({"match": "*.mp4", "asset_id": "second"},)},
        "asset_id",
    ),
    "xvid": ({"object_key": "first/{path}"}, {"object_key": "second/{path}"}, "object_key"),
    "s3": ({"key": "first/{path}"}, {"key": "second/{path}"}, "key"),
}


@pytest.fixture(params=having(Need.PLACES))
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
    assert (place.calls, place.puts) == (place.presign_calls(1), 1)
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


@pytest.mark.parametrize("place", having(Need.API, Need.PLACES), indirect=True)
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


@pytest.fixture
async def asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    """MetaStudio, whose file names ignore case."""
    async with conformance(tmp_path, "metastudio", monkeypatch) as running:
        yield running


async def test_of_two_names_that_differ_by_case_the_second_is_rejected(asset: World) -> None:
    """In a dry run and in later runs as well. The reason names the first file."""
    asset.write({"one/Cover \u00c4.png": b"first", "two/cover \u00e4.png": b"second"})
    said = previewed(asset)
    for run in range(2):
        summary = await asset.run()
        assert (summary.exit_code, summary.counters.rejected, asset.puts) == (3, 1, 1), run
    first, second = split(asset)
    (row,) = [row for row in asset.manifest() if row.path == second]
    name = second.decode().partition("/")[2]
    assert row.error == (
        f"its name at metastudio, {name!r} in asset asset-1, differs only by case from that of {first.decode()}"
    )
    assert said == {first: ("upload", None), second: ("rejected", row.error)}
    assert previewed(asset) == {first: ("unchanged", None), second: ("rejected", row.error)}


async def test_equal_names_and_names_in_other_assets_are_uploaded(asset: World) -> None:
    """The service gives every file an id of its own, so only the spelling may not differ."""
    asset.settings["assets"] = ({"match": "/three/", "asset_id": "another"},)
    asset.write({"one/a.png": b"1", "two/a.png": b"2", "three/A.png": b"3", "one/b.png": b"4"})
    assert {action for action, _ in previewed(asset).values()} == {"upload"}
    summary = await asset.run()
    assert (summary.exit_code, summary.counters.uploaded) == (0, 4)
    asset.assert_uploaded()
    assert (await asset.run()).counters.skipped == 4


async def test_names_of_the_map_are_compared(asset: World, tmp_path: Path) -> None:
    """Both ways: a name that the map gives, and one that avoids a collision."""
    asset.write({"one/a.png": b"1", "two/b.png": b"2", "x/C.png": b"3", "y/c.png": b"4"})
    lines = ["path,asset_id,asset_file_category,name", "one/a.png,asset-1,,B.png", "y/c.png,asset-1,,d.png"]
    (tmp_path / "map.csv").write_text("\n".join(lines))
    summary = await asset.run(asset_map=str(tmp_path / "map.csv"))
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 3, 1)
    first, second = sorted(
        [b"one/a.png", b"two/b.png"], key=lambda path: asset.states()[path] is not FileState.UPLOADED
    )
    assert asset.states()[second] is FileState.REJECTED
    (row,) = [row for row in asset.manifest() if row.path == second]
    assert (row.error or "").endswith(f"differs only by case from that of {first.decode()}")


async def test_a_name_is_free_again_if_its_holder_was_never_uploaded(asset: World) -> None:
    asset.write({"one/a.png": b"first", "two/A.png": b"second"})
    refused = await asset.run(**{name: f"wrong-{name}-0001" for name in asset.credentials})
    assert (refused.exit_code, refused.counters.rejected) == (4, 1)
    (loser,) = [path for path, state in asset.states().items() if state is FileState.REJECTED]
    (winner,) = {b"one/a.png", b"two/A.png"} - {loser}
    (asset.source / winner.decode()).unlink()
    summary = await asset.run()
    assert (summary.exit_code, summary.counters.uploaded) == (0, 1)


async def test_a_main_has_a_place_and_a_name(asset: World) -> None:
    """Each of them can be taken by another file."""
    asset.settings["assets"] = (
        {"match": "/one/", "asset_id": "asset-1", "asset_file_category": "MAIN"},
        {"match": "/two/", "asset_id": "asset-1", "asset_file_category": "COVER"},
    )
    asset.write({"one/a.png": b"1", "two/A.png": b"2"})
    summary = await asset.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 1, 1)
