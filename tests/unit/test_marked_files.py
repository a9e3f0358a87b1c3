"""Files for a service manager: all or none are written, and never over a file of somebody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from schedule_jobs import job

from bulkup.cli.schedule.marked_files import read_marked, remove_marked, replaced_files
from bulkup.errors import MachineError, UsageError

JOB = job(config="/moved/bulkup.toml")  # which does not exist
MARKED = f"# {JOB.mark()}\n".encode()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_written_into_a_new_folder_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    for end in (b"first\n", b"second\n"):
        with replaced_files({str(folder / "t"): MARKED + end, str(folder / "s"): MARKED}, JOB):
            pass
        assert content(folder) == {"t": MARKED + end, "s": MARKED}
    assert (folder / "t").stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert remove_marked(str(folder / "t"))
    assert not remove_marked(str(folder / "t"))
    assert content(folder) == {"s": MARKED}


def test_if_the_service_manager_fails_the_files_are_as_before(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(MARKED + b"before\n")
    with (
        pytest.raises(MachineError, match="from the manager"),
        replaced_files({str(tmp_path / "t"): MARKED + b"new\n", str(tmp_path / "s"): MARKED}, JOB),
    ):
        raise MachineError("from the manager")
    assert content(tmp_path) == {"t": MARKED + b"before\n"}


@pytest.mark.parametrize("kind", ["file", "empty", "link", "dangling", "folder", "pipe"])
def test_what_bulkup_did_not_write_is_kept(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "t", tmp_path / "other"
    other.write_bytes(MARKED)
    if kind == "file":
        path.write_bytes(b"[Unit]\n")
    elif kind == "empty":
        path.touch()
    elif kind == "link":
        path.symlink_to(other)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "none")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = sorted((entry.name, entry.lstat().st_ino) for entry in tmp_path.iterdir())
    for change in (lambda: remove_marked(str(path)), lambda: _replace({str(path): MARKED})):
        with pytest.raises(UsageError, match="bulkup did not write it"):
            change()
    assert sorted((entry.name, entry.lstat().st_ino) for entry in tmp_path.iterdir()) == before


def test_nothing_is_written_if_one_of_the_files_is_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"[Unit]\n")
    with pytest.raises(UsageError):
        _replace({str(tmp_path / "t"): MARKED, str(tmp_path / "s"): MARKED})
    assert content(tmp_path) == {"s": b"[Unit]\n"}


def test_the_schedule_of_another_profile_or_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").touch()
    for other in (job(profile="weekly"), job(config=str(tmp_path / "bulkup.toml"))):
        (tmp_path / "t").write_text(f"# {other.mark()}\n")
        with pytest.raises(UsageError, match="is the schedule of profile") as caught:
            _replace({str(tmp_path / "t"): MARKED})
        assert "--name" in caught.value.hint


def test_the_schedule_of_a_configuration_file_that_was_moved_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(f"# {job(config='/earlier/bulkup.toml').mark()}\n")
    _replace({str(tmp_path / "t"): MARKED})
    assert content(tmp_path) == {"t": MARKED}


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(MachineError, match="cannot"):
        _replace({str(tmp_path / "folder" / "t"): MARKED})


def test_a_file_that_is_not_there_has_no_mark(tmp_path: Path) -> None:
    assert read_marked(str(tmp_path / "t")) is None


def _replace(texts: dict[str, bytes]) -> None:
    with replaced_files(texts, JOB):
        pass


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
