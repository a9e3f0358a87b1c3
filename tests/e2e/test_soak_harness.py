"""The soak test at its smallest: the harness itself must not rot between the nights it is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_soak_keeps_to_what_is_asked(tmp_path: Path) -> None:
    """All scenarios, a few kills: everything is proven, and the figures are written."""
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks.soak", "--quick", "--json", str(result)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["scenario"]["name"] for one in json.loads(result.read_bytes())] == ["kills", "large", "faults"]


@pytest.mark.slow
def test_a_soak_whose_time_is_up_fails(tmp_path: Path) -> None:
    """Files that are not up when the time is are lost, and the exit status says so."""
    command = [sys.executable, "-m", "benchmarks.soak", "--only", "faults", "--files", "3000", "--max-minutes", "0.001"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "| NOT HELD: 0 |" in done.stdout
