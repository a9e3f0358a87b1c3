"""Power cuts at any point of a run: flushed data survives, and any part of the rest.

Real runs log their operations on the journal's files (disk_world.py). For many points of that log the disk is rebuilt
as it could be after a cut there, and its journal is opened. The journal must be intact. It must record every file that
the run had reported as uploaded. It must record no file that storage did not hold with the same digest.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from disk_world import ALL_UNFLUSHED_LOST, NOTHING_LOST, Loss, Op, Record, lay_out, read_log, rebuilt, recording
from e2e_world import TOKEN, World, md5, serving, started
from sending_ways import FOUR, Way, every

from bulkup.errors import JournalError
from bulkup.journal import Reader
from bulkup.journal.database import open_for_writing
from bulkup.model.journal_rows import ManifestRow

SMALL = ("--batch-size", "10", "--concurrency", "4", "--log-level", "error")
LOSSES = (
    ALL_UNFLUSHED_LOST,
    NOTHING_LOST,
    Loss(0.5, 4096, seed=1),
    Loss(0.5, 512, seed=2),
    Loss(0.9, 512, noise=True, seed=3),
    Loss(0.2, 4096, noise=True, seed=4),
)


@dataclass
class Recording:
    """The log of several runs, and the server that stored their files and is still running."""

    world: World
    disk: Path
    url: str
    records: list[Record]
    runs: set[int]
    changed: set[str]

    @property
    def journal(self) -> Path:
        return self.world.journal.relative_to(self.disk)

    @functools.cached_property
    def acknowledged(self) -> list[tuple[int, str, str]]:
        """Return the files reported as uploaded: the number of records before the report, the path, the MD5."""
        told, rest = [], dict.fromkeys(self.runs, b"")
        for number, record in enumerate(self.records, start=1):
            if record.op is Op.PRINT and record.pid in self.runs:
                *lines, rest[record.pid] = (rest[record.pid] + record.data).split(b"\n")
                events = [json.loads(line) for line in lines]
                told += [(number, e["path"], e["md5"]) for e in events if e["event"] == "file"]
        return told

    @functools.cached_property
    def stored(self) -> dict[str, tuple[int, str]]:
        """Return the objects of the store: the number of records before each appeared, and its MD5."""
        objects = self.world.store / "objects"
        moves = [(n, r.data.decode()) for n, r in enumerate(self.records, start=1) if r.op is Op.RENAME]
        return {str(Path(to).relative_to(objects)): (n, md5(Path(to))) for n, to in reversed(moves)}

    def cuts(self, count: int) -> Sequence[int]:
        """Return points all over the log. Those around flushes and short files come first."""
        journal = [n for n, r in enumerate(self.records, start=1) if r.path.startswith(str(self.disk))]
        rare = [n for n in journal if self.records[n - 1].op is not Op.WRITE]
        first = journal[:40]
        sampled = random.Random(count).sample(journal, min(count, len(journal)))
        return sorted({*sampled, *first, *(n + more for n in rare[:: max(1, len(rare) // count)] for more in (-1, 0))})

    def check(self, cut: int, loss: Loss, place: Path) -> Path:
        """Rebuild the disk after a cut, and compare its journal with the reported and the stored files."""
        shutil.rmtree(place, ignore_errors=True)
        lay_out(rebuilt(self.records[:cut], str(self.disk), loss), place)
        rows = rows_on(place / self.journal)
        told = {path: digest for number, path, digest in self.acknowledged if number <= cut}
        for path, digest in told.items():
            row = rows[path]
            assert path in self.changed or (row.status, row.md5) == ("uploaded", digest), (cut, loss, row)
        for row in rows.values():
            if row.status == "uploaded":
                there_since, digest = self.stored[str(row.remote_id)]
                assert there_since <= cut, (cut, loss, row)
                assert digest == row.md5, (cut, loss, row)
        return place / self.journal


def rows_on(journal: Path) -> dict[str, ManifestRow]:
    """Open the journal as a run would, and return its rows. Return no rows if there is no journal yet."""
    if not journal.exists():
        return {}
    with contextlib.closing(open_for_writing(str(journal))):
        pass
    with Reader(str(journal)) as reader:
        return {row.path.decode(): row for row in reader.manifest()}


def record(
    world: World, disk: Path, url: str, log: Path, *, files: int, kill_after: int, way: Way = FOUR[0]
) -> Recording:
    """Run three times: one run is killed, the next one completes, and the third finds some files changed."""
    world.journal = disk / "state" / "bulkup" / "journal.sqlite3"
    world.fill(files, least=way.least)
    env, runs = {**TOKEN, **recording(log, disk)}, set()
    command = ["upload", str(world.source), "--json", *world.to(url), *SMALL, *way.options]
    with started(*command, env=env) as process:
        runs.add(process.pid)
        assert process.stdout is not None
        for _ in range(kill_after):
            process.stdout.readline()
        process.kill()
        process.communicate()
    changed = sorted(path for path in world.source.rglob("*") if path.is_file())[:: files // 4]
    for again in (False, True):
        for path in changed if again else ():
            path.write_bytes(b"now another")
        with started(*command, env=env) as process:
            runs.add(process.pid)
            process.communicate()
            assert process.returncode == 0
    names = {str(path.relative_to(world.source)) for path in changed}
    return Recording(world, disk, url, read_log(log), runs, names)


@contextlib.contextmanager
def recorded(root: Path, **given: Any) -> Iterator[Recording]:
    """Return a world with its server, and the log of three runs."""
    world, disk, log = World(root), root / "disk", root / "log"
    disk.mkdir()
    with serving(world.store, env=recording(log, world.store / "objects")) as url:
        yield record(world, disk, url, log, **given)


@pytest.fixture(scope="module")
def recording_of_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    with recorded(tmp_path_factory.mktemp("power"), files=40, kill_after=10) as made:
        yield made


def test_a_power_cut_anywhere(recording_of_runs: Recording, tmp_path: Path) -> None:
    """Cuts all over the log, each of which loses a part of the unflushed data."""
    assert len(recording_of_runs.acknowledged) >= 10 + len(recording_of_runs.changed)
    for cut, loss in zip(recording_of_runs.cuts(20), itertools.cycle(LOSSES)):
        recording_of_runs.check(cut, loss, tmp_path / "disk")


def resume(recording: Recording, cut: int, loss: Loss, place: Path) -> None:
    """Run on the disk after a cut, and check that every file is there."""
    journal = recording.check(cut, loss, place)
    world = recording.world
    before, world.journal = world.journal, journal
    recorded = world.settled()
    try:
        summary = world.upload(*world.to(recording.url), *SMALL, env=TOKEN).expect(0).summary
        files = world.verify()
    finally:
        world.journal = before
    assert summary["files"]["found"] == files
    assert summary["files"]["uploaded"] <= files - recorded + len(recording.changed)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_the_run_after_a_power_cut(recording_of_runs: Recording, tmp_path: Path, share: float) -> None:
    """The same command resumes after a cut, and uploads every file."""
    cut = int(len(recording_of_runs.records) * share)
    resume(recording_of_runs, cut, Loss(0.5, 512, seed=cut), tmp_path / "disk")


@pytest.mark.parametrize("way", every(fast=[]))
def test_a_power_cut_on_every_way(tmp_path: Path, way: Way) -> None:
    """Small and larger files, both senders, with and without sending processes."""
    with recorded(tmp_path, files=24, kill_after=6, way=way) as made:
        assert len(made.acknowledged) >= 6 + len(made.changed)  # a kill comes between rows and their reports
        for cut, loss in zip(made.cuts(10), itertools.cycle(LOSSES)):
            made.check(cut, loss, tmp_path / "after")
        resume(made, len(made.records) // 3, Loss(0.5, 512, seed=1), tmp_path / "after")


@pytest.mark.slow
def test_power_cuts_through_checkpoints(tmp_path: Path) -> None:
    """Runs that are long enough for checkpoints of the write-ahead log, cut at hundreds of points."""
    with recorded(tmp_path, files=700, kill_after=200) as made:
        assert (
            max(r.offset for r in made.records if r.path.endswith("-wal")) > 1000 * 4096
        )  # SQLite makes a checkpoint at this size
        for cut, loss in zip(made.cuts(150), itertools.cycle(LOSSES)):
            made.check(cut, loss, tmp_path / "after")
        for cut in random.Random(1).sample(range(len(made.records)), 8):
            resume(made, cut, Loss(0.5, 512, noise=True, seed=cut), tmp_path / "after")


def test_the_rebuilt_disk_equals_the_real_one(recording_of_runs: Recording) -> None:
    """With all data kept the model equals the real disk. With all data lost, a new name is missing."""
    made, disk = recording_of_runs, recording_of_runs.disk
    journal = str(made.world.journal)
    real = {str(p.relative_to(disk)): p.read_bytes() for p in disk.rglob("*") if p.is_file() and p.suffix != ".lock"}
    found = rebuilt(made.records, str(disk), NOTHING_LOST)
    assert {name: data for name, data in found.items() if name in real} == real
    create = next(n for n, r in enumerate(made.records, start=1) if r.op is Op.CREATE and r.path == journal)
    assert str(made.journal) not in rebuilt(made.records[:create], str(disk), ALL_UNFLUSHED_LOST)


def test_a_journal_without_flushes_is_detected(recording_of_runs: Recording, tmp_path: Path) -> None:
    """The check itself works: without flushes of the write-ahead log it finds a reported file that is missing."""
    made = recording_of_runs
    last = next(n for n, path, _ in reversed(made.acknowledged) if path not in made.changed)
    lazy = [r for r in made.records[:last] if r.op is not Op.SYNC or not r.path.endswith("-wal")]
    broken = Recording(made.world, made.disk, made.url, lazy, made.runs, made.changed)
    with pytest.raises((AssertionError, KeyError, JournalError)):
        broken.check(len(lazy), ALL_UNFLUSHED_LOST, tmp_path / "disk")
