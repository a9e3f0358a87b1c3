"""The rechecker: the pause before it looks at a changed file, and the route of the file after that."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from found_files import found
from stage_world import Passed, StageRun, settled, ticket, until

from bulkup import ExitCode
from bulkup.errors import MachineError
from bulkup.model.files import Digest, Place
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartsSent
from bulkup.pipeline import ScanOptions
from bulkup.pipeline.rechecker import Rechecker

CHANGED = Problem(ProblemKind.CHANGED, "it changed while it was read")
DIGEST = Digest(b"d" * 16)


class RecheckerStage(StageRun):
    """A rechecker alone, and one file on disk that has changed since it was found."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.path = folder / "a.mp4"
        self.item = Item(found(self.path, b"before"), ticket())
        self.item.digest, self.item.sent = DIGEST, PartsSent(1, 3, None, None, verified=True)
        self.path.write_bytes(b"before and after")
        self.passed = Passed(self.events)
        self.rechecker = Rechecker(self.run, self.passed.routes)

    async def look(self) -> tuple[str, Any]:
        """Look at the file, and return its route and value."""
        async with self.working(self.rechecker.work):
            self.rechecker.add(self.item, CHANGED, self.clock.time)
            await until(lambda: bool(self.passed.values))
        ((route, value),) = self.passed.values
        return route, value


@pytest.fixture
def stage(tmp_path: Path) -> RecheckerStage:
    return RecheckerStage(tmp_path)


async def test_a_file_is_looked_at_after_its_pause_and_not_before(stage: RecheckerStage) -> None:
    async with stage.working(stage.rechecker.work):
        stage.rechecker.add(stage.item, CHANGED, stage.clock.time + 4.0)
        await stage.advance(3.9)
        assert (stage.passed.values, stage.rechecker.depth) == ([], 1)
        await stage.advance(0.2)
        await until(lambda: bool(stage.passed.values))
        assert stage.rechecker.depth == 0
    assert stage.run.counters.retries == 1


async def test_a_changed_file_starts_over_with_its_new_identity(stage: RecheckerStage) -> None:
    """It asks for a new ticket. The digest and the parts belong to the old content."""
    stage.run.counters.bytes_found = len(b"before")
    assert await stage.look() == ("ask", stage.item)
    assert stage.item.file == found(stage.path)
    assert stage.item.digest is None
    assert stage.item.sent is None
    assert stage.run.counters.bytes_found == len(b"before and after")


async def test_it_is_hashed_first_where_the_service_needs_its_checksum(stage: RecheckerStage) -> None:
    stage.provider.can(checksum_first="md5")
    assert await stage.look() == ("hash", stage.item)


@pytest.mark.parametrize(("attempts", "route", "digest"), [(0, "hash", DIGEST), (1, "ask", None)])
async def test_the_digest_of_an_earlier_upload_is_compared_until_the_file_was_sent(
    stage: RecheckerStage, attempts: int, route: str, digest: Digest | None
) -> None:
    """After an attempt its row no longer describes the earlier upload."""
    stage.item.known_digest, stage.item.history.attempts = DIGEST, attempts
    assert await stage.look() == (route, stage.item)
    assert stage.item.known_digest == digest


@pytest.mark.parametrize(
    "scan",
    [ScanOptions(max_size=10), ScanOptions(min_size=1000), ScanOptions(min_age=60.0)],
    ids=["too large", "too small", "too new"],
)
async def test_a_file_that_the_filters_no_longer_accept_is_changed(tmp_path: Path, scan: ScanOptions) -> None:
    stage = RecheckerStage(tmp_path, scan=scan)
    assert await stage.look() == ("give_up", Outcome(stage.item, FileState.CHANGED, CHANGED))


async def test_a_file_that_is_old_enough_again_starts_over(tmp_path: Path) -> None:
    stage = RecheckerStage(tmp_path, scan=ScanOptions(min_age=60.0))
    os.utime(stage.path, (0, stage.clock.now() - 61))
    assert await stage.look() == ("ask", stage.item)


@pytest.mark.parametrize(("place", "route"), [("same", "ask"), ("other", "give_up")])
async def test_a_file_with_another_place_at_the_service_is_changed(
    stage: RecheckerStage, place: str, route: str
) -> None:
    """Another file may have claimed the other place."""
    stage.provider.can(placed=True)
    stage.item.place = Place("same")
    stage.provider.places = {"a.mp4": Place(place)}
    assert (await stage.look())[0] == route


async def test_a_file_that_vanished_is_changed(stage: RecheckerStage) -> None:
    stage.path.unlink()
    route, outcome = await stage.look()
    assert (route, outcome.state) == ("give_up", FileState.CHANGED)
    assert "vanished" in outcome.problem.message


async def test_a_file_that_became_a_folder_is_changed(stage: RecheckerStage) -> None:
    stage.path.unlink()
    stage.path.mkdir()
    route, outcome = await stage.look()
    assert (route, outcome.state) == ("give_up", FileState.CHANGED)


@pytest.mark.parametrize(("symlinks", "route"), [("skip", "give_up"), ("follow", "ask")])
async def test_a_link_is_followed_only_where_the_run_follows_links(
    tmp_path: Path, symlinks: Literal["skip", "follow"], route: str
) -> None:
    stage = RecheckerStage(tmp_path, scan=ScanOptions(symlinks=symlinks))
    target = tmp_path / "target"
    stage.path.rename(target)
    stage.path.symlink_to(target)
    assert (await stage.look())[0] == route


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path, code: int) -> None:
    """Have `stat` of a file fail."""
    stat = os.stat

    def refusing(name: Any, **options: Any) -> os.stat_result:
        if name == os.fsencode(path.name):
            raise OSError(code, os.strerror(code))
        return stat(name, **options)

    monkeypatch.setattr(os, "stat", refusing)


async def test_a_file_that_cannot_be_examined_is_unreadable(
    stage: RecheckerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuse(patch, stage.path, errno.EACCES)
        route, outcome = await stage.look()
    assert (route, outcome.state) == ("give_up", FileState.UNREADABLE)


async def test_a_fault_of_the_machine_ends_the_run(stage: RecheckerStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is given back."""
    with monkeypatch.context() as patch:
        refuse(patch, stage.path, errno.EMFILE)
        assert await stage.look() == ("settle", Outcome(stage.item, None))
    assert isinstance(stage.run.stop.error, MachineError)


async def test_a_stop_gives_back_the_files_that_wait(stage: RecheckerStage) -> None:
    async with stage.working(stage.rechecker.work):
        stage.rechecker.add(stage.item, CHANGED, stage.clock.time + 3600.0)
        stage.run.stop.request(ExitCode.SIGTERM)
        stage.rechecker.wake()
        await settled()
        assert stage.passed.values == [("settle", Outcome(stage.item, None))]
        assert stage.rechecker.depth == 0
