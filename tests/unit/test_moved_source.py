"""A run whose source was moved, without the name that would keep it the same source."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bulkup.api.moved_source import moved_from, moved_source_warnings
from bulkup.config import load
from bulkup.config.loading import ResolvedSettings
from bulkup.journal import Journal
from bulkup.journal.sources import KnownSource
from bulkup.model.files import Source

DATA, OTHER = KnownSource(1, b"/data", None), KnownSource(2, b"/other", "second")


def test_the_newest_source_that_is_gone_is_found() -> None:
    gone = {b"/data", b"/other"}
    assert moved_from(Source(b"/srv/data"), [DATA, OTHER], lambda root: root not in gone) == OTHER
    assert moved_from(Source(b"/srv/data"), [DATA, OTHER], lambda root: root != b"/data") == DATA


@pytest.mark.parametrize("root", [b"/data", b"/data/2026", b"/"])
def test_a_source_that_shares_files_with_a_known_one_is_not_moved(root: bytes) -> None:
    assert moved_from(Source(root), [DATA], lambda _: False) is None


def test_a_new_source_beside_one_that_is_still_there_is_not_moved() -> None:
    assert moved_from(Source(b"/srv/data"), [DATA], lambda _: True) is None
    assert moved_from(Source(b"/srv/data"), [], lambda _: False) is None


def settings_of(tmp_path: Path, source: str, **options: object) -> ResolvedSettings:
    given = {"source": [source], "journal": str(tmp_path / "j.sqlite3"), "provider": "local", **options}
    return load(given, profile=None, config_file=None, environ={}, cwd=str(tmp_path))


async def test_the_warning_names_both_paths_and_the_option(tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    before = tmp_path / "the data"
    resolved = settings_of(tmp_path, str(tmp_path / "now"))
    assert moved_source_warnings(resolved, {}) == ()  # there is no journal yet
    async with await Journal.open(str(tmp_path / "j.sqlite3")):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "j.sqlite3")) as connection:
        connection.execute("INSERT INTO sources (root) VALUES (?)", (bytes(before),))
        connection.commit()
    (warning,) = moved_source_warnings(resolved, {})
    assert f"{tmp_path / 'now'} is new to this journal" in warning
    assert f"--source-id '{before}'" in warning
    assert moved_source_warnings(settings_of(tmp_path, str(tmp_path / "now"), source_id="media"), {}) == ()
    assert moved_source_warnings(settings_of(tmp_path, str(tmp_path / "none")), {}) == ()  # the run reports it
    before.mkdir()
    assert moved_source_warnings(resolved, {}) == ()


def test_a_damaged_journal_is_left_to_the_run(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite3").write_bytes(b"no database" * 100)
    assert moved_source_warnings(settings_of(tmp_path, str(tmp_path)), {}) == ()
