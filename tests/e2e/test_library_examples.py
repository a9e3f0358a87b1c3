"""The programs of docs/library.md and the README: they run, and the pages show them as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_world import TIMEOUT, environment

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples" / "library").glob("*.py"))
README = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files, and a profile for them."""
    (tmp_path / "media").mkdir()
    for number in range(5):
        (tmp_path / "media" / f"{number}.mp4").write_bytes(b"x" * number)
    profile = '[profiles.nightly]\nprovider = "local"\nsource = "media"\nstore = "store"\n'
    (tmp_path / "bulkup.toml").write_text(profile)
    return tmp_path


def ran(program: Path, folder: Path, *arguments: str) -> str:
    env = environment({"XDG_STATE_HOME": str(folder / "state"), "XDG_DATA_HOME": str(folder / "data")})
    command = [sys.executable, str(program), *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_of_the_page_runs(program: Path, folder: Path) -> None:
    arguments = () if program.stem == "by_profile" else ("media", "store")
    ran(program, folder, *arguments)
    assert len([path for path in (folder / "store" / "objects").rglob("*") if path.is_file()]) == 5


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_page_shows_it_as_it_is(program: Path) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    assert f"```python\n{program.read_text(encoding='utf-8')}```" in page


@pytest.mark.parametrize("text", README)
def test_a_program_of_the_readme_runs(text: str, folder: Path) -> None:
    (folder / "program.py").write_text(text)
    assert ran(folder / "program.py", folder).endswith("0\n")
