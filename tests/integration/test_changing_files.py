"""Files that change during a run.

A file recorded as uploaded is stored as it was at some instant, byte by byte. After another run without changes, the
store has the present files.
"""

from __future__ import annotations

import contextvars
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import World, world

from bulkup import FileState
from bulkup.helpers.clock import SystemClock
from bulkup.model.bodies import Body
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem
from bulkup.model.states import DONE
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.transport import Transport

MIB = 1024**2
SMALL, LARGE = 2000, 2 * MIB + 1000
MOMENTS = ["before it is read", "before it is sent", "while it is sent", "after it was stored"]


def _set_back(path: Path, status: os.stat_result) -> None:
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def grow(path: Path) -> None:
    """Append a line, as a log does."""
    with path.open("ab") as file:
        file.write(b"one line more\n")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def truncate_and_fill(path: Path) -> None:
    """Keep the size, and set the modification time back."""
    status = path.stat()
    os.truncate(path, 10)
    with path.open("ab") as file:
        file.write(os.urandom(status.st_size - 10))
    _set_back(path, status)


def rewrite_the_end(path: Path) -> None:
    """Write in place and set the modification time back: only the ctime shows the change."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(os.urandom(100))
    _set_back(path, status)


def restore_older(path: Path) -> None:
    """Write other bytes with an old modification time, as a backup does."""
    path.write_bytes(os.urandom(path.stat().st_size))
    os.utime(path, ns=(1, 1_000_000_000))


def replace(path: Path) -> None:
    """Rename another file over it, as programs do when they save."""
    other = path.with_name(f".{path.name}.part")
    other.write_bytes(os.urandom(path.stat().st_size + 7))
    other.replace(path)


def replace_with_equal_times(path: Path) -> None:
    """Rename another file of the same size and modification time over it, as `rsync --times` does."""
    other, status = path.with_name(f".{path.name}.part"), path.stat()
    other.write_bytes(os.urandom(status.st_size))
    _set_back(other, status)
    other.replace(path)


def delete(path: Path) -> None:
    path.unlink()


def punch(path: Path) -> None:
    """Replace bytes by a hole of zeros, and keep the size."""
    status = path.stat()
    with path.open("r+b") as file:
        file.truncate(status.st_size // 3)
        file.truncate(status.st_size)


CHANGES = (
    *(grow, truncate, truncate_and_fill, rewrite_the_end, restore_older),
    *(replace, replace_with_equal_times, delete, punch),
)


class FileChanger:
    """Changes each file once, at one moment of its attempt, and keeps its content before and after."""

    def __init__(self, place: World, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._source, self._moment = place.source, moment
        self._item: contextvars.ContextVar[Item] = contextvars.ContextVar("item")
        self.changes: dict[bytes, Callable[[Path], None]] = {}
        self.versions: dict[bytes, list[bytes]] = {}
        self._hook(monkeypatch)

    def prepare(self, place: World) -> None:
        for change in CHANGES:
            for size in (SMALL, LARGE):
                name = f"{change.__name__} {size}.mp4".encode()
                content = os.urandom(size)
                place.write({name: content})
                self.changes[name], self.versions[name] = change, [content]

    def _change_at(self, moment: str) -> None:
        path = self._item.get().file.path
        if moment == self._moment and path in self.changes:
            file = self._source / os.fsdecode(path)
            self.changes.pop(path)(file)
            self.versions[path].append(file.read_bytes() if file.exists() else b"")

    def _hook(self, monkeypatch: pytest.MonkeyPatch) -> None:
        send_item, send_body, change_at = LocalSender.send, Transport.send, self._change_at

        async def sending(sender: LocalSender, file: Ticketed, count: Callable[[int], None]) -> Receipt | Problem:
            self._item.set(file.item)
            change_at(MOMENTS[0])
            return await send_item(sender, file, count)

        async def transporting(
            transport: Transport, ticket: Ticket, body: Body, headers: Mapping[str, str], count: Callable[[int], None]
        ) -> StorageAnswer:
            item = self._item.get()

            def counting(sent: int) -> None:
                self._item.set(item)  # the HTTP client sends bodies in a task of its own
                change_at(MOMENTS[2])
                count(sent)

            change_at(MOMENTS[1])
            answer = await send_body(transport, ticket, body, headers, counting)
            change_at(MOMENTS[3])
            return answer

        monkeypatch.setattr(LocalSender, "send", sending)
        monkeypatch.setattr(Transport, "send", transporting)

    def assert_recorded_rightly(self, place: World) -> None:
        """Check that the stored content of every uploaded file is one of its versions."""
        rows = {row.path: row for row in place.manifest()}
        assert set(rows) == set(self.versions)
        for path, row in rows.items():
            if row.status not in DONE:
                assert row.status is FileState.CHANGED, row
                continue
            stored = place.stored(row)
            assert row.md5 == hashlib.md5(stored, usedforsecurity=False).hexdigest(), row
            assert row.size == len(stored)
            assert stored in self.versions[path], path


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("provider", ["magic-hour", "metastudio"])
async def test_a_change_at_any_moment_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, moment: str
) -> None:
    """Nine kinds of change at four moments; read whole or streamed, hashed first or not."""
    async with world(tmp_path, provider) as place:
        with monkeypatch.context() as patch:
            changer = FileChanger(place, moment, patch)
            changer.prepare(place)
            summary = await place.run()
        assert not changer.changes  # every file was changed
        assert summary.exit_code in (0, 3)
        assert summary.counters.failed == 0
        changer.assert_recorded_rightly(place)
        assert (await place.run()).exit_code == 0
        gone = [path for path, versions in changer.versions.items() if versions[-1] == b""]
        rows = {row.path: row for row in place.manifest()}
        for path, versions in changer.versions.items():
            if path not in gone:
                assert rows[path].status is FileState.UPLOADED
                assert place.stored(rows[path]) == versions[-1]


async def test_sparse_files_are_uploaded_with_zeros(tmp_path: Path) -> None:
    """Holes at the beginning, in the middle and at the end, and a file that is one hole."""
    async with world(tmp_path) as place:
        place.write({"small.mp4": b"", "within.mp4": b"", "nothing.mp4": b""})
        for name, size, data in (("small", 5_000, 4_000), ("within", 5 * MIB, 3 * MIB), ("nothing", 4 * MIB, None)):
            with (place.source / f"{name}.mp4").open("r+b") as file:
                file.truncate(size)
                if data is not None:
                    file.seek(data)
                    file.write(b"data")
        assert (await place.run()).exit_code == 0
        place.assert_uploaded()


class JumpingClock(SystemClock):
    """The system clock, set to another time during a run."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return super().now() + self.offset


DAY = 86400.0


@pytest.mark.parametrize(
    ("provider", "jump", "code"),
    [
        ("magic-hour", -400 * DAY, 0),
        ("magic-hour", 400 * DAY, 0),
        ("metastudio", -600.0, 0),
        ("metastudio", 400 * DAY, 4),  # it refuses calls that are signed so far ahead
    ],
)
async def test_a_clock_set_during_a_run_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, jump: float, code: int
) -> None:
    """Forward and back, by minutes and by more than a year: no row is wrong, and the next run succeeds."""
    clock, send, sent = JumpingClock(), Transport.send, 0

    async def hooked(self: Transport, *arguments: Any) -> StorageAnswer:
        nonlocal sent
        sent += 1
        if sent == 5:
            clock.offset = jump
        return await send(self, *arguments)

    async with world(tmp_path, provider) as place:
        place.clock = clock
        place.write_many(30)
        with monkeypatch.context() as patch:
            patch.setattr(Transport, "send", hooked)
            assert (await place.run(batch_size=10)).exit_code == code
        clock.offset = 0.0
        for row in place.manifest():
            if row.status in DONE:
                data = (place.source / os.fsdecode(row.path)).read_bytes()
                assert place.stored(row) == data
                assert row.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert (await place.run()).exit_code == 0
        place.assert_uploaded()


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("symlinks", ["skip", "inside", "follow"])
@pytest.mark.parametrize("checksum_first", [False, True])
async def test_a_folder_that_becomes_a_link_leads_to_no_foreign_file(
    tmp_path: Path, processes: int, symlinks: str, checksum_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The foreign files have the same names, sizes and times. They were swapped while the service answered."""
    async with world(tmp_path, "metastudio" if checksum_first else "magic-hour") as place:
        place.write({"d/small.mp4": bytes(SMALL), "d/large.mp4": bytes(LARGE), "e/own.mp4": b"own"})
        own, foreign = place.source / "d", tmp_path / "foreign"
        foreign.mkdir()
        for file in own.iterdir():
            (foreign / file.name).write_bytes(os.urandom(file.stat().st_size))
            _set_back(foreign / file.name, file.stat())
        secret = {hashlib.md5(file.read_bytes()).hexdigest() for file in foreign.iterdir()}
        call = Transport.call

        async def swapping(transport: Transport, *args: Any) -> Any:
            if not own.is_symlink():
                own.rename(tmp_path / "moved")
                own.symlink_to(foreign)
            return await call(transport, *args)

        with monkeypatch.context() as patch:
            patch.setattr(Transport, "call", swapping)
            results, summary = await place.results(processes=processes, symlinks=symlinks)
        assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 2, 1)
        assert not secret & {result.md5 for result in results if result.status in DONE}
        objects = [path for path in Path(place.config.store).rglob("*") if path.is_file()]
        assert objects
        assert not secret & {hashlib.md5(path.read_bytes()).hexdigest() for path in objects}
