"""`bulkup config example`: the example of this clone, and of an installed package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from e2e_world import environment, run

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")


def test_the_example_is_printed() -> None:
    assert run("config", "example").expect(0).out == EXAMPLE


def test_an_installed_package_contains_it(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(tmp_path / "installed")]
    subprocess.run([*pip, *options, str(ROOT)], capture_output=True, check=True)
    # Without the rest of PYTHONPATH, which may start coverage: it would count this second copy as untested.
    env = environment({"PYTHONPATH": str(tmp_path / "installed")})
    command = [sys.executable, "-m", "bulkup", "config", "example"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == EXAMPLE
