"""A small soak test, so that the harness keeps working between the long runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_soak_meets_its_limits(tmp_path: Path) -> None:
    """All scenarios with a few kills meet their limits, and the figures are written."""
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks.soak", "--quick", "--json", str(result)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["scenario"]["name"] for one in json.loads(result.read_bytes())] == ["kills", "large", "faults"]


@pytest.mark.slow
def test_a_soak_whose_time_is_up_fails(tmp_path: Path) -> None:
    """Files that are not uploaded in time count as lost, and the exit code is 1."""
    command = [sys.executable, "-m", "benchmarks.soak", "--only", "faults", "--files", "3000", "--max-minutes", "0.001"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "| NOT HELD: 0 |" in done.stdout
