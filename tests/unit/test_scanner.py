"""The scanner: the route of each file that is found, and sources without files."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from stage_world import Passed, StageRun, ticket, until

from bulkup import ExitCode
from bulkup.errors import MachineError
from bulkup.journal import Holder, KnownFile
from bulkup.model.files import Digest, FoundFile, Identity, Place, Source
from bulkup.model.items import Item, Outcome, Stored
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Rejection
from bulkup.pipeline import ScanOptions
from bulkup.pipeline.scanner import Scanner

NAME = b"a.mp4"
DIGEST = Digest(b"d" * 16)


class ScannerStage(StageRun):
    """A scanner alone, over a folder on disk."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder
        self.source = Source(os.fsencode(folder))
        self.run.sources = (self.source,)
        self.passed = Passed(self.events)
        self.scanner = Scanner(self.run, self.passed.routes)

    def write(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_bytes(b"12345")

    def found(self, name: bytes = NAME) -> FoundFile:
        return FoundFile(self.source, name, Identity.of((self.folder / os.fsdecode(name)).stat()))

    def know(self, state: FileState, name: bytes = NAME, **values: Any) -> KnownFile:
        """Write a file, and have the journal know it in this state."""
        self.write(os.fsdecode(name))
        identity = self.found(name).identity
        stored = Receipt(DIGEST, identity, None, True, 0.0)
        known = KnownFile(state, identity, DIGEST, ticket("earlier"), stored, at=(7, b"earlier.mp4"))
        self.journal.rows.rows[name] = dataclasses.replace(known, **values)
        return self.journal.rows.rows[name]

    async def scan(self) -> tuple[str, Any]:
        """Scan, and return the route and value of the only file."""
        await self.scanner.scan()
        ((route, value),) = self.passed.values
        return route, value


@pytest.fixture
def stage(tmp_path: Path) -> ScannerStage:
    return ScannerStage(tmp_path)


async def test_a_new_file_goes_to_the_batcher(stage: ScannerStage) -> None:
    stage.write("a.mp4")
    route, item = await stage.scan()
    assert (route, item.file, item.ticket, item.digest) == ("ask", stage.found(), None, None)
    counters = stage.run.counters
    assert (counters.found, counters.bytes_found, counters.skipped, counters.scan_done) == (1, 5, 0, True)
    assert stage.run.budget.outstanding == 1
    assert stage.journal.rows.closed


async def test_a_new_file_is_hashed_first_where_the_service_needs_its_checksum(stage: ScannerStage) -> None:
    stage.provider.can(checksum_first="md5")
    stage.write("a.mp4")
    route, item = await stage.scan()
    assert (route, item.file) == ("hash", stage.found())


async def test_an_uploaded_file_is_counted_and_not_passed_on(stage: ScannerStage) -> None:
    """Neither is one that the service no longer keeps, which is counted as expired."""
    stage.know(FileState.UPLOADED)
    stage.know(FileState.UPLOADED, b"b.mp4", kept_until=stage.clock.now() - 1)
    await stage.scanner.scan()
    assert (stage.passed.values, stage.run.budget.outstanding) == ([], 0)
    counters = stage.run.counters
    assert (counters.found, counters.skipped, counters.expired, counters.bytes_settled) == (2, 2, 1, 10)


async def test_a_file_with_other_metadata_is_hashed_to_compare_it(stage: ScannerStage) -> None:
    """The item carries the recorded digest and the key of its row."""
    known = stage.know(FileState.UPLOADED)
    stage.journal.rows.rows[NAME] = dataclasses.replace(known, identity=known.identity._replace(inode=0))
    route, item = await stage.scan()
    assert (route, item.known_digest, item.known_at) == ("hash", DIGEST, (7, b"earlier.mp4"))


async def test_a_stored_file_lacks_only_its_closing_call(stage: ScannerStage) -> None:
    stage.provider.can(confirms=True)
    known = stage.know(FileState.STORED)
    route, stored = await stage.scan()
    assert route == "close"
    assert isinstance(stored, Stored)
    assert (stored.ticket, stored.receipt, stored.item.digest) == (known.ticket, known.receipt, DIGEST)


@pytest.mark.parametrize(("verified", "state"), [(True, FileState.UPLOADED), (False, FileState.UNVERIFIED)])
async def test_a_stored_file_is_uploaded_where_there_are_no_closing_calls(
    stage: ScannerStage, verified: bool, state: FileState
) -> None:
    known = stage.know(FileState.STORED)
    assert known.receipt is not None
    receipt = known.receipt._replace(verified=verified)
    stage.journal.rows.rows[NAME] = dataclasses.replace(known, receipt=receipt)
    route, outcome = await stage.scan()
    assert (route, outcome.state, outcome.item.receipt) == ("settle", state, receipt)


async def test_a_ticket_of_an_earlier_run_is_used(stage: ScannerStage) -> None:
    known = stage.know(FileState.TICKETED)
    route, (item, resumed) = await stage.scan()
    assert (route, resumed, item.digest) == ("resume", known.ticket, DIGEST)
    assert stage.run.budget.outstanding == 1


async def test_a_ticket_of_an_earlier_run_is_not_used_with_the_object_of_another_file(stage: ScannerStage) -> None:
    known = stage.know(FileState.TICKETED)
    assert known.ticket is not None
    assert stage.run.issued.clash(known.ticket, b"/data/other") is None
    route, item = await stage.scan()
    assert (route, item.ticket, item.digest) == ("ask", known.ticket, DIGEST)


async def test_a_ticket_that_cannot_be_used_again_goes_to_the_batcher(stage: ScannerStage) -> None:
    """The item keeps it: the request for a new ticket makes the old id an orphan."""
    stage.provider.can(reusable_urls=False)
    known = stage.know(FileState.TICKETED)
    route, item = await stage.scan()
    assert (route, item.ticket, item.digest) == ("ask", known.ticket, DIGEST)


async def test_a_file_with_a_digest_is_not_hashed_again(stage: ScannerStage) -> None:
    stage.provider.can(checksum_first="md5")
    stage.know(FileState.PENDING)
    route, item = await stage.scan()
    assert (route, item.digest) == ("ask", DIGEST)


@pytest.mark.parametrize(("checksum_first", "route"), [(None, "ask"), ("md5", "hash")])
async def test_a_file_that_failed_is_uploaded_again(stage: ScannerStage, checksum_first: bool, route: str) -> None:
    stage.provider.can(checksum_first=checksum_first)
    stage.know(FileState.FAILED)
    name, item = await stage.scan()
    assert (name, item.digest) == (route, None)


async def test_a_file_that_the_service_refuses_is_rejected_before_any_call(stage: ScannerStage) -> None:
    stage.write("a.mp4")
    stage.provider.rejections = {"a.mp4": Rejection("too large")}
    route, outcome = await stage.scan()
    assert route == "settle"
    assert (outcome.state, outcome.problem) == (FileState.REJECTED, Problem(ProblemKind.REJECTED, "too large"))
    assert outcome.item.file == stage.found()


@pytest.mark.parametrize("unsupported", [True, False])
async def test_unsupported_files_are_skipped_where_the_user_wants_it(tmp_path: Path, unsupported: bool) -> None:
    """`unsupported = "skip"` counts them. Files refused for another reason are still rejected."""
    stage = ScannerStage(tmp_path, unsupported="skip")
    stage.write("a.mp4")
    stage.provider.rejections = {"a.mp4": Rejection("no", unsupported=unsupported)}
    await stage.scanner.scan()
    counters = stage.run.counters
    assert (counters.skipped, counters.unsupported) == (int(unsupported), int(unsupported))
    assert counters.bytes_settled == (5 if unsupported else 0)
    assert [outcome.state for outcome in stage.passed.settled] == ([] if unsupported else [FileState.REJECTED])


async def test_an_unreadable_entry_is_settled_with_its_reason(
    stage: ScannerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stage.folder / "closed").mkdir()
    scandir = os.scandir

    def refusing(descriptor: int) -> Any:
        if os.path.samestat(os.fstat(descriptor), (stage.folder / "closed").stat()):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return scandir(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        route, outcome = await stage.scan()
    assert (route, outcome.state, outcome.item.file.path) == ("settle", FileState.UNREADABLE, b"closed")
    assert outcome.problem == Problem(ProblemKind.UNREADABLE, os.strerror(errno.EACCES))
    assert (stage.run.counters.found, stage.run.budget.outstanding) == (1, 1)


async def test_a_machine_without_descriptors_ends_the_scan(
    stage: ScannerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(descriptor: int) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        with pytest.raises(MachineError):
            await stage.scanner.scan()
    assert not stage.run.counters.scan_done
    assert stage.journal.rows.closed


async def test_a_place_that_another_file_holds_is_refused(stage: ScannerStage) -> None:
    """Only exclusive places are claimed, and the message names the holder."""
    stage.provider.can(placed=True)
    stage.write("a.mp4", "b.mp4", "c.mp4")
    stage.provider.places = {
        "a.mp4": Place("taken", exclusive=True),
        "b.mp4": Place("free", exclusive=True),
        "c.mp4": Place("shared"),
    }
    stage.journal.holders = {"taken": Holder(stage.source.root, b"first.mp4")}
    await stage.scanner.scan()
    assert sorted(claim.name for claim in stage.journal.claimed) == ["free", "taken"]
    (outcome,) = stage.passed.settled
    assert (outcome.item.file.path, outcome.state) == (b"a.mp4", FileState.REJECTED)
    assert outcome.problem is not None
    assert outcome.problem.message == "its place at fake, taken, is taken by first.mp4"
    places = {item.file.path: item.place for item in stage.passed.through("ask")}
    assert places == {b"b.mp4": stage.provider.places["b.mp4"], b"c.mp4": stage.provider.places["c.mp4"]}


async def test_a_full_budget_stops_the_scan_until_a_unit_is_free(tmp_path: Path) -> None:
    """Memory does not grow with the tree."""
    stage = ScannerStage(tmp_path, batch_size=1, calls_in_flight=1, concurrency=1)
    stage.write(*[f"{number:02}.mp4" for number in range(10)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.scanner.scan)
        for expected in (4, 5):
            await until(lambda: stage.run.budget.outstanding == 4)
            await anyio.sleep(0.01)
            assert len(stage.passed.values) == expected
            stage.run.budget.give(1)
        stage.run.budget.give(4)
    assert len(stage.passed.values) == 10


async def test_no_file_is_passed_on_after_a_stop(stage: ScannerStage) -> None:
    """The scan is not complete then, and the source does not count as walked to its end."""
    stage.write("a.mp4")
    stage.run.stop.request(ExitCode.SIGTERM)
    await stage.scanner.scan()
    assert (stage.passed.values, stage.run.counters.scan_done) == ([], False)
    assert (stage.run.walked_sources, stage.run.lost_sources) == ([], [])
    assert stage.journal.rows.closed


async def test_a_stop_during_the_scan_leaves_the_other_files(tmp_path: Path) -> None:
    stage = ScannerStage(tmp_path)
    stage.write("a.mp4", "b.mp4", "c.mp4")
    passed = list[Item]()

    def stop_after_one(item: Item) -> None:
        passed.append(item)
        stage.run.stop.request(ExitCode.SIGTERM)

    stage.passed.routes.ask = stop_after_one
    await stage.scanner.scan()
    assert (len(passed), stage.run.counters.found) == (1, 3)


async def test_an_empty_source_with_files_in_an_earlier_run_is_lost(stage: ScannerStage) -> None:
    """More likely a mount is missing than all files were deleted."""
    stage.journal.rows.knows_files = True
    await stage.scanner.scan()
    assert (stage.run.lost_sources, stage.run.walked_sources) == ([stage.source], [])


async def test_an_empty_source_without_a_past_is_walked(stage: ScannerStage) -> None:
    await stage.scanner.scan()
    assert (stage.run.lost_sources, stage.run.walked_sources) == ([], [stage.source])


async def test_a_source_with_any_entry_is_not_lost(stage: ScannerStage) -> None:
    """An entry that the run ignores is enough."""
    stage.journal.rows.knows_files = True
    (stage.folder / "link").symlink_to("nowhere")
    await stage.scanner.scan()
    assert (stage.run.lost_sources, stage.run.walked_sources) == ([], [stage.source])


async def test_a_list_of_names_says_nothing_about_the_source(tmp_path: Path) -> None:
    """Neither does a source that is a single file."""
    names = tmp_path / "names"
    names.write_bytes(b"")
    source = tmp_path / "source"
    source.mkdir()
    stage = ScannerStage(source, scan=ScanOptions(files_from=str(names)))
    stage.journal.rows.knows_files = True
    await stage.scanner.scan()
    assert (stage.run.lost_sources, stage.run.walked_sources) == ([], [])
    stage = ScannerStage(source)
    stage.write("a.mp4")
    stage.run.sources = (Source(os.fsencode(source), only=b"a.mp4"),)
    await stage.scanner.scan()
    assert (len(stage.passed.values), stage.run.walked_sources) == (1, [])


async def test_a_rejected_file_keeps_the_ticket_of_an_earlier_run(stage: ScannerStage) -> None:
    """Its id must be accounted for."""
    known = stage.know(FileState.TICKETED)
    stage.provider.rejections = {"a.mp4": Rejection("no more")}
    _, outcome = await stage.scan()
    assert isinstance(outcome, Outcome)
    assert outcome.item.ticket == known.ticket
