"""Trials with made-up measurements, and a journal with the ids that a bench created."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from journal_world import a_ticket, an_item, running, upload_one

from bulkup.api.bench import TrialPlan
from bulkup.reports.bench_trials import BenchFacts, Choice, Concurrency, RequestFigures, Trial

KIB = 1024
NOW = Choice(32, 100, 4)


def choice(concurrency: Concurrency = 32, batch_size: int = 100, calls_in_flight: int = 4) -> Choice:
    return Choice(concurrency, batch_size, calls_in_flight)


def trial(of: Choice = NOW, *, rate: float = 100.0, seconds: float = 10.0, **figures: Any) -> Trial:
    """Return a trial with files of 256 KiB at a number of files per second, without any bottleneck."""
    files = round(rate * seconds)
    plain: dict[str, Any] = {
        "api": RequestFigures(10, 0, 0, 0.05, 0.1),
        "storage": RequestFigures(files, 0, 0, 0.2, 0.4),
        "sending": 20.0,
        "recording": 1.0,
        "loop_cpu": 0.2,
        "cpu": 0.3,
        "machine_cpu": 0.3,
    }
    return Trial(of, files, 0, files * 256 * KIB, seconds, 0.1, **{**plain, **figures})


def facts(**changes: Any) -> BenchFacts:
    return BenchFacts(**{"current": NOW, "batch_limit": 1000, "cores": 4, **changes})


def carried_out(plan: TrialPlan, measure: Callable[[Choice], Trial]) -> list[Trial]:
    """Return all trials of a plan."""
    trials: list[Trial] = []
    while (next_one := plan.next_choice(trials)) is not None:
        assert len(trials) < plan.most_trials
        trials.append(measure(next_one))
    return trials


async def journal_with(folder: Path, *remote_ids: str) -> str:
    """Write the journal of a bench with uploaded files of these ids, and return its path."""
    path = folder / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        for number, remote_id in enumerate(remote_ids):
            await upload_one(journal, an_item(source, b"%d.mp4" % number), a_ticket(remote_id))
    return str(path)
