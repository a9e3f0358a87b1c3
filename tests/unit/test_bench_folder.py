"""The folders of benches: removed if their bench was killed, and only then."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bench_world import journal_with

from bulkup.cli.bench_folder import BenchFolder, Leftover, remove_leftovers
from bulkup.cli.bench_manifest import BenchManifest, IdsNotWrittenError

# Makes a folder as a bench does, records its manifest, and waits to be killed.
_BENCH = """
import sys
from bulkup.cli.bench_folder import BenchFolder
from bulkup.cli.bench_manifest import BenchManifest
folder = BenchFolder()
manifest = BenchManifest(sys.argv[1])
folder.will_write_to(manifest.reserved)
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def leftovers(temporary: Path) -> list[Leftover]:
    return list(remove_leftovers(str(temporary)))


def killed(temporary: Path, manifest: Path) -> Path:
    """Return the folder of a bench that was killed."""
    command = [sys.executable, "-c", _BENCH, str(manifest)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)}
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().decode().strip())
        assert leftovers(temporary) == []  # it runs
        process.send_signal(signal.SIGKILL)
    assert folder.is_dir()
    return folder


async def test_the_folder_of_a_killed_bench_is_removed_after_its_ids_are_written(
    temporary: Path, tmp_path: Path
) -> None:
    folder = killed(temporary, tmp_path / "ids")
    await journal_with(folder, "one", "two")
    (folder / "files-1").mkdir()
    (left,) = leftovers(temporary)
    assert (left.folder, left.kept, left.created.ids) == (str(folder), None, 2)
    assert len((tmp_path / "ids").read_text().splitlines()) == 2
    assert list(temporary.iterdir()) == []


async def test_a_folder_whose_ids_cannot_be_written_is_kept(temporary: Path, tmp_path: Path) -> None:
    """It is the only record of them."""
    folder = killed(temporary, tmp_path / "ids")
    journal = await journal_with(folder, "one")
    # Made before the other is removed, so that it cannot get the same inode.
    (tmp_path / "other").write_bytes(b"another's")
    os.replace(tmp_path / "other", tmp_path / "ids")
    (left,) = leftovers(temporary)
    assert left.kept is not None
    assert journal in left.kept
    assert (tmp_path / "ids").read_bytes() == b"another's"
    assert folder.is_dir()


async def test_a_file_with_other_content_is_not_replaced(temporary: Path, tmp_path: Path) -> None:
    """A new file may get the inode of a removed one."""
    folder = killed(temporary, tmp_path / "ids")
    await journal_with(folder, "one")
    (tmp_path / "ids").write_bytes(b"another's")
    (left,) = leftovers(temporary)
    assert left.kept is not None
    assert (tmp_path / "ids").read_bytes() == b"another's"
    assert folder.is_dir()


async def test_the_ids_of_a_killed_bench_are_completed(temporary: Path, tmp_path: Path) -> None:
    """Its last line may be cut."""
    folder = killed(temporary, tmp_path / "ids")
    await journal_with(folder, "one")
    (tmp_path / "ids").write_bytes(b'{"remote_id":"zero"}\n{"remo')
    (left,) = leftovers(temporary)
    assert left.kept is None
    assert b'"one"' in (tmp_path / "ids").read_bytes()


def test_a_bench_that_was_killed_before_it_sent_anything(temporary: Path, tmp_path: Path) -> None:
    folder = killed(temporary, tmp_path / "ids")
    assert leftovers(temporary) == [Leftover(str(folder))]
    assert list(temporary.iterdir()) == []


def test_a_running_bench_keeps_its_folder(temporary: Path) -> None:
    with BenchFolder(str(temporary)) as folder:
        assert leftovers(temporary) == []
        assert Path(folder.path).is_dir()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_holds_the_only_record_is_kept(temporary: Path, tmp_path: Path) -> None:
    """The next bench tries again to write its ids."""
    with contextlib.suppress(IdsNotWrittenError), BenchFolder(str(temporary)) as folder:
        with contextlib.closing(BenchManifest(str(tmp_path / "ids"))) as manifest:
            folder.will_write_to(manifest.reserved)
        raise IdsNotWrittenError("no")
    assert Path(folder.path).is_dir()
    assert leftovers(temporary) == [Leftover(folder.path)]


@pytest.mark.parametrize("reason", ["no lock", "readable by others", "a link", "a file", "another name", "damaged"])
def test_what_is_not_surely_of_a_bench_is_not_touched(temporary: Path, tmp_path: Path, reason: str) -> None:
    folder = killed(temporary, tmp_path / "ids")
    match reason:
        case "no lock":
            (folder / "bench.lock").unlink()
        case "readable by others":
            folder.chmod(0o755)
        case "a link":
            folder.rename(tmp_path / "elsewhere")
            folder.symlink_to(tmp_path / "elsewhere")
        case "a file":
            shutil.rmtree(folder)
            folder.write_bytes(b"")
        case "another name":
            folder.rename(temporary / "other")
        case _:
            (folder / "bench.lock").write_text(json.dumps([1]))
    before = sorted(temporary.rglob("*"))
    found = leftovers(temporary)
    assert [left.kept is not None for left in found] == ([True] if reason == "damaged" else [])
    assert sorted(temporary.rglob("*")) == before
