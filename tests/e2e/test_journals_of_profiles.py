"""Two configuration files with a profile of one name, and a run with another HOME, as a user meets them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_world import Ended, run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without folders of XDG, so that HOME decides."""
    for kind in ("STATE", "DATA", "CONFIG"):
        monkeypatch.delenv(f"XDG_{kind}_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def project(root: Path, name: str, files: int) -> Path:
    """Make a folder with files and a configuration file for them."""
    folder = root / name
    (folder / "media").mkdir(parents=True)
    for number in range(files):
        (folder / "media" / f"{number}.mp4").write_bytes(os.urandom(100))
    (folder / "bulkup.toml").write_text(
        f'[profiles.nightly]\nprovider = "local"\nsource = ["media"]\nstore = "{root}/store"\n'
    )
    return folder


def in_project(folder: Path, *arguments: str, **kwargs: Any) -> Ended:
    return run(*arguments, "--profile", "nightly", cwd=folder, **kwargs)


@pytest.mark.usefixtures("home")
def test_two_projects_have_two_journals(tmp_path: Path) -> None:
    projects = [project(tmp_path, "a", files=1), project(tmp_path, "b", files=2)]
    for folder in projects:
        in_project(folder, "upload", "--quiet").expect(0)
    journals = []
    for number, folder in enumerate(projects, start=1):
        (status,) = in_project(folder, "status", "--json").expect(0).lines
        assert status["files"] == {"uploaded": number}
        journals.append(status["journal"])
        again = in_project(folder, "upload", "--json").expect(0).summary
        assert again["files"]["skipped"] == number
    assert len(set(journals)) == 2


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("kept", [True, False], ids=["with the profile", "without the profile"])
def test_the_next_command_of_a_file_finds_its_journal(tmp_path: Path, kept: bool) -> None:
    folder = project(tmp_path, "a", files=2)
    in_project(folder, "upload", "--quiet", "--max-files", "1").expect(6)
    if not kept:
        (folder / "bulkup.toml").unlink()
    states = run("status", "media/0.mp4", "media/1.mp4", "--json", cwd=folder).expect(0).lines
    (waiting,) = (one for one in states if one["status"] == "pending")
    command = shlex.split(waiting["next"][0])
    assert ("--profile" in command) is kept
    again = run(*command[1:], "--json", cwd=tmp_path).expect(0).summary
    assert (again["files"]["found"], again["files"]["uploaded"]) == (1, 1)


@pytest.mark.usefixtures("home")
def test_a_copied_configuration_does_not_upload_everything_again(tmp_path: Path) -> None:
    folder = project(tmp_path, "a", files=1)
    in_project(folder, "upload", "--quiet").expect(0)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "bulkup.toml").write_text((folder / "bulkup.toml").read_text().replace('"media"', f'"{folder}/media"'))
    refused = in_project(copy, "upload", "--json").expect(2, str(folder / "bulkup.toml"), "journal = ")
    in_project(copy, "config", "check").expect(2, "journal = ")
    line = next(line for line in refused.err.splitlines() if "journal = " in line)
    with (copy / "bulkup.toml").open("a") as file:
        file.write(line.split("`")[1] + "\n")
    assert in_project(copy, "upload", "--json").expect(0).summary["files"]["skipped"] == 1


def test_a_run_with_another_home_is_warned(tmp_path: Path, home: Path) -> None:
    """As under a timer that sets HOME to something else than the system's list of users says."""
    folder = project(tmp_path, "a", files=1)
    in_project(folder, "upload", "--quiet").expect(0)
    other = tmp_path / "other"
    other.mkdir()
    program = f"import pwd\npwd.getpwuid = lambda number: type('Entry', (), dict(pw_dir={str(home)!r}))\n"
    warned = run_with(program, folder, HOME=str(other))
    assert "begins a new journal" in warned.err
    assert f"--journal {home}/.local/state/bulkup/nightly.sqlite3" in warned.err
    assert "begins a new journal" not in run_with(program, folder, HOME=str(other)).err


def run_with(program: str, folder: Path, **env: str) -> Ended:
    """Upload after some code in the same process."""
    script = f"{program}from bulkup.cli import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", script, "upload", "--profile", "nightly"],
        env={**os.environ, **env},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Ended(done.returncode, done.stdout, done.stderr).expect(0)
