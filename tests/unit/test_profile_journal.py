"""Which journal a profile has if several configuration files have a profile of that name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.config import claimed_journal, journal_path, load
from bulkup.config.profile_journal import claim_journal
from bulkup.config.settings import Settings
from bulkup.errors import UsageError


class Machine:
    """Folders with configuration files, and one state folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"XDG_STATE_HOME": str(root / "state")}
        self.common = str(root / "state" / "bulkup" / "nightly.sqlite3")

    def write(self, folder: str, source: str = "media", provider: str = "local", profile: str = "nightly") -> str:
        """Write a configuration file whose source is relative to it."""
        path = self.root / folder / "bulkup.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'[profiles.{profile}]\nprovider = "{provider}"\nsource = ["{source}"]\n')
        return str(path)

    def settings(self, config: str) -> Settings:
        return load({}, profile="nightly", config_file=config, environ=self.environ, cwd=str(self.root)).settings

    def path(self, config: str) -> str:
        """Return the journal that a command would read."""
        settings = self.settings(config)
        return journal_path(settings, "nightly", settings.source, self.environ, config)

    def run(self, config: str) -> str:
        """Do what a run does about its journal, and return its path."""
        path = claimed_journal(self.settings(config), "nightly", self.environ, config)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_two_files_with_a_profile_of_one_name_have_two_journals(machine: Machine) -> None:
    first, second, third = machine.write("a"), machine.write("b"), machine.write("c")
    assert machine.path(second) == machine.common  # nothing has run yet
    assert machine.run(first) == machine.common
    paths = [machine.run(config) for config in (second, third)]
    assert len({machine.common, *paths}) == 3
    for path in paths:
        assert os.path.dirname(path) == os.path.dirname(machine.common)
        assert os.path.basename(path).startswith("nightly@")
    for _ in range(2):
        assert [machine.run(config) for config in (first, second, third)] == [machine.common, *paths]
        assert [machine.path(config) for config in (first, second, third)] == [machine.common, *paths]


def test_a_journal_from_before_is_used_further_by_every_file(machine: Machine) -> None:
    """Nobody knows which of them began it, and each may have its files in it."""
    os.makedirs(os.path.dirname(machine.common))
    Path(machine.common).touch()
    configs = [machine.write("a"), machine.write("b")]
    assert [machine.run(config) for config in configs * 2] == [machine.common] * 4


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_that_was_moved_keeps_its_journal(machine: Machine, number: int) -> None:
    """Also one whose journal has a hash in its name."""
    configs = [machine.write(folder, source=f"{machine.root}/media/{folder}") for folder in ("a", "b")]
    before = [machine.run(config) for config in configs]
    os.rename(os.path.dirname(configs[number]), machine.root / "moved")
    configs[number] = str(machine.root / "moved" / "bulkup.toml")
    for _ in range(2):
        assert [machine.path(config) for config in configs] == before
        assert [machine.run(config) for config in configs] == before


def test_a_file_that_was_moved_with_its_source_keeps_the_common_journal(machine: Machine) -> None:
    """The source may have a name that does not depend on its path."""
    machine.run(machine.write("a"))
    os.rename(machine.root / "a", machine.root / "moved")
    moved = str(machine.root / "moved" / "bulkup.toml")
    assert machine.path(moved) == machine.run(moved) == machine.common
    assert machine.path(machine.write("b")) != machine.common


def test_a_profile_that_was_moved_to_another_file_keeps_its_journal(machine: Machine) -> None:
    machine.run(machine.write("a"))
    machine.write("a", profile="weekly")
    assert machine.run(machine.write("b", source="../a/media")) == machine.common


def test_a_link_to_a_file_is_that_file(machine: Machine) -> None:
    first = machine.write("a")
    machine.run(first)
    (machine.root / "link.toml").symlink_to(first)
    (machine.root / "hard.toml").hardlink_to(first)
    for name in ("link.toml", "hard.toml"):
        assert machine.path(str(machine.root / name)) == machine.common


@pytest.mark.parametrize("source", ["../a/media", "../a", "../a/media/part"])
def test_a_copy_of_a_file_that_uploads_the_same_is_refused(machine: Machine, source: str) -> None:
    """With a journal of its own, it would upload everything again."""
    first = machine.write("a")
    machine.run(first)
    copy = machine.write("b", source=source)
    with pytest.raises(UsageError) as caught:
        machine.run(copy)
    assert first in caught.value.message
    assert f'journal = "{machine.common}"' in caught.value.hint
    assert sorted(os.listdir(os.path.dirname(machine.common))) == ["nightly.sqlite3", "nightly.sqlite3.config"]


def test_a_copy_of_a_file_whose_journal_has_a_hash_is_refused_too(machine: Machine) -> None:
    machine.run(machine.write("a"))
    second = machine.run(machine.write("b"))
    with pytest.raises(UsageError, match=os.path.basename(second)):
        machine.run(machine.write("c", source="../b/media"))


def test_every_source_that_a_profile_has_had_counts(machine: Machine) -> None:
    machine.run(machine.write("a", source="one"))
    machine.run(machine.write("a", source="two"))
    for source in ("one", "two"):
        with pytest.raises(UsageError):
            machine.run(machine.write("b", source=f"../a/{source}"))


def test_the_same_source_to_another_service_is_another_upload(machine: Machine) -> None:
    machine.run(machine.write("a"))
    assert machine.run(machine.write("b", source="../a/media", provider="magic-hour")) != machine.common


def test_a_named_journal_is_used_by_both(machine: Machine) -> None:
    configs = [machine.write("a"), machine.write("b")]
    machine.run(configs[0])
    for config in configs:
        path = Path(config)
        path.write_text(path.read_text() + f'journal = "{machine.root}/j.sqlite3"\n')
        assert machine.run(config) == f"{machine.root}/j.sqlite3"
    assert not os.path.exists(f"{machine.root}/j.sqlite3.config")


def test_the_record_is_private_and_names_the_file(machine: Machine) -> None:
    first = machine.write("a")
    machine.run(first)
    record = Path(machine.common + ".config")
    assert f'"config_file":"{first}"' in record.read_text()
    assert record.stat().st_mode & 0o777 == 0o600


def test_names_that_are_not_utf8_are_recorded(machine: Machine) -> None:
    folder = os.fsencode(machine.root) + b"/\xff"
    os.mkdir(folder)
    config = os.fsdecode(folder + b"/b.toml")
    with open(config, "w") as file:
        file.write('[profiles.nightly]\nprovider = "local"\nsource = ["media"]\n')
    for _ in range(2):
        assert machine.run(config) == machine.common
    assert machine.path(machine.write("a")) != machine.common


@pytest.mark.parametrize("content", [b"", b"x", b"{}", b'{"config_file":1}', b"[]", b"\xff"])
def test_a_record_that_cannot_be_read_stops_nothing(machine: Machine, content: bytes) -> None:
    os.makedirs(os.path.dirname(machine.common))
    Path(machine.common + ".config").write_bytes(content)
    assert machine.run(machine.write("a")) == machine.common
    os.unlink(machine.common + ".config")
    os.mkdir(machine.common + ".config")
    assert machine.run(machine.write("a")) == machine.common


def test_a_folder_that_cannot_be_written_is_left_to_the_journal(machine: Machine) -> None:
    """Its own error says why."""
    (machine.root / "state").touch()
    config = machine.write("a")
    assert claimed_journal(machine.settings(config), "nightly", machine.environ, config) == machine.common


def test_without_a_configuration_file_the_name_of_the_profile_decides(machine: Machine) -> None:
    """As for users of the library that name no file."""
    machine.run(machine.write("a"))
    settings = load({"provider": "local"}, profile=None, config_file=None, environ={}, cwd="/").settings
    assert journal_path(settings, "nightly", [], machine.environ) == machine.common


def test_of_two_files_that_begin_a_journal_at_once_one_gets_it(machine: Machine) -> None:
    """Both have seen that there is no journal yet."""
    first, second = machine.write("a"), machine.write("b")
    assert machine.path(first) == machine.path(second) == machine.common
    assert claim_journal(machine.common, machine.settings(first), "nightly", first)
    assert not claim_journal(machine.common, machine.settings(second), "nightly", second)
    assert claim_journal(machine.common, machine.settings(first), "nightly", first)
    assert machine.run(second) != machine.common
    assert machine.run(first) == machine.common
