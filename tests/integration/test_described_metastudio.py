"""MetaStudio as a described service, beyond the conformance suite: files in parts, and places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from described_services import profile
from pipeline_world import World, world

from bulkup import FileState
from bulkup.journal import Reader

KIB = 1024
PART = 100 * KIB


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (PART, 1), (PART + 1, 2), (4 * PART + 7, 5)])
async def test_large_files_are_sent_in_parts(tmp_path: Path, size: int, parts: int) -> None:
    """By the profile for files over 5 GiB, with limits of a few KiB."""
    http = {**profile("MetaStudio, files over 5 GiB")["http"], "min_size": 1, "part_size": PART}
    async with world(tmp_path, "http as metastudio") as place:
        content = os.urandom(size)
        place.write({"a/large.mov": content})
        summary = await place.run(http=http)
        assert (summary.exit_code, summary.counters.uploaded, place.puts) == (0, 1, parts)
        (row,) = _rows(place)
        assert place.stored(row) == content
        assert row.status is FileState.UPLOADED


async def test_the_second_file_with_a_place_is_rejected(tmp_path: Path) -> None:
    """An asset has one MAIN."""
    described = profile("MetaStudio")["http"]
    item = {**described["presign"]["item"], "asset_file_category": "MAIN"}
    http = {**described, "place": "MAIN of asset {asset_id}", "presign": {**described["presign"], "item": item}}
    async with world(tmp_path, "http as metastudio") as place:
        place.write({"a.png": b"a", "b.png": b"b"})
        summary = await place.run(http=http)
        assert (summary.counters.uploaded, summary.counters.rejected) == (1, 1)
        (rejected,) = [row for row in _rows(place) if row.status is FileState.REJECTED]
        assert "MAIN of asset asset-1" in (rejected.error or "")


def _rows(place: World) -> list[Any]:
    with Reader(str(place.journal)) as reader:
        return list(reader.manifest())
