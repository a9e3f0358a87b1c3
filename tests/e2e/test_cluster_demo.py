"""`make cluster-demo` as a test: real processes, a worker and the coordinator killed, every object proved."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.cluster_demo import run_demo


@pytest.mark.slow
def test_the_demo_proves_every_object(tmp_path: Path) -> None:
    said = list[str]()
    figures = run_demo(tmp_path, 20_000, said.append)
    assert figures["puts_completed"] >= 20_000
    assert any("killed worker-1" in line for line in said)
