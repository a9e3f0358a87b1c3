"""The stage that removes uploaded files: journal first, then the file, then counters and the budget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
from stage_world import StageRun, receipt, settled

from bulkup import Settings
from bulkup.api.disposal_check import disposal_options
from bulkup.errors import UsageError
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.items import Item, Outcome
from bulkup.model.states import FileState
from bulkup.pipeline.disposal import Disposal
from bulkup.pipeline.files.removal import Ending, FileRemover


class ScriptedRemover:
    """Has a result for each path, and notes each removal among the events of the run."""

    def __init__(self, stage: StageRun, endings: dict[bytes, Ending | OSError]) -> None:
        self.stage, self.endings = stage, endings

    def remove(self, file: FoundFile) -> Ending:
        self.stage.events.append(f"remove {os.fsdecode(file.path)}")
        ending = self.endings.get(file.path, Ending.REMOVED)
        if isinstance(ending, OSError):
            raise ending
        return ending

    def close(self) -> None:
        """Hold nothing."""


def a_file(path: bytes) -> FoundFile:
    return FoundFile(Source(b"/source", id=1), path, Identity(1, 2, 3, 4, 5))


def a_stage(endings: dict[bytes, Ending | OSError]) -> tuple[StageRun, Disposal]:
    stage = StageRun()
    return stage, Disposal(stage.run, cast("FileRemover", ScriptedRemover(stage, endings)))


async def test_the_journal_comes_first_and_every_ending_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    failed = PermissionError(13, "Permission denied")
    stage, disposal = a_stage({b"b": Ending.MOVED, b"c": Ending.KEPT, b"d": failed, b"e": Ending.GONE})
    for name in (b"a", b"b", b"c", b"d", b"e"):
        assert stage.run.budget.try_take(1)
        disposal.add(a_file(name))
    async with stage.working(disposal.work):
        await stage.run.budget.wait_idle()
    counters = stage.run.counters
    assert (counters.removed, counters.moved, counters.kept, counters.not_removed) == (1, 1, 1, 1)
    assert stage.events == ["removing", "remove a", "remove b", "remove c", "remove d", "remove e"]


async def test_nothing_is_removed_if_the_journal_fails() -> None:
    stage, disposal = a_stage({})
    stage.journal.error = RuntimeError("the disk is full")
    assert stage.run.budget.try_take(1)
    disposal.add(a_file(b"a"))
    with pytest.raises(RuntimeError, match="full"):
        await disposal.work()
    assert stage.events == ["removing"]


async def test_only_proven_uploads_are_taken() -> None:
    """With the identity of the bytes that were sent."""
    _, disposal = a_stage({})
    others = [
        *(Outcome(Item(a_file(b"a")), state) for state in (*FileState, None) if state is not FileState.UPLOADED),
        Outcome(Item(a_file(b"a")), FileState.UPLOADED, unchanged=True),
    ]
    assert disposal.take(others) == 0
    item = Item(a_file(b"a"))
    item.receipt = receipt()
    assert disposal.take([*others, Outcome(item, FileState.UPLOADED)]) == 1
    await settled()


def checked(source: Path, **settings: Any) -> None:
    disposal_options(Settings(source=(str(source),), **settings), [Source(os.fsencode(source))])


def test_a_read_only_source_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked(tmp_path, delete_after_upload=True)

    class ReadOnly:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr(os, "statvfs", lambda _path: ReadOnly)
    checked(tmp_path)
    with pytest.raises(UsageError, match="delete_after_upload: files cannot be removed from the source"):
        checked(tmp_path, delete_after_upload=True)
    with pytest.raises(UsageError, match="move_to: files cannot be removed from the source"):
        checked(tmp_path, move_to="/")


def test_another_file_system_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "done"
    source.mkdir()
    target.mkdir()
    checked(source, move_to=str(target))
    stat = os.stat

    def elsewhere(path: Any, **options: Any) -> os.stat_result:
        status = stat(path, **options)
        moved = os.fsencode(path) == os.fsencode(target)
        return os.stat_result((*status[:2], status.st_dev + 1, *status[3:])) if moved else status

    monkeypatch.setattr(os, "stat", elsewhere)
    with pytest.raises(UsageError, match="is on another file system"):
        checked(source, move_to=str(target))
