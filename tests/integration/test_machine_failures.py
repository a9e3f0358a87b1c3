"""What the machine does under a run: the journal is taken away, folders vanish, descriptors run out while scanning."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import World, world

from bulkup import FileState, Result
from bulkup.errors import JournalError, MachineError


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        yield place


def _delete(journal: Path) -> None:
    for path in journal.parent.iterdir():
        path.unlink()


def _move_the_folder(journal: Path) -> None:
    journal.parent.rename(journal.parent.with_name("elsewhere"))


def _replace(journal: Path) -> None:
    """By what it was a moment ago, as a backup that is put back does."""
    copy = journal.with_name("copy")
    shutil.copy2(journal, copy)
    copy.rename(journal)


def _delete_the_log(journal: Path) -> None:
    journal.with_name(journal.name + "-wal").unlink()


@pytest.mark.parametrize("take_away", [_delete, _move_the_folder, _replace, _delete_the_log])
async def test_a_journal_that_is_taken_away(here: World, take_away: Callable[[Path], None]) -> None:
    """The run notices at its next row, tells nothing as uploaded that is not recorded, and ends with 7."""
    here.write_many(40)
    told: list[Result] = []

    async def emit(results: Sequence[Result]) -> None:
        if not told:
            take_away(here.journal)
        told.extend(results)

    async with here.uploader(concurrency=2) as uploader:
        summary = await uploader.run(emit)
    assert summary.exit_code == 7
    assert isinstance(summary.error, JournalError)
    assert "deleted, moved or replaced" in summary.error.message
    assert summary.error.hint
    assert len(told) == summary.counters.uploaded <= 2  # what was told before
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_a_writer_thread_that_ends(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the thread that writes the journal is the end of the run, with 7."""
    here.write_many(40)
    sleep = time.sleep

    def fail(seconds: float) -> None:
        if threading.current_thread().name == "bulkup-journal":
            raise MemoryError
        sleep(seconds)

    async with here.uploader(concurrency=2) as uploader:
        monkeypatch.setattr(time, "sleep", fail)
        with anyio.fail_after(60):
            summary = await uploader.run()
    assert summary.exit_code == 7
    assert isinstance(summary.error, JournalError)


async def test_a_journal_that_is_taken_away_at_the_very_end(here: World) -> None:
    """After its last file the run has its own end to record: where it cannot, that is told and not a success."""
    here.write_many(10)
    told: list[Result] = []

    async def emit(results: Sequence[Result]) -> None:
        told.extend(results)
        if len(told) == 10:
            _delete(here.journal)

    async with here.uploader() as uploader:
        summary = await uploader.run(emit)
    assert (summary.exit_code, summary.counters.uploaded) == (7, 10)
    assert isinstance(summary.error, JournalError)
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_a_journal_put_back_is_gone_on_with(here: World) -> None:
    """The folder that was moved away is whole: back in its place, nothing of it goes up again."""
    here.write_many(40)
    elsewhere = here.journal.parent.with_name("elsewhere")
    told: list[Result] = []

    async def emit(results: Sequence[Result]) -> None:
        told.extend(results)
        if len(told) > 10 and not elsewhere.exists():
            _move_the_folder(here.journal)

    async with here.uploader(concurrency=2) as uploader:
        assert (await uploader.run(emit)).exit_code == 7
    shutil.rmtree(here.journal.parent, ignore_errors=True)
    elsewhere.rename(here.journal.parent)
    summary = await here.run()
    assert summary.exit_code == 0
    assert summary.counters.skipped >= len(told) > 10
    here.assert_uploaded()


def on_scandir(monkeypatch: pytest.MonkeyPatch, act: Callable[[bytes], None]) -> None:
    """Call `act` with the path of every folder before it is listed."""
    scandir = os.scandir

    def hooked(path: Any) -> Any:
        if isinstance(path, bytes):  # as the scanner's are
            act(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", hooked)


async def test_folders_that_vanish(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder gone before it is listed is unreadable, files gone with theirs afterwards are changed; both are 3."""
    here.write_many(20)
    here.write({"before/a.mp4": b"a", "outer/inner/b.mp4": b"b"})

    def act(path: bytes) -> None:
        if path.endswith((b"/before", b"/outer/inner")):
            shutil.rmtree(path)

    with monkeypatch.context() as patch:
        on_scandir(patch, act)
        summary = await here.run()
    assert (summary.exit_code, summary.counters.unreadable, summary.counters.uploaded) == (3, 2, 20)
    gone = {path for path, state in here.states().items() if state is FileState.UNREADABLE}
    assert gone == {b"before", b"outer/inner"}
    assert (await here.run()).exit_code == 0


async def test_a_folder_that_can_be_listed_again(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row told of all it holds; once its files have rows of their own, the manifest has no such file any more."""
    here.write({"open/a.mp4": b"a", "closed/b.mp4": b"b"})

    def act(path: bytes) -> None:
        if path.endswith(b"/closed"):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        on_scandir(patch, act)
        assert (await here.run()).exit_code == 3
        assert (await here.run()).exit_code == 3  # met again, so it is still there
        assert here.states()[b"closed"] is FileState.UNREADABLE
        names = here.folder / "names"
        names.write_text("open/a.mp4\n")
        assert (await here.run(files_from=str(names))).exit_code == 0  # which says nothing about it
        assert here.states()[b"closed"] is FileState.UNREADABLE
    assert (await here.run()).exit_code == 0
    assert set(here.states()) == {b"open/a.mp4", b"closed/b.mp4"}
    here.assert_uploaded()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
async def test_a_scan_that_the_machine_cannot_do(here: World, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Without a descriptor for a folder the run ends with 7: its files are neither passed over nor unreadable."""
    here.write_many(20)

    def act(path: bytes) -> None:
        if path.endswith(b"/d3"):
            raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        on_scandir(patch, act)
        summary = await here.run()
    assert (summary.exit_code, summary.counters.unreadable) == (7, 0)
    assert isinstance(summary.error, MachineError)
    assert summary.error.hint
    assert FileState.UNREADABLE not in here.states().values()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()
