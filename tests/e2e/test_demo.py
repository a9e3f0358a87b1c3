"""`bulkup demo`: what a newcomer sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from e2e_world import World, run

from bulkup.cli.demo_tree import FILES, MIB, make_tree


def test_the_demonstration_with_a_tree_of_ones_own(tmp_path: Path) -> None:
    """It proves every file, leaves the tree as it was and nothing else behind."""
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
def test_the_demonstration_keeps_what_it_made(tmp_path: Path) -> None:
    """With `--keep` journal and objects stay, and it is said where."""
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
    """One that is not there, one without files, and one that the temporary folder lies in."""
    assert run("demo", str(tmp_path / "gone")).code == 2
    run("demo", str(tmp_path), env={"TMPDIR": str(tmp_path)}).expect(2, "TMPDIR")
    (tmp_path / "empty").mkdir()
    run("demo", str(tmp_path / "empty")).expect(2, "there are no files")


@pytest.mark.slow
def test_the_tree_is_what_it_says(tmp_path: Path) -> None:
    """Two thousand files, one of 64 MiB and no other as large, some empty, odd names, and all of moderate size."""
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
def test_the_demonstration_as_it_comes() -> None:
    """The whole of it."""
    assert "5. Verified" in run("demo").expect(0).out
