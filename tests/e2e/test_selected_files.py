"""Files that are chosen by lists of patterns, age and depth."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_world import World, run


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for name in ("a.mp4", "a.tmp", "cache/b.mp4", "deep/er/c.mp4"):
        path = world.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return world


def test_a_list_of_patterns(world: World, tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("*.tmp\ncache/\n")
    world.upload(*world.local, "--exclude-from", str(tmp_path / "patterns")).expect(0)
    assert {row["path"] for row in world.manifest()} == {"a.mp4", "deep/er/c.mp4"}


def test_a_mistake_in_a_list_is_an_error_before_anything_starts(world: World, tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("*.tmp\n[z-a]\n")
    world.upload(*world.local, "--exclude-from", str(tmp_path / "patterns")).expect(2, "patterns:2")
    assert not world.journal.exists()
    assert not world.store.exists()


def test_levels_ages_and_the_file_of_the_source(world: World) -> None:
    (world.source / ".bulkupignore").write_text("*.tmp\n")
    listed = run("upload", str(world.source), *world.local, "--dry-run", "--max-depth", "2", "--max-age", "1d").expect(
        0
    )
    assert "2 to upload" in listed.out
    world.upload(*world.local, "--no-ignore-file", "--max-depth", "1").expect(0)
    assert {row["path"] for row in world.manifest()} == {".bulkupignore", "a.mp4", "a.tmp"}
