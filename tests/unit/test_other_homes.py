"""A run that would begin a new journal, because HOME is another one than before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.config import journal_path, load
from bulkup.config.loading import ResolvedSettings
from bulkup.config.other_homes import other_homes_warnings
from bulkup.config.user_dirs import user_state_dir


@pytest.fixture(autouse=True)
def _of_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user whose HOME is the folder `root`."""
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "root"))


@pytest.fixture
def resolved(tmp_path: Path) -> ResolvedSettings:
    (tmp_path / "bulkup.toml").write_text('[profiles.nightly]\nprovider = "local"\nsource = ["media"]\n')
    return load({}, profile="nightly", config_file="bulkup.toml", environ={}, cwd=str(tmp_path))


def journal(home: Path, name: str = "nightly.sqlite3") -> Path:
    """Make a journal in the state folder of a home."""
    path = home / os.path.relpath(user_state_dir({}), os.environ["HOME"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_journal_in_another_home_is_named(tmp_path: Path, resolved: ResolvedSettings) -> None:
    other = journal(tmp_path / "alice")
    homes = [str(tmp_path / name) for name in ("root", "none", "alice")]
    (warning,) = other_homes_warnings(resolved, {}, homes)
    assert f"--journal {other}" in warning
    assert str(tmp_path / "root") in warning
    journal(tmp_path / "root")
    assert other_homes_warnings(resolved, {}, homes) == ()


def test_other_journals_are_no_reason(tmp_path: Path, resolved: ResolvedSettings) -> None:
    journal(tmp_path / "alice", "weekly.sqlite3")
    assert other_homes_warnings(resolved, {}, [str(tmp_path / "alice"), str(tmp_path / "none")]) == ()


def test_a_named_journal_or_folder_does_not_depend_on_the_home(tmp_path: Path, resolved: ResolvedSettings) -> None:
    journal(tmp_path / "alice")
    homes = [str(tmp_path / "alice")]
    assert other_homes_warnings(resolved, {"XDG_STATE_HOME": str(tmp_path)}, homes) == ()
    options = {"journal": str(tmp_path / "j")}
    named = load(options, profile="nightly", config_file="bulkup.toml", environ={}, cwd=str(tmp_path))
    assert other_homes_warnings(named, {}, homes) == ()
    assert other_homes_warnings(resolved, {}, homes) != ()


def test_a_journal_without_a_profile_is_found_too(tmp_path: Path) -> None:
    options = {"provider": "local", "source": [str(tmp_path / "media")]}
    plain = load(options, profile=None, config_file=None, environ={}, cwd="/")
    home = str(tmp_path / "alice")
    assert other_homes_warnings(plain, {}, [home]) == ()
    name = os.path.basename(journal_path(plain.settings, None, plain.settings.source, {}))
    other = journal(tmp_path / "alice", name)
    (warning,) = other_homes_warnings(plain, {}, [home])
    assert str(other) in warning


def test_the_homes_of_this_machine_can_be_listed(resolved: ResolvedSettings) -> None:
    """Whether one of them has such a journal is not known to the test."""
    for environ in ({}, {"SUDO_USER": "no-such-user"}, {"SUDO_USER": "root"}):
        assert len(other_homes_warnings(resolved, environ)) <= 1
