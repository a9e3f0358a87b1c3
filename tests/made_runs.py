"""Journals with runs that never took place, for tests of what is shown of runs: good, failed, killed, huge ones.

Rows are inserted directly, so that a journal of a million files takes seconds.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bulkup.journal.database import open_for_writing
from bulkup.journal.run_records import write_record
from bulkup.model.counters import Counters
from bulkup.model.run_record import STAGES, Durations, NotedFile, RunRecord, RunSample
from bulkup.model.sent_files import BOUNDS, LARGE_BOUNDS, NOTED
from bulkup.reports.summary import summary_object

BEGUN = 1_764_550_800.0  # 2025-12-01 01:00 UTC
DAY = 86_400.0
SOURCE = b"/data/media"
_INSERT = """
INSERT INTO files (destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5, remote_id,
                   remote, etag, verified, attempts, error, uploaded_at, run_id)
VALUES (1, 1, ?, ?, ?, 1, 1, 1, 1, ?, ?, '{}', NULL, 1, 1, ?, ?, ?)
"""


@dataclass(frozen=True)
class Failures:
    """Files that were not uploaded for one reason. `path` is the first of them; the others get a number."""

    state: str
    reason: str
    files: int
    path: bytes = b"2025/clip.mp4"


@dataclass(frozen=True)
class MadeRun:
    """A run to be written. `files` were found, `failures` are some of them, `skipped` others.

    With `exit_code` None it was killed, with all but `done` of its files left. `rows` says whether its files have rows.
    """

    files: int = 20_000
    mean_size: int = 640_000
    seconds: float = 2_530.0
    failures: Sequence[Failures] = ()
    skipped: int = 0
    exit_code: int | None = 0
    done: float = 1.0
    begun: float = BEGUN
    seed: int = 1
    recorded: bool = True
    rows: bool = False
    error: str | None = None
    hint: str | None = None
    names: Sequence[bytes] = ()
    settings: Mapping[str, str] = field(
        default_factory=lambda: {
            "source": "/data/media",
            "provider": "magic-hour",
            "exclude": "*.tmp\n.cache/",
            "min_age": "60",
            "bwlimit": "Mon-Fri 08:00,2M 18:00,off",
        }
    )


FAILED = MadeRun(
    failures=(
        Failures("failed", "storage answered 403 AccessDenied: Access Denied", 22, b"2025/10/interview/take-0007.mov"),
        Failures("rejected", "the service does not accept files with the extension .psd", 9, b"artwork/cover.psd"),
        Failures("unreadable", "Permission denied", 4, b"private/notes/scan-01.jpg"),
        Failures("changed", "it changed while it was read", 2, b"live/recording.wav"),
    ),
    exit_code=1,
    rows=True,
)
KILLED = MadeRun(files=20_000, exit_code=None, done=0.58, rows=True)


def made_journal(path: Path, runs: Sequence[MadeRun]) -> Path:
    """Write a journal with these runs, the oldest first. Return its path."""
    with contextlib.closing(open_for_writing(str(path))) as connection:
        connection.execute("BEGIN")
        destination = (1, "magic-hour", "https://api.magichour.ai", "")
        connection.execute("INSERT INTO destinations (id, provider, base_url, scope) VALUES (?, ?, ?, ?)", destination)
        connection.execute("INSERT INTO sources (id, root) VALUES (1, ?)", (SOURCE,))
        for number, run in enumerate(runs, start=1):
            summary = _summary(run, number)
            ended = run.exit_code is not None
            connection.execute(
                "INSERT INTO runs (id, run, destination_id, sources, started_at, ended_at, exit_code, summary) "
                "VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
                (
                    number,
                    _name(number),
                    json.dumps([SOURCE.hex()]),
                    run.begun,
                    run.begun + run.seconds if ended else None,
                    run.exit_code,
                    json.dumps(summary) if ended else None,
                ),
            )
            if run.recorded:
                write_record(number, _record(run, summary)).run(connection)
            if run.rows:
                connection.executemany(_INSERT, _rows(run, number))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def history(last: MadeRun, before: int = 10) -> list[MadeRun]:
    """Return some usual runs, one each night, and the last one."""
    chance, usual = random.Random(7), replace(last, failures=(), rows=False, exit_code=0, done=1.0, error=None)
    earlier = [
        replace(
            usual,
            files=int(last.files * chance.uniform(0.6, 1.2)),
            skipped=0,
            seconds=last.seconds * chance.uniform(0.7, 1.2),
            begun=last.begun - DAY * night,
            seed=night,
        )
        for night in range(before, 0, -1)
    ]
    if len(earlier) > 4:
        earlier[3] = replace(
            earlier[3], exit_code=3, failures=(Failures("changed", "it changed while it was read", 3),)
        )
    return [*earlier, last]


def _name(number: int) -> str:
    return random.Random(number).randbytes(16).hex()


def _uploaded(run: MadeRun) -> int:
    return int((run.files - run.skipped) * run.done) - sum(group.files for group in run.failures)


def _summary(run: MadeRun, number: int) -> dict[str, Any]:
    counters, chance = Counters(), random.Random(run.seed)
    counters.found, counters.skipped, counters.uploaded = run.files, run.skipped, _uploaded(run)
    counters.bytes_found = run.files * run.mean_size
    counters.bytes_uploaded = counters.uploaded * run.mean_size
    for group in run.failures:
        setattr(counters, group.state, getattr(counters, group.state) + group.files)
        counters.reasons[group.state, group.reason] = group.files
    counters.presign_calls, counters.presign_files = counters.uploaded // 95 + 1, counters.uploaded + 40
    counters.presign_renewed, counters.retries = chance.randrange(40), chance.randrange(5, 60)
    counters.concurrency, counters.concurrency_peak = 32, 48
    found = summary_object(_name(number), run.exit_code or 0, counters, run.seconds)
    return found | {"exit_code": run.exit_code}


def _record(run: MadeRun, summary: Mapping[str, Any]) -> RunRecord:
    chance, uploaded = random.Random(run.seed), _uploaded(run)
    names = run.names or [b"2025/11/%02d/interview-%04d.mov" % (n % 28 + 1, 7 * n) for n in range(NOTED)]
    slowest = [
        NotedFile(SOURCE, name, 4_000_000_000 // (n + 3), 96.4 / (n + 1) ** 0.7, 1 + (n == 1))
        for n, name in enumerate(names)
    ]
    largest = [
        NotedFile(SOURCE, name, 5_300_000_000 // (n + 1), 80.0 / (n + 1) ** 0.8, 1) for n, name in enumerate(names)
    ]
    return RunRecord(
        version="0.2.0",
        profile="nightly",
        host="backup-1",
        settings=run.settings,
        summary=summary,
        error=run.error,
        hint=run.hint,
        samples=list(_samples(run, chance)),
        api=_durations(BOUNDS, uploaded // 95 + 1, 0.11, chance),
        small_files=_durations(BOUNDS, int(uploaded * 0.93), 0.045, chance),
        large_files=_durations(LARGE_BOUNDS, int(uploaded * 0.07), 2.2, chance),
        url_age=_durations((1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0), uploaded, 9.0, chance),
        slowest=slowest,
        largest=largest,
    )


def _durations(bounds: Sequence[float], number: int, median: float, chance: random.Random) -> Durations:
    values = [chance.lognormvariate(math.log(median), 0.8) for _ in range(1000)]
    edges = (0.0, *bounds, math.inf)
    shares = [sum(low < value <= high for value in values) for low, high in itertools.pairwise(edges)]
    counts = [share * number // 1000 for share in shares]
    counts[counts.index(max(counts))] += number - sum(counts)
    return Durations(tuple(bounds), tuple(counts), number * sum(values) / 1000)


def _samples(run: MadeRun, chance: random.Random) -> Iterator[RunSample]:
    """Yield samples of a run that starts slowly, has a slump, and slows down at its end."""
    number, failed = 96, sum(group.files for group in run.failures)
    steps = [
        max(0.05, (1 - math.exp(-(n + 1) / 3)) * (0.35 if 50 < n < 60 else 1) * chance.uniform(0.8, 1.15))
        for n in range(number)
    ]
    total, so_far = sum(steps), 0.0
    uploaded, sent = _uploaded(run) + failed, _uploaded(run) * run.mean_size
    yield RunSample(0.0, 0, 0, 0, 0, 16, (0,) * len(STAGES))
    for n, step in enumerate(steps, start=1):
        so_far += step
        share, limit = so_far / total, min(48, 16 + 2 * (n // 4)) if not 50 < n < 64 else 24
        depths: tuple[int, ...] = (
            0,
            96 + chance.randrange(60),
            100 * (n % 2),
            chance.randrange(150, 330),
            3 * (50 < n < 60),
            min(limit, 48),
            0,
            2,
        )
        if not uploaded:
            depths = (0,) * len(STAGES)
        yield RunSample(
            run.seconds * n / number,
            int(uploaded * share),
            int(sent * min(1.0, share * chance.uniform(0.995, 1.005))) if n < number else sent,
            int(failed * max(0.0, (share - 0.4) / 0.6)),
            int(40 * share) if uploaded else 0,
            limit,
            depths,
        )


def _rows(run: MadeRun, number: int) -> Iterator[tuple[Any, ...]]:
    uploaded, at = _uploaded(run), run.begun + run.seconds / 2
    for group in run.failures:
        stem, dot, end = group.path.rpartition(b".")
        for n in range(group.files):
            name = group.path if not n else b"%s-%d%s%s" % (stem, n, dot, end)
            yield name, group.state, run.mean_size, None, None, group.reason, None, number
    for n in range(uploaded):
        yield (
            b"2025/%03d/clip-%07d.mp4" % (n // 1000, n),
            "uploaded",
            run.mean_size,
            b"m" * 16,
            f"id-{n}",
            None,
            at,
            number,
        )
    if run.exit_code is None:
        for n in range(uploaded, run.files):
            yield b"2025/%03d/clip-%07d.mp4" % (n // 1000, n), "pending", run.mean_size, None, None, None, None, number
