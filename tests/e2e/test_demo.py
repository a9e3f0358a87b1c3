"""`bulkup demo`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from e2e_world import World, run

from bulkup.cli.demo_tree import FILES, MIB, make_tree


def test_the_demo_with_a_given_tree(tmp_path: Path) -> None:
    """It checks every file of the given tree, does not change the tree, and leaves no files behind."""
    world = World(tmp_path)
    world.fill(60)
    before = {path: path.stat().st_mtime_ns for path in world.source.rglob("*")}
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = run("demo", str(world.source), env={"TMPDIR": str(temporary)}).expect(0)
    assert "5. Verified" in done.out
    assert "60 files" in done.out
    assert {path: path.stat().st_mtime_ns for path in world.source.rglob("*")} == before
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_the_demo_keeps_its_files_on_request(tmp_path: Path) -> None:
    """With `--keep` the journal and the objects stay, and their place is printed."""
    world = World(tmp_path)
    world.fill(3)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = run("demo", str(world.source), "--keep", env={"TMPDIR": str(temporary)}).expect(0)
    (kept,) = temporary.iterdir()
    assert f"Kept: {kept}" in done.out
    (status,) = run("status", "--journal", str(kept / "journal.sqlite3"), "--json").expect(0).lines
    assert status["files"] == {"uploaded": 3}


def test_trees_that_cannot_be_used(tmp_path: Path) -> None:
    """The tree does not exist, has no files, or contains the temporary folder."""
    run("demo", str(tmp_path / "gone")).expect(2, f"cannot use {tmp_path / 'gone'}: No such file or directory")
    run("demo", os.devnull).expect(2, f"cannot use {os.devnull}: Not a directory", "name a directory with files")
    run("demo", "").expect(2, "cannot use")
    run("demo", str(tmp_path), env={"TMPDIR": str(tmp_path)}).expect(2, "TMPDIR")
    (tmp_path / "empty").mkdir()
    run("demo", str(tmp_path / "empty")).expect(2, "there are no files")


@pytest.mark.slow
def test_the_generated_tree(tmp_path: Path) -> None:
    """There are two thousand files with odd names, some of them empty, and one of 64 MiB."""
    make_tree(str(tmp_path))
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(os.fsencode(tmp_path)) for name in names]
    sizes = sorted(os.path.getsize(path) for path in paths if not os.path.islink(path))
    assert len(sizes) == FILES
    assert (sizes[0], sizes[-1]) == (0, 64 * MIB)
    assert sizes[-2] < 64 * MIB
    assert 1 in sizes
    assert 300 * MIB < sum(sizes) < 400 * MIB
    assert max(len(os.path.basename(path)) for path in paths) == 255


@pytest.mark.slow
def test_the_demo_with_its_own_tree() -> None:
    """The whole demo, with its own tree."""
    assert "5. Verified" in run("demo").expect(0).out
