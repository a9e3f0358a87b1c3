"""`bulkup serve --prune` removes a store, and nothing else."""

from __future__ import annotations

from pathlib import Path

from e2e_world import World, run, serving

MEASURED = {"UNMEASURED_COMMAND": ""}


def test_objects_and_records_are_removed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(5, least=1)
    done = world.upload(*world.local).expect(0, "provider local copies each file to this disk")
    assert str(world.store) in done.err
    (world.store / "mine.txt").write_text("x")
    assert "removed 5 objects" in run("serve", "--prune", "--store", str(world.store), env=MEASURED).expect(0).out
    assert [path.name for path in world.store.iterdir()] == ["mine.txt"]


def test_the_default_store_is_that_of_provider_local(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(2, least=1)
    folders = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}
    run("upload", str(world.source), "--provider", "local", env=folders).expect(0)
    assert "removed 2 objects" in run("serve", "--prune", env=folders).expect(0).out


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "precious").write_text("x")
    run("serve", "--prune", "--store", str(tmp_path)).expect(2, "is no store")
    assert (tmp_path / "objects" / "precious").exists()


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "store"):
        run("serve", "--prune", "--store", str(tmp_path / "store")).expect(7, "another server uses")
