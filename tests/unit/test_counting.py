"""The counting walk: number and size of the files that the scanner will find."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bulkup.errors import JournalError
from bulkup.journal import Lookup
from bulkup.journal.lookup import Comparison
from bulkup.model.counters import Counted, Ignored
from bulkup.model.files import FoundFile, Source, Stat
from bulkup.pipeline import ScanOptions
from bulkup.pipeline.scan.counting import CountingWalk, SettledRule, countable
from bulkup.pipeline.scan.own_files import NO_OWN_FILES
from bulkup.pipeline.scan.walk import Walk

NEVER = SettledRule(kept=False, expired=False)
NOW = 2e9


class Uploaded:
    """A lookup that knows some paths as uploaded, others as deleted by the service since."""

    def __init__(self, kept: Sequence[bytes] = (), expired: Sequence[bytes] = (), *, broken: bool = False) -> None:
        self.kept = kept
        self.expired = expired
        self.broken = broken
        self.closed = False
        self.most = 0

    def compare(self, _source: Source, files: Mapping[bytes, Stat], _now: float) -> Comparison:
        if self.broken:
            raise JournalError("a row cannot be read")
        self.most = max(self.most, len(files))
        kept, expired = ([path for path in files if path in known] for known in (self.kept, self.expired))
        return Comparison(kept, expired, [path for path in files if path not in {*kept, *expired}])

    def close(self) -> None:
        self.closed = True


def no_lookup() -> Lookup:
    raise AssertionError("the journal is not needed")


def make(folder: Path, *names: str, size: int = 10) -> Source:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return Source(os.fsencode(folder))


def walk(
    source: Source,
    lookup: Callable[[], Any] = no_lookup,
    settled: SettledRule = NEVER,
    **options: Any,
) -> tuple[CountingWalk, Counted]:
    counted = Counted()
    opened = cast("Callable[[], Lookup]", lookup)
    options = {"options": ScanOptions(**options), "identity": "default", "own": NO_OWN_FILES}
    return CountingWalk([source], lookup=opened, settled=settled, counted=counted, now=NOW, **options), counted


def count(source: Source, *arguments: Any, **options: Any) -> Counted:
    counting, counted = walk(source, *arguments, **options)
    while counting.work(60.0):
        pass
    counting.close()
    return counted


def test_files_and_bytes_are_counted(tmp_path: Path) -> None:
    source = make(tmp_path, "a.mp4", "b/c.mp4", "b/d/e.mp4")
    counted = count(source)
    assert (counted.files, counted.bytes, counted.settled, counted.complete) == (3, 30, 0, True)


@pytest.mark.parametrize(
    "options",
    [
        {"include": ("*.mp4",)},
        {"exclude": ("b/",)},
        {"min_size": 11},
        {"max_size": 10},
        {"hidden": "skip"},
        {"min_age": 1e8},
        {"symlinks": "follow"},
        {"symlinks": "inside"},
        {"files_from": "LIST"},
    ],
    ids=str,
)
def test_it_counts_the_files_that_the_scanner_finds(tmp_path: Path, options: dict[str, Any]) -> None:
    """With every filter."""
    source = make(tmp_path / "source", "a.mp4", "b/c.mp4", "b/d.txt", ".hidden/e.mp4", ".f", size=10)
    make(tmp_path / "source", "large.mp4", size=20)
    make(tmp_path, "elsewhere.mp4")
    os.utime(tmp_path / "source" / "b" / "c.mp4", (NOW, NOW))
    (tmp_path / "source" / "link.mp4").symlink_to("a.mp4")
    (tmp_path / "source" / "out.mp4").symlink_to("../elsewhere.mp4")
    (tmp_path / "list").write_text("a.mp4\nb/c.mp4\nmissing.mp4\na.mp4\n")
    if "files_from" in options:
        options = {"files_from": str(tmp_path / "list")}
    scanned = list(Walk((source,), ScanOptions(**options), Ignored(), NOW).entries(source))
    counted = count(source, **options)
    assert counted.files == len(scanned) > 0
    assert counted.bytes == sum(entry.identity.size for entry in scanned if isinstance(entry, FoundFile))


@pytest.mark.parametrize(
    ("rule", "settled"),
    [(SettledRule(kept=True, expired=False), 2), (SettledRule(kept=True, expired=True), 3)],
    ids=str,
)
def test_settled_files_are_counted_apart(tmp_path: Path, rule: SettledRule, settled: int) -> None:
    source = make(tmp_path, *(f"{number:03}.mp4" for number in range(600)))
    lookup = Uploaded([b"000.mp4", b"500.mp4"], [b"001.mp4"])
    counted = count(source, lambda: lookup, rule)
    assert (counted.files, counted.settled, counted.bytes_settled) == (600, settled, 10 * settled)
    assert lookup.closed
    assert 200 < lookup.most <= 320


def test_it_works_in_slices(tmp_path: Path) -> None:
    """Between two slices the figures grow, and the thread is free."""
    source = make(tmp_path, *(f"{number}/{name}.mp4" for number in range(5) for name in range(120)))
    counting, counted = walk(source)
    seen = set()
    while counting.work(-1.0):
        seen.add(counted.files)
        assert not counted.complete
    counting.close()
    assert len(seen) > 1
    assert (counted.files, counted.complete) == (600, True)


def test_a_walk_that_is_closed_early_has_nothing_open(tmp_path: Path) -> None:
    counting, counted = walk(make(tmp_path, "a/b/c.mp4", "d.mp4"))
    counting.work(-1.0)
    if sys.platform.startswith("linux"):
        assert opened_below(tmp_path)
    counting.close()
    assert not counted.complete
    assert not opened_below(tmp_path)


def opened_below(folder: Path) -> list[str]:
    """Return what this process has open below a folder; nothing where the system cannot tell."""
    found = list[str]()
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [path for path in found if path.startswith(str(folder))]


@pytest.mark.parametrize("problem", ["journal", "list", "source"])
def test_an_error_ends_the_count_alone(tmp_path: Path, problem: str) -> None:
    """The scanner meets the same error, and reports it."""
    source, lookup, rule, options = make(tmp_path, "a.mp4"), Uploaded(broken=True), NEVER, {}
    if problem == "journal":
        rule = SettledRule(kept=True, expired=False)
    elif problem == "list":
        (tmp_path / "list").write_bytes(b"a.mp4\n" + b"x" * 5000 + b"\n")
        options = {"files_from": str(tmp_path / "list")}
    else:
        options = {"files_from": str(tmp_path / "missing")}
    counting, counted = walk(source, lambda: lookup, rule, **options)
    assert not counting.work(60.0)
    counting.close()
    assert not counted.complete


def test_a_list_that_can_be_read_only_once_is_not_counted(tmp_path: Path) -> None:
    pipe, plain = tmp_path / "pipe", tmp_path / "list"
    os.mkfifo(pipe)
    plain.write_text("a\n")
    assert countable(ScanOptions())
    assert countable(ScanOptions(files_from=str(plain)))
    for place in ("-", str(pipe), "/dev/null", str(tmp_path / "missing")):
        assert not countable(ScanOptions(files_from=place)), place
