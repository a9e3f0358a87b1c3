"""`bulkup retry`: runs that take their files from the journal."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import QUICK_RETRIES, World, assert_adds_up, interrupt_after, world

from bulkup import FileState, Summary, Uploader
from bulkup.errors import UsageError


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, "magic-hour", tunables=QUICK_RETRIES) as running:
        yield running


async def retried(place: World, **changes: Any) -> Summary:
    """Carry out a retry."""
    settings = place.resolved(**changes)
    async with Uploader(settings, environ={}, clock=place.clock, tunables=place.tunables, retry=True) as uploader:
        summary = await uploader.run()
    assert_adds_up(summary)
    return summary


async def some_fail(place: World, count: int = 20) -> None:
    """Upload files of which some fail: storage confirms other bytes for them."""
    place.write_many(count)
    await place.run(exclude=("d3/", "d5/"))
    place.faults("wrong-etag")
    await place.run()
    place.faults()
    states = list(place.states().values())
    assert 0 < states.count(FileState.FAILED) < count


async def test_only_what_failed_is_uploaded(place: World) -> None:
    """New files and uploaded files are not looked at."""
    await some_fail(place)
    failed = sum(state is FileState.FAILED for state in place.states().values())
    place.write({"new.mp4": b"new"})
    before = place.puts
    summary = await retried(place)
    assert (summary.exit_code, summary.counters.found, summary.counters.uploaded) == (0, failed, failed)
    assert place.puts - before == failed
    place.assert_uploaded(b"new.mp4")


async def test_a_second_retry_finds_nothing(place: World) -> None:
    await some_fail(place)
    await retried(place)
    summary = await retried(place)
    assert (summary.exit_code, summary.counters.found) == (0, 0)


async def test_files_that_an_interrupted_run_has_left_are_retried(place: World) -> None:
    """Also those that were found and not settled."""
    place.write_many(60)
    await interrupt_after(place, 5, concurrency=2)
    left = [path for path, state in place.states().items() if state is not FileState.UPLOADED]
    assert left
    summary = await retried(place)
    assert summary.counters.uploaded == len(left)


async def test_rejected_files_are_retried_on_request(place: World) -> None:
    place.write({"a.mp4": b"a", "notes.txt": b"n"})
    assert (await place.run()).counters.rejected == 1
    assert (await retried(place)).counters.found == 0
    summary = await retried(place, retry_rejected=True)
    assert (summary.exit_code, summary.counters.found, summary.counters.rejected) == (3, 1, 1)


async def test_files_that_are_gone_are_passed_over_and_keep_their_reason(place: World) -> None:
    """A disk that is not mounted must not make all reasons into "it vanished"."""
    await some_fail(place)
    before = {row.path: row.error for row in place.manifest() if row.status is FileState.FAILED}
    for path in before:
        os.unlink(os.path.join(os.fsencode(place.source), path))
    summary = await retried(place)
    assert (summary.exit_code, summary.counters.found) == (0, 0)
    assert {row.path: row.error for row in place.manifest() if row.status is FileState.FAILED} == before


async def test_the_selection_of_the_run_applies(place: World) -> None:
    await some_fail(place)
    failed = [path for path, state in place.states().items() if state is FileState.FAILED]
    summary = await retried(place, exclude=("*.mp4",))
    assert (summary.counters.found, summary.counters.ignored.filtered) == (0, len(failed))


async def test_a_directory_that_was_unreadable_is_walked(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files below it that are in the journal as well are looked at once, and its own entry is forgotten."""
    place.write({"d/a.mp4": b"a", "d/e/b.mp4": b"b", "d.mp4": b"d"})
    opening = os.open

    def refusing(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if os.fspath(path) in (b"d", "d") and flags & os.O_DIRECTORY:
            raise PermissionError(13, "Permission denied")
        return opening(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    assert (await place.run()).counters.unreadable == 1
    assert place.states()[b"d"] is FileState.UNREADABLE
    monkeypatch.undo()
    summary = await retried(place)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 2)
    place.assert_uploaded()
    assert b"d" not in place.states()


async def test_a_list_of_files_contradicts_a_retry(place: World) -> None:
    place.write({"a.mp4": b"a"})
    await place.run()
    with pytest.raises(UsageError, match="from the journal"):
        await retried(place, files_from="-")
