"""The journal's file has one name, is a regular file, and is readable by its owner only."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkup.errors import JournalError
from bulkup.journal.journal_file import (
    SIDE_FILES,
    check_for_reading,
    check_side_files,
    is_file_of_journal,
    make_side_files_private,
    open_own_file,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_own_file(str(tmp_path / "journal")))
    finally:
        os.umask(before)
    assert mode(tmp_path / "journal") == 0o600


def test_a_mode_that_lets_its_owner_do_nothing_is_corrected(tmp_path: Path) -> None:
    """SQLite would give the log of such a journal the mode 0644."""
    path = tmp_path / "journal"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    os.fchmod(fd, 0)
    if os.geteuid() != 0:
        pytest.skip("only root can open such a file")
    os.close(fd)
    os.close(open_own_file(str(path)))
    assert mode(path) == 0o600


@pytest.mark.parametrize("wide", [0o644, 0o660, 0o604, 0o777])
def test_a_mode_that_lets_others_in_is_corrected(tmp_path: Path, wide: int) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"kept")
    path.chmod(wide)
    os.close(open_own_file(str(path)))
    assert mode(path) == 0o600
    assert path.read_bytes() == b"kept"


def test_side_files_of_an_earlier_run_are_corrected(tmp_path: Path) -> None:
    for end in SIDE_FILES:
        (tmp_path / f"journal{end}").touch(0o644)
    make_side_files_private(str(tmp_path / "journal"))
    assert {mode(entry) for entry in tmp_path.iterdir()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_readable_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.touch(0o644)
    os.chown(path, 12345, 12345)
    with pytest.raises(JournalError, match="another user"):
        open_own_file(str(path))
    assert mode(path) == 0o644


def test_a_file_system_that_keeps_no_modes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    path.touch(0o644)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    with pytest.raises(JournalError, match="mode"):
        open_own_file(str(path))


def test_a_file_with_two_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"kept")
    os.link(path, tmp_path / "other")
    for name in ("journal", "other"):
        with pytest.raises(JournalError, match="2 names"):
            open_own_file(str(tmp_path / name))
        with pytest.raises(JournalError, match="2 names"):
            check_for_reading(str(tmp_path / name))
    assert path.read_bytes() == b"kept"


def test_a_link_is_refused_for_writing(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(JournalError, match="symbolic link"):
        open_own_file(str(tmp_path / "link"))
    check_for_reading(str(tmp_path / "link"))


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (os.devnull, str(tmp_path), str(tmp_path / "pipe")):
        with pytest.raises(JournalError, match="not a regular file"):
            open_own_file(path)
        with pytest.raises(JournalError, match="not a regular file"):
            check_for_reading(path)


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_files_that_sqlite_uses_must_be_regular_and_have_one_name(tmp_path: Path, end: str) -> None:
    """SQLite would wait for a pipe without end. Of a link it says only that it cannot open the file."""
    path, side = str(tmp_path / "journal"), tmp_path / f"journal{end}"
    Path(path).touch(0o600)
    (tmp_path / "other").write_bytes(b"kept")
    kinds: list[tuple[Callable[[], object], str]] = [
        (lambda: os.mkfifo(side), "not a regular file"),
        (side.mkdir, "not a regular file"),
        (lambda: side.symlink_to("other"), "symbolic link"),
        (lambda: os.link(tmp_path / "other", side), "2 names"),
    ]
    for make, reason in kinds:
        make()
        for check in (check_side_files, check_for_reading):
            with pytest.raises(JournalError, match=reason):
                check(path)
        side.rmdir() if side.is_dir() else side.unlink()
    side.touch(0o600)
    check_for_reading(path)


_MOUNTED = """
import sys
from bulkup.errors import JournalError
from bulkup.journal.journal_file import check_for_reading, open_own_file
for check in (open_own_file, check_for_reading):
    try:
        check(sys.argv[1])
    except JournalError as error:
        print(error.message, error.hint)
"""


def test_a_file_that_is_a_mount_point_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for path in (tmp_path / "journal", tmp_path / "here" / "journal"):
        path.touch(0o600)
    script = f'mount --bind "$1" "$2" || exit 77; exec "{sys.executable}" -c "$3" "$2"'
    target = str(tmp_path / "here" / "journal")
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare")
    command = [unshare, "-rm", "sh", "-c", script, "sh", str(tmp_path / "journal"), target, _MOUNTED]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode in (1, 77) and not ended.stdout:
        pytest.skip(f"mounts are not allowed here: {ended.stderr}")
    assert ended.stdout.count("mount point") == 2, ended.stderr
    assert ended.stdout.count("mount the journal's folder") == 2


def test_paths_that_lead_to_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    (tmp_path / "link").symlink_to("journal")
    (tmp_path / "folder").symlink_to(tmp_path)
    os.link(journal, tmp_path / "second")
    sides = [f"journal{end}" for end in SIDE_FILES]
    for name in ("journal", "link", "second", "folder/journal", "x/../journal", *sides):
        assert is_file_of_journal(str(tmp_path / name), str(journal)), name
    for name in ("other", "journal.jsonl", "folder", "journal.lock2"):
        assert not is_file_of_journal(str(tmp_path / name), str(journal)), name
