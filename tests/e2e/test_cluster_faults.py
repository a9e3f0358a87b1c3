"""Faults of a cluster: killed workers, coordinators and schedulers, and a link that is down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster.kills import Campaign, carry_out, problems
from benchmarks.cluster.network import missing

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "campaign",
    [
        Campaign(files=3_000, kills=4, minutes=10),
        Campaign(files=3_000, kills=1, coordinator_kills=2, seed=2, minutes=10),
        Campaign(files=3_000, kills=1, scheduler_kills=2, seed=3, minutes=10),
    ],
    ids=["workers", "coordinator", "scheduler"],
)
def test_kills_lose_nothing_and_record_nothing_twice(campaign: Campaign, tmp_path: Path) -> None:
    assert problems(campaign, carry_out(campaign, str(tmp_path))) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(missing() != "", reason=missing() or "a network can be made here")
@pytest.mark.parametrize("down", [10, 45], ids=["shorter than the patience", "longer than the patience"])
def test_a_link_that_is_down_for_a_while_loses_nothing(down: int) -> None:
    """The coordinator gives up a worker that has been silent for 30 seconds, and takes it again later."""
    command = [sys.executable, "-m", "benchmarks.cluster", "cut", "--files", "1200", "--down", str(down)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
