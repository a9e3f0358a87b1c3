"""A second run over uploaded files, compared with `find` on the same tree, and the memory of both runs."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.clients.base import program
from benchmarks.launching import Launched, launched
from benchmarks.scenarios import GIB
from benchmarks.sink import sink
from benchmarks.stage import memory_folder, room_in_memory
from benchmarks.trees import make_tree

FEW = 10_000
ROUNDS = 3
_SIZE = 100
_LONGEST = 3600.0
_FIND = r"""exec find "$0" -printf '%s %T@ %p\n' >/dev/null"""
_MEMORY_OF_ONE = 6 * 1024  # bytes that a small file takes on a file system in memory


def measure(files: int, rounds: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Upload `files` files, then run `bulkup` and `find` over them in turn.

    `find_seconds` and `seconds` are medians. `peak_mib` and `again_peak_mib` are the peaks of the first and the second
    run, `most_mib` is the larger of them, and `few_` has those over 10,000 files. `time_ratio` is the ratio of the
    medians, `peak_ratio` the larger ratio of the peaks. Raises LookupError if there is no room in memory for the files,
    and RuntimeError if a run fails.
    """
    if files * _MEMORY_OF_ONE > room_in_memory():
        raise LookupError(f"{files:,} files need {files * _MEMORY_OF_ONE / GIB:.1f} GiB of free memory")
    few, few_again, _ = _runs(FEW, 1, tell)
    first, again, find = _runs(files, rounds, tell)
    seconds, find_seconds = _median(again), _median(find)
    return {
        "files": files,
        "few_files": FEW,
        "find_seconds": find_seconds,
        "seconds": seconds,
        "first_seconds": first.seconds,
        "peak_mib": first.peak,
        "again_peak_mib": _peak(again),
        "few_peak_mib": few.peak,
        "few_again_peak_mib": _peak(few_again),
        "most_mib": max(first.peak, _peak(again)),
        "time_ratio": seconds / find_seconds,
        "peak_ratio": max(first.peak / few.peak, _peak(again) / _peak(few_again)),
    }


def _runs(files: int, rounds: int, tell: Callable[[str], None]) -> tuple[Launched, list[Launched], list[Launched]]:
    """Return the first upload of a tree, the runs over it again, and the runs of `find`."""
    again: list[Launched] = []
    find: list[Launched] = []
    with _folders() as (tree, scratch), sink() as root:
        make_tree(tree, files, _SIZE)
        upload = [program("bulkup"), "upload", tree, "--provider", "magic-hour", "--base-url", root]
        upload += ["--journal", os.path.join(scratch, "journal"), "--quiet", "--log-level", "error"]
        first = _run(upload, scratch, f"first upload of {files:,} files", tell)
        for _ in range(rounds):
            find.append(_run(["sh", "-c", _FIND, tree], scratch, "find", tell))
            again.append(_run(upload, scratch, "again", tell))
    return first, again, find


@contextlib.contextmanager
def _folders() -> Iterator[tuple[str, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="bulkup-bench-", dir=memory_folder()) as folder,
        tempfile.TemporaryDirectory(prefix="bulkup-bench-") as scratch,
    ):
        yield os.path.join(folder, "tree"), scratch


def _run(argv: list[str], scratch: str, what: str, tell: Callable[[str], None]) -> Launched:
    taken = launched(argv, {"BULKUP_TOKEN": "benchmark"}, scratch, longest=_LONGEST)
    tell(f"  {what}: {taken.seconds:.2f} s, {taken.cpu:.2f} s of CPU, {taken.peak:.0f} MiB")
    return taken


def _median(runs: list[Launched]) -> float:
    return statistics.median(run.seconds for run in runs)


def _peak(runs: list[Launched]) -> float:
    return max(run.peak for run in runs)
