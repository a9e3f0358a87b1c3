"""Events of a real file system."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from bulkup.api.watch.folder_events import EventOptions, EventsLostError, FolderEvent, folder_events

QUICK = EventOptions(debounce=50, step=10)


class Seen:
    """The events that were received so far."""

    def __init__(self) -> None:
        self.calls = 0
        self.events: list[FolderEvent] = []

    def receive(self, events: Sequence[FolderEvent]) -> None:
        self.calls += 1
        self.events += events

    async def until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(60):
            while not holds():
                await anyio.sleep(0.01)

    async def has(self, path: Path, *, deleted: bool = False, is_folder: bool = False) -> None:
        await self.until(lambda: FolderEvent(os.fsencode(path), deleted, is_folder) in self.events)


@asynccontextmanager
async def watching(*roots: Path) -> AsyncGenerator[Seen, None]:
    """Watch directories, from the beginning of the body on."""
    seen = Seen()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(folder_events, [os.fsencode(root) for root in roots], seen.receive, QUICK)
        await seen.until(lambda: seen.calls > 0)
        yield seen
        tasks.cancel_scope.cancel()


async def test_files_that_arrive_by_all_ways(tmp_path: Path) -> None:
    """Written, renamed into the tree and within it, and below new directories."""
    source, outside = tmp_path / "source", tmp_path / "outside"
    for folder in (source / "old", outside / "moved"):
        folder.mkdir(parents=True)
    (outside / "b.mp4").write_text("b")
    async with watching(source) as seen:
        (source / "a.mp4").write_text("a")
        await seen.has(source / "a.mp4")
        (outside / "b.mp4").rename(source / "old" / "b.mp4")
        await seen.has(source / "old" / "b.mp4")
        (source / "a.mp4").rename(source / "c.mp4")
        await seen.has(source / "c.mp4")
        await seen.has(source / "a.mp4", deleted=True)
        (outside / "moved").rename(source / "moved")
        await seen.has(source / "moved", is_folder=True)
        (source / "moved" / "d.mp4").write_text("d")
        await seen.has(source / "moved" / "d.mp4")


async def test_a_new_mode_of_a_directory_is_no_event(tmp_path: Path) -> None:
    """Everything in it would be looked at."""
    folder = tmp_path / "folder"
    folder.mkdir()
    async with watching(tmp_path) as seen:
        folder.chmod(0o750)
        (tmp_path / "later.mp4").write_text("x")
        await seen.has(tmp_path / "later.mp4")
        assert os.fsencode(folder) not in [event.path for event in seen.events]


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EventsLostError):
        await folder_events([os.fsencode(tmp_path / "missing")], lambda _: None, QUICK)


async def test_a_name_that_is_not_utf8_ends_the_events(tmp_path: Path) -> None:
    """The package cannot pass it on, so all files are looked at."""
    async with anyio.create_task_group() as tasks:
        seen, lost = Seen(), list[EventsLostError]()

        async def work() -> None:
            try:
                await folder_events([os.fsencode(tmp_path)], seen.receive, QUICK)
            except EventsLostError as error:
                lost.append(error)

        tasks.start_soon(work)
        await seen.until(lambda: seen.calls > 0)
        with open(os.path.join(os.fsencode(tmp_path), b"\xff.mp4"), "wb") as file:
            file.write(b"x")
        await seen.until(lambda: bool(lost))
        assert not lost[0].limit
