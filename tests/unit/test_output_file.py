"""Output files replace their target when they are complete, meet no other file, and never replace a journal."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from pathlib import Path

import pytest

from bulkup.cli.output_file import output_file, refuse_journals
from bulkup.errors import UsageError
from bulkup.journal import SIDE_FILES


def write(path: Path, text: bytes) -> None:
    with output_file(str(path)) as stream:
        stream.write(text)


def test_the_old_file_is_kept_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(TypeError), output_file(str(path)) as stream:
        stream.writelines([b"new", None])  # type: ignore[list-item]  # the second line fails
    assert path.read_bytes() == b"old"
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["out"]


def test_files_that_lie_in_wait_are_not_touched(tmp_path: Path) -> None:
    """Two outputs at the same time, and links with the name that unfinished files used to have."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (tmp_path / "out.unfinished").symlink_to(victim)
    with output_file(str(tmp_path / "out")) as first, output_file(str(tmp_path / "out")) as second:
        first.write(b"first")
        second.write(b"second")
    assert victim.read_bytes() == b"kept"
    assert (tmp_path / "out").read_bytes() == b"first"


@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_with_the_name_of_the_unfinished_file_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    """Even if another program guesses the name."""
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    victim, guessed = tmp_path / "victim", tmp_path / f".bulkup-{'0' * 16}.unfinished"
    victim.write_bytes(b"kept")
    if is_link:
        guessed.symlink_to(victim)
    else:
        guessed.write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        write(tmp_path / "out", b"text")
    assert victim.read_bytes() == guessed.read_bytes() == b"kept"


def test_the_target_of_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", b"text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"text"


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write(Path(os.devnull), b"text")
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)


def test_a_journal_is_refused_under_every_name(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    (tmp_path / "link").symlink_to(journal)
    for name in ("journal", "link", *(f"journal{end}" for end in SIDE_FILES)):
        with pytest.raises(UsageError, match="belongs to the journal"):
            refuse_journals(str(tmp_path / name), str(journal))
    refuse_journals(str(tmp_path / "out"), str(journal))


def test_another_database_and_its_side_files_are_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    for name in ("other", *(f"other{end}" for end in SIDE_FILES)):
        with pytest.raises(UsageError, match="database"):
            refuse_journals(str(tmp_path / name), str(tmp_path / "journal"))
