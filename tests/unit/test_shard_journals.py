"""The journals of shards: a name for each, and a refusal where the number of shards changes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.config import Settings, claimed_journal, journal_path, load
from bulkup.config.profile_journal import profile_of_journal
from bulkup.config.shard_journals import journals_beside, journals_of_shards, require_same_shards, without_shard
from bulkup.errors import UsageError
from bulkup.model.shard import WHOLE, Shard


class Home:
    """A state folder, a source, and a profile with that source."""

    def __init__(self, root: Path) -> None:
        self.environ: Mapping[str, str] = {"XDG_STATE_HOME": str(root / "state")}
        self.folder = root / "state" / "bulkup"
        self.folder.mkdir(parents=True)
        self.media = root / "media"
        self.config = str(root / "bulkup.toml")
        Path(self.config).write_text('[profiles.nightly]\nprovider = "local"\nsource = ["media"]\n')

    def settings(self, **values: Any) -> Settings:
        return Settings(**{"provider": "local", "source": (str(self.media),), **values})

    def path(self, profile: str | None = None, **values: Any) -> str:
        settings = self.settings(**values)
        config = self.config if profile is not None else None
        return journal_path(settings, profile, settings.source, self.environ, config)

    def run(self, **values: Any) -> str:
        """Do what a run does about its journal, and return its path."""
        path = self.path(**values)
        require_same_shards(path, self.settings(**values))
        Path(path).touch()
        return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    "values", [{}, {"source_id": "the disk"}, {"profile": "nightly"}, {"profile": "odd/+1of2 name"}]
)
def test_each_shard_has_a_journal_beside_that_without_shards(home: Home, values: dict[str, Any]) -> None:
    common = home.path(**values)
    assert home.path(**values, shard="1/1") == common
    paths = [home.path(**values, shard=f"{number}/3") for number in (1, 2, 3)]
    assert len({common, *paths, home.path(**values, shard="2/4")}) == 5
    for number, path in enumerate(paths, start=1):
        assert os.path.dirname(path) == str(home.folder)
        assert path.endswith(f"+{number}of3.sqlite3")
        assert without_shard(path) == (common, Shard(number, 3))
    assert without_shard(common) == (common, WHOLE)
    for path in paths:
        Path(path).touch()
    assert [(one.path, str(one.shard)) for one in journals_of_shards(common)] == [
        (path, f"{number}/3") for number, path in enumerate(paths, start=1)
    ]
    assert journals_beside(paths[1]) == [paths[1], paths[0], paths[2]]
    assert journals_beside(common) == [common]


def test_another_number_of_shards_is_refused(home: Home) -> None:
    """It would upload everything again. So would a run without shards, and the first run with them."""
    first = home.run(shard="1/4")
    for number in (2, 1, 4):
        home.run(shard=f"{number}/4")
    for values, wanted in (({"shard": "1/8"}, "shard 1/8"), ({}, "a run without shards")):
        with pytest.raises(UsageError, match=f"runs with 4 shards, .*, and {wanted} would upload again") as raised:
            home.run(**values)
        assert first in raised.value.message
        assert raised.value.hint.startswith("use 4 shards as before")
    home.run(source_id="another disk", shard="1/8")


def test_shards_of_a_tree_that_was_uploaded_without_them_are_refused(home: Home) -> None:
    home.run()
    with pytest.raises(UsageError, match=r"a journal of runs without shards, .*, and shard 1/2 would upload again"):
        home.run(shard="1/2")
    home.run()
    home.run(shard="1/1")


def test_a_named_journal_is_the_choice_of_the_user(home: Home) -> None:
    home.run()
    named = str(home.folder / "mine.sqlite3")
    assert home.run(journal=named, shard="1/2") == named


def test_all_shards_of_a_profile_belong_to_its_configuration_file(home: Home, tmp_path: Path) -> None:
    """Another file with a profile of that name has journals of its own."""
    other = tmp_path / "other" / "bulkup.toml"
    other.parent.mkdir()
    other.write_text('[profiles.nightly]\nprovider = "local"\nsource = ["elsewhere"]\n')
    paths = list[str]()
    for config in (home.config, str(other)):
        for shard in ("1/2", "2/2"):
            found = load({"shard": shard}, profile="nightly", config_file=config, environ=home.environ, cwd="/")
            paths.append(claimed_journal(found.settings, "nightly", home.environ, config))
            Path(paths[-1]).touch()
            assert profile_of_journal(paths[-1]) == ("nightly", config)
    assert len(set(paths)) == 4
    assert [without_shard(path)[0] for path in paths[:2]] == [str(home.folder / "nightly.sqlite3")] * 2
    assert len({without_shard(path)[0] for path in paths}) == 2
