"""The tests of the lean sender, run in a process with uvloop, which closes transports differently."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import asyncio, uvloop
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
"""


@pytest.mark.slow
def test_the_lean_sender_on_uvloop(tmp_path: Path) -> None:
    (tmp_path / "on_uvloop.py").write_text(PLUGIN)
    here = Path(__file__)
    modules = sorted(path for path in here.parent.glob("test_sender_*.py") if path != here)
    chosen = ["-q", "-p", "on_uvloop", "-p", "no:cacheprovider", "-k", "lean", *map(str, modules)]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *chosen],
        cwd=here.parents[2],
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-10_000:]
