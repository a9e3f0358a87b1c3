"""The runs of a watch: their files, the journal's lock over all of them, and the end of old ones."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import World, world

from bulkup import JournalLockedError, Summary, Uploader
from bulkup.api.uploader import JournalHold, PartOfWatch
from bulkup.journal import Reader
from bulkup.journal.prune import forget_old_runs


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        place.write({"old.mp4": b"old", "folder/a.mp4": b"a", "folder/deep/b.mp4": b"b"})
        yield place


async def run_of(
    place: World, hold: JournalHold, *paths: bytes, min_age: float = 0.0, **settings: Any
) -> tuple[Summary, set[bytes]]:
    """Carry out a run of these paths. Return its summary, and the files that were too new."""
    new, threads = set[bytes](), set[int]()

    def too_new(root: bytes, path: bytes) -> None:
        assert root == os.fsencode(os.path.realpath(place.source))
        threads.add(threading.get_ident())
        new.add(path)

    part = PartOfWatch(hold, too_new, {os.fsencode(os.path.realpath(place.source)): paths})
    async with Uploader(
        place.resolved(min_age=min_age, **settings), environ={}, clock=place.clock, watch=part
    ) as uploader:
        summary = await uploader.run()
    return summary, new


async def test_a_run_of_paths_looks_at_nothing_else(here: World) -> None:
    """Directories with all that is in them; paths that are gone are no problem."""
    hold = JournalHold()
    summary, _ = await run_of(here, hold, b"gone.mp4", b"folder", b"folder/a.mp4")
    assert (summary.exit_code, summary.counters.found, summary.counters.uploaded) == (0, 2, 2)
    summary, _ = await run_of(here, hold, b"old.mp4")
    assert (summary.exit_code, summary.counters.uploaded) == (0, 1)
    here.assert_uploaded()
    hold.release()


@pytest.mark.parametrize("paths", [(b"folder/deep/b.mp4", b"folder/a.mp4"), (b"folder/deep", b"folder")])
@pytest.mark.parametrize("settings", [{"max_depth": 2}, {"exclude": ("deep/",)}])
async def test_paths_are_filtered_as_in_a_walk(here: World, paths: tuple[bytes, ...], settings: dict[str, Any]) -> None:
    """Levels and excluded directories hold for a path of its own, and for a directory that was moved in."""
    hold = JournalHold()
    summary, _ = await run_of(here, hold, *sorted(paths), **settings)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 1)
    hold.release()


async def test_the_lock_is_kept_between_the_runs(here: World) -> None:
    hold = JournalHold()
    for _ in range(2):
        await run_of(here, hold)
        with pytest.raises(JournalLockedError):
            await here.run()
    hold.release()
    hold.release()
    assert (await here.run()).exit_code == 0


async def test_files_that_are_too_new_are_named(here: World) -> None:
    hold, before = JournalHold(), time.time() - 3600
    os.utime(here.source / "old.mp4", (before, before))
    summary, new = await run_of(here, hold, b"folder", b"old.mp4", min_age=600.0)
    assert (summary.counters.uploaded, new) == (1, {b"folder/a.mp4", b"folder/deep/b.mp4"})
    hold.release()


async def test_old_runs_are_forgotten_and_their_files_are_not(here: World) -> None:
    """The newest run stays, and so do those that a row of a failed file refers to."""
    hold = JournalHold()
    for path in (b"folder", b"old.mp4", b"gone.mp4"):
        await run_of(here, hold, path)
    journal, later = str(here.journal), time.time() + 60.0
    assert forget_old_runs(journal, 0.0) == 0
    assert forget_old_runs(journal, later) == 2
    with Reader(journal) as reader:
        assert len(list(reader.runs())) == 1
    here.assert_uploaded()
    here.write({"notes.txt": b"not accepted"})
    await run_of(here, hold, b"notes.txt")
    await run_of(here, hold)
    assert forget_old_runs(journal, later) == 1
    hold.release()
    assert (await here.run()).counters.skipped == 3
