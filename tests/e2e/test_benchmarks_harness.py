"""A small comparison with other tools, so that the harness keeps working between measurements."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import from_json

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")


@pytest.mark.slow
@pytest.mark.skipif(NGINX is None or shutil.which("curl") is None, reason="it needs nginx and curl")
@pytest.mark.parametrize(
    ("scenario", "client"),
    [("small", "curl"), ("https", "bulkup"), ("large", "bulkup-none"), ("parts", "rclone"), ("wan200", "curl")],
)
def test_a_quick_comparison_has_figures_and_no_problems(scenario: str, client: str, tmp_path: Path) -> None:
    """After each run the harness checks bulkup's manifest and the store, and reports any problem."""
    result, picture = tmp_path / "result.json", tmp_path / "result.svg"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "peers",
        "--quick",
        "--only",
        scenario,
        "--clients",
        f"bulkup,{client}",
    ]
    options = ["--large-size", "64", "--json", str(result), "--chart", str(picture)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result, picture = (path.with_stem(f"{path.stem}-quick") for path in (result, picture))
    (measured,) = from_json(result.read_bytes()).scenarios
    assert {one.client: one.problem for one in measured.clients} == {"bulkup": "", client: ""}, done.stdout
    assert all(one.seconds > 0 and one.peak > 10 for one in measured.clients)
    assert picture.read_text().startswith("<svg ")
