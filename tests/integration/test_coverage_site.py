"""What `make test COVERAGE=1` counts: the modules of the clone, in every process, and no other copy of bulkup."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = "tests/tools/coverage_site"
USE = "import bulkup.used"


def package(folder: Path) -> Path:
    """Make a copy of a package `bulkup`, and return the folder to import it from."""
    (folder / "bulkup").mkdir(parents=True)
    (folder / "bulkup/__init__.py").write_text("")
    (folder / "bulkup/used.py").write_text("done = True\n")
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone with a small package `bulkup`, the settings of coverage, and the module that starts it."""
    clone = package(tmp_path / "clone")
    shutil.copytree(ROOT / SITE, clone / SITE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", clone)
    return clone


def run(clone: Path, code: str, *paths: Path, argument: str = "") -> str:
    """Run code with `paths` on the path, as a process of a measured test run, and return what it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (clone / SITE, *paths))),
        "PYTHONWARNINGS": "error",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, argument], env=environment, cwd=clone.parent, capture_output=True, check=True
    )
    assert not done.stderr
    return done.stdout.decode()


def measured(clone: Path) -> set[str]:
    """Return the files that all processes have measured, relative to the folder of the clone and the other copies."""
    files: set[str] = set()
    for data_file in clone.glob(".coverage*"):
        data = coverage.CoverageData(str(data_file))
        data.read()
        files.update(os.path.relpath(name, clone.parent) for name in data.measured_files() if data.arcs(name))
    return files


@pytest.mark.parametrize("end", ["", "; import os; os._exit(0)"])
def test_the_modules_of_the_clone_count(clone: Path, end: str) -> None:
    """Also in a process that ends at once, as sending processes do."""
    run(clone, USE + end, clone)
    assert "clone/bulkup/used.py" in measured(clone)


def test_another_copy_does_not_count(clone: Path, tmp_path: Path) -> None:
    """A test installs the package and runs it. Its modules would all count as untested, beside those of the clone."""
    run(clone, USE, clone)
    run(clone, USE, package(tmp_path / "installed"))
    assert {name.split("/")[0] for name in measured(clone)} == {"clone"}


def test_coverage_starts_with_the_first_import_of_bulkup(clone: Path) -> None:
    """Most processes of a test run do not import bulkup, and need not wait for coverage."""
    loaded = "import sys; print('coverage' in sys.modules)"
    assert run(clone, loaded, clone) == "False\n"
    assert run(clone, f"{USE}; {loaded}", clone) == "True\n"


def test_a_command_can_be_left_out(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of the command start hundreds of servers. Others are measured."""
    monkeypatch.setenv("UNMEASURED_COMMAND", "serve")
    for command in ("serve", "upload"):
        assert not measured(clone)
        run(clone, USE, clone, argument=command)
    assert "clone/bulkup/used.py" in measured(clone)


def test_threads_that_end_the_process_together_save_once(clone: Path) -> None:
    """As after a second signal: the first thread may take longer to end the process than it is given."""
    ends = "[threading.Thread(target=os._exit, args=(0,)).start() for _ in range(5)]; time.sleep(600)"
    run(clone, f"import os, threading, time; {USE}; {ends}", clone)
    assert "clone/bulkup/used.py" in measured(clone)
