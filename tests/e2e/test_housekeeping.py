"""Maintenance of a journal over years with the installed command: pruning, and sources that move."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_world import TOKEN, World, run, serving, started


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(8)
    return world


def test_pruning_during_a_run(world: World) -> None:
    """Pruning is refused with 5 during a run. After the run was killed it works, and reports the run as interrupted."""
    (world.source / "large.mp4").write_bytes(bytes(10_000_000))
    prune = ("runs", "--journal", str(world.journal), "--prune", "--older-than", "0", "--json")
    with (
        serving(world.store, "--fault", "slow-body") as url,
        started("upload", str(world.source), "--json", *world.to(url), env=TOKEN) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        run(*prune).expect(5, "another run holds the journal", "prune it when that run has ended")
        process.kill()
        process.wait()
    (said,) = run(*prune).expect(0).lines
    assert (said["event"], said["dry_run"], said["runs"]) == ("prune", False, 0)
    assert "cut off before its end" in run("runs", "--journal", str(world.journal)).expect(0).out


def test_a_source_that_moves(world: World) -> None:
    """With a name for the source no file is uploaded again, even if the name was given after the first run."""
    local = ("--provider", "local", "--json")
    run("upload", str(world.source), *local).expect(0)
    named = (*local, "--source-id", "media")
    run("upload", str(world.source), *named).expect(0)
    moved = world.source.rename(world.root / "moved")
    assert run("upload", str(moved), *named).expect(0).summary["files"]["skipped"] == 8
    rows = run("manifest", "--provider", "local", "--source-id", "media").expect(0).lines
    assert {row["source"] for row in rows} == {str(moved)}
    assert run("manifest").expect(0).lines == rows
