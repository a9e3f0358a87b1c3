"""Hashing files in groups: each file has a result of its own, in order."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
from found_files import found, md5_of

from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.files.digests import digests_of
from bulkup.pipeline.files.file_opener import FileOpener


async def test_a_file_that_fails_does_not_affect_the_others(tmp_path: Path) -> None:
    files = [found(tmp_path / f"{n}", b"%d" % n) for n in range(5)]
    os.unlink(files[1].full_path)
    (tmp_path / "2").write_bytes(b"longer than before")
    os.unlink(files[3].full_path)
    os.mkdir(files[3].full_path)
    results = await digests_of(files, anyio.CapacityLimiter(1), FileOpener())
    assert [result.kind if isinstance(result, Problem) else result for result in results] == [
        (md5_of(b"0"), files[0].identity),
        ProblemKind.CHANGED,
        ProblemKind.CHANGED,
        ProblemKind.CHANGED,
        (md5_of(b"4"), files[4].identity),
    ]


async def test_a_stop_leaves_the_rest_unread(tmp_path: Path) -> None:
    files = [found(tmp_path / f"{n}", b"x") for n in range(4)]
    looks = iter([False, False, True, True, True, True])
    results = await digests_of(files, anyio.CapacityLimiter(1), FileOpener(), stopped=lambda: next(looks))
    assert results == [(md5_of(b"x"), files[0].identity), None, None, None]


async def test_an_empty_group_has_no_results() -> None:
    assert await digests_of([], anyio.CapacityLimiter(1), FileOpener()) == []
