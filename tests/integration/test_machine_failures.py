"""Failures of the machine: journals that are removed, folders that vanish, and missing descriptors during the scan."""

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
    journal.parent.rename(journal.parent.with_name("moved"))


def _replace(journal: Path) -> None:
    """Replace it by an older copy, as a restored backup does."""
    copy = journal.with_name("copy")
    shutil.copy2(journal, copy)
    copy.rename(journal)


def _delete_the_log(journal: Path) -> None:
    journal.with_name(journal.name + "-wal").unlink()


@pytest.mark.parametrize("remove", [_delete, _move_the_folder, _replace, _delete_the_log])
async def test_a_journal_that_is_removed_ends_the_run(here: World, remove: Callable[[Path], None]) -> None:
    """The run notices it at its next row, reports no file as uploaded without a row, and ends with exit code 7."""
    here.write_many(40)
    received: list[Result] = []

    async def emit(results: Sequence[Result]) -> None:
        if not received:
            remove(here.journal)
        received.extend(results)

    async with here.uploader(concurrency=2) as uploader:
        summary = await uploader.run(emit)
    assert summary.exit_code == 7
    assert isinstance(summary.error, JournalError)
    assert "deleted, moved or replaced" in summary.error.message
    assert summary.error.hint
    assert len(received) == summary.counters.uploaded <= 2
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_a_journal_whose_writer_thread_ends_ends_the_run(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with exit code 7."""
    here.write_many(40)
    monotonic = time.monotonic

    def fail() -> float:
        if threading.current_thread().name == "bulkup-journal":
            raise MemoryError
        return monotonic()

    async with here.uploader(concurrency=2) as uploader:
        monkeypatch.setattr(time, "monotonic", fail)
        with anyio.fail_after(60):
            summary = await uploader.run()
    assert summary.exit_code == 7
    assert isinstance(summary.error, JournalError)


async def test_a_journal_that_is_removed_after_the_last_file_ends_the_run(here: World) -> None:
    """The end of the run cannot be recorded, so the run is no success."""
    here.write_many(10)
    received: list[Result] = []

    async def emit(results: Sequence[Result]) -> None:
        received.extend(results)
        if len(received) == 10:
            _delete(here.journal)

    async with here.uploader() as uploader:
        summary = await uploader.run(emit)
    assert (summary.exit_code, summary.counters.uploaded) == (7, 10)
    assert isinstance(summary.error, JournalError)
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_a_journal_that_is_put_back_is_used_again(here: World) -> None:
    """No file of it is uploaded again."""
    here.write_many(40)
    moved = here.journal.parent.with_name("moved")
    received: list[Result] = []

    async def emit(results: Sequence[Result]) -> None:
        received.extend(results)
        if len(received) > 10 and not moved.exists():
            _move_the_folder(here.journal)

    async with here.uploader(concurrency=2) as uploader:
        assert (await uploader.run(emit)).exit_code == 7
    shutil.rmtree(here.journal.parent, ignore_errors=True)
    moved.rename(here.journal.parent)
    summary = await here.run()
    assert summary.exit_code == 0
    assert summary.counters.skipped >= len(received) > 10
    here.assert_uploaded()


def on_scandir(monkeypatch: pytest.MonkeyPatch, act: Callable[[bytes], None]) -> None:
    """Call `act` with the path of each folder before it is listed."""
    scandir = os.scandir

    def hooked(folder: Any) -> Any:
        if isinstance(folder, int):  # a descriptor of the scanner
            act(os.readlink(b"/proc/self/fd/%d" % folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", hooked)


async def test_folders_that_vanish_during_the_scan_are_changed(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 3, and the other files are uploaded."""
    here.write_many(20)
    here.write({"before/a.mp4": b"a", "outer/inner/b.mp4": b"b"})

    lstat, places = os.lstat, {b"before": here.source / "before", b"inner": here.source / "outer" / "inner"}

    def lstat_and_remove(name: Any, **options: Any) -> os.stat_result:
        status = lstat(name, **options)
        if name in places:
            shutil.rmtree(places[name])
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lstat_and_remove)
        summary = await here.run()
    assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 2, 20)
    gone = {path for path, state in here.states().items() if state is FileState.CHANGED}
    assert gone == {b"before", b"outer/inner"}
    assert (await here.run()).exit_code == 0


async def test_a_folder_that_can_be_listed_again_leaves_the_manifest(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row stood for all its files. Now each has a row of its own."""
    here.write({"open/a.mp4": b"a", "closed/b.mp4": b"b"})

    def act(path: bytes) -> None:
        if path.endswith(b"/closed"):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        on_scandir(patch, act)
        assert (await here.run()).exit_code == 3
        assert (await here.run()).exit_code == 3  # it still cannot be listed
        assert here.states()[b"closed"] is FileState.UNREADABLE
        names = here.folder / "names"
        names.write_text("open/a.mp4\n")
        assert (await here.run(files_from=str(names))).exit_code == 0  # the list does not name it
        assert here.states()[b"closed"] is FileState.UNREADABLE
    assert (await here.run()).exit_code == 0
    assert set(here.states()) == {b"open/a.mp4", b"closed/b.mp4"}
    here.assert_uploaded()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
async def test_a_scan_without_descriptors_ends_the_run(here: World, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """It ends with exit code 7. The files of the folder are neither skipped nor unreadable."""
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
