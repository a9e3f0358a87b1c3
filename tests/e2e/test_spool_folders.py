"""`--delete-after-upload` and `--move-to`: files leave their source once their upload is proven and recorded."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from e2e_world import TOKEN, World, puts, run, serving, started

SMALL = ("--batch-size", "20", "--concurrency", "8", "--log-level", "warning")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def left(world: World) -> list[Path]:
    return [path for path in world.source.rglob("*") if path.is_file()]


def check_objects(world: World, files: dict[str, bytes]) -> None:
    """Assert that the store has the bytes of each file, by its row in the manifest."""
    rows = {row["path"]: row for row in world.manifest()}
    assert rows.keys() == files.keys()
    for path, content in files.items():
        assert rows[path]["status"] == "uploaded"
        assert (world.store / "objects" / rows[path]["remote_id"]).read_bytes() == content


def query(journal: Path, text: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        return connection.execute(text).fetchall()


def contents(world: World) -> dict[str, bytes]:
    return {str(path.relative_to(world.source)): path.read_bytes() for path in left(world)}


def test_an_emptied_source_is_no_lost_mount(world: World) -> None:
    """Run, everything is removed, run again. A source that is empty for another reason still is one."""
    for name in ("a.mp4", "b.mp4"):
        (world.source / name).write_bytes(name.encode())
    before = contents(world)
    summary = world.upload(*world.local, "--delete-after-upload").expect(0).summary
    assert (summary["removed"], summary["kept"], summary["not_removed"]) == (2, 0, 0)
    assert left(world) == []
    check_objects(world, before)
    verified = run("verify", "--local", "--json", "--journal", str(world.journal)).expect(0).lines
    assert [line["disk"]["removed"] for line in verified] == [2]  # the figures alone: nothing differs
    marked = run("manifest", "--on-disk", "--journal", str(world.journal)).expect(0).lines
    assert [row["on_disk"] for row in marked] == ["removed", "removed"]
    (file,) = run("status", str(world.source / "a.mp4"), "--json", "--journal", str(world.journal)).expect(0).lines
    assert file["on_disk"] == "removed"
    for options in ((), ("--delete-after-upload",)):
        world.upload(*world.local, *options).expect(0)
    (world.source / "a.mp4").write_bytes(b"another file with an earlier name")
    world.upload(*world.local).expect(0)
    (world.source / "a.mp4").unlink()
    world.upload(*world.local, "--delete-after-upload").expect(3)
    (deleted, figures) = run("verify", "--local", "--json", "--journal", str(world.journal)).expect(3).lines
    assert (deleted["path"], deleted["disk"], figures["disk"]["removed"]) == ("a.mp4", "deleted", 1)
    rows = "SELECT CAST(path AS TEXT) FROM removed ORDER BY path"
    assert [path for (path,) in query(world.journal, rows)] == ["a.mp4", "b.mp4"]
    run("runs", "--prune", "--journal", str(world.journal)).expect(0)
    assert [path for (path,) in query(world.journal, rows)] == ["b.mp4"]  # that of a.mp4 is before its last upload


def test_moved_files_keep_their_paths_and_empty_folders_stay(world: World, tmp_path: Path) -> None:
    world.fill(20)
    before, target = contents(world), tmp_path / "done"
    target.mkdir()
    summary = world.upload(*world.local, "--move-to", str(target)).expect(0).summary
    assert (summary["moved"], summary["removed"]) == (20, 0)
    assert left(world) == []
    assert {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*.*")} == before
    assert any(world.source.iterdir())
    check_objects(world, before)


def test_files_of_earlier_runs_are_removed_if_they_are_unchanged(world: World) -> None:
    """So are those of a run that was killed between row and removal. A dry run says which."""
    names = ("old.mp4", "touched.mp4", "linked.mp4")
    for name in names:
        (world.source / name).write_bytes(name.encode())
    os.link(world.source / "linked.mp4", world.root / "link")
    world.upload(*world.local).expect(0)
    (world.source / "touched.mp4").write_bytes(b"another version")
    (world.source / "new.mp4").write_bytes(b"new")
    options = (*world.local, "--delete-after-upload")
    would = {line["path"]: line for line in world.upload(*options, "--dry-run").expect(0).lines if "path" in line}
    assert {path: line.get("then") for path, line in would.items()} == {
        "old.mp4": "remove",
        "touched.mp4": "remove",
        "new.mp4": "remove",
        "linked.mp4": None,
    }
    text = run("upload", str(world.source), *options, "--dry-run").expect(0).out
    assert "unchanged  old.mp4  (then removed from the source)" in text
    assert "3 files would be removed from the source" in text
    assert len(left(world)) == 4
    summary = world.upload(*options).expect(0).summary
    assert (summary["removed"], summary["kept"], summary["files"]["skipped"]) == (3, 1, 2)
    assert [path.name for path in left(world)] == ["linked.mp4"]


def test_unverified_files_stay(world: World) -> None:
    (world.source / "a.mp4").write_bytes(b"content")
    for _ in range(2):
        summary = world.upload(*world.local, "--delete-after-upload", "--checksum", "none").expect(0).summary
        assert summary["removed"] == 0
    assert len(left(world)) == 1
    assert [row["status"] for row in world.manifest()] == ["unverified"]


@pytest.mark.parametrize("move", [False, True])
def test_runs_killed_at_any_instant_lose_no_file(world: World, tmp_path: Path, move: bool) -> None:
    world.fill(150, extensions=("mp4", "jpg"))
    before, target = contents(world), tmp_path / "done"
    target.mkdir()
    way = ("--move-to", str(target)) if move else ("--delete-after-upload",)
    with serving(world.store) as url:
        options = [*world.to(url), *way, *SMALL]
        for lines in (1, 15, 40):
            with started("upload", str(world.source), "--json", *options, env=TOKEN) as process:
                assert process.stdout is not None
                for _ in range(lines):
                    process.stdout.readline()
                process.kill()
                process.communicate()
            recorded = {row["path"] for row in world.manifest() if row["status"] == "uploaded"}
            assert before.keys() - contents(world).keys() <= recorded
        world.upload(*options, env=TOKEN).expect(0)
        sent = puts(url)
        world.upload(*options, env=TOKEN).expect(0)
        assert puts(url) == sent
    assert left(world) == []
    check_objects(world, before)
    if move:  # a name that a killed run had reserved is an empty file beside the moved one
        moved = [path.read_bytes() for path in target.rglob("*.*")]
        assert sorted(content for content in moved if content) == sorted(filter(None, before.values()))


def test_a_kill_between_row_and_removal_is_made_up_for(world: World) -> None:
    """As if the last run had been killed after it recorded the removal, before it removed the files."""
    for name in ("a.mp4", "b.mp4"):
        (world.source / name).write_bytes(name.encode())
    world.upload(*world.local).expect(0)
    with sqlite3.connect(world.journal) as connection:
        connection.execute("INSERT INTO removed SELECT destination_id, source_id, path, run_id FROM files")
    connection.close()
    (world.source / "a.mp4").unlink()
    summary = world.upload(*world.local, "--delete-after-upload").expect(0).summary
    assert (summary["removed"], left(world)) == (1, [])
    world.upload(*world.local, "--delete-after-upload").expect(0)


def test_a_removal_that_fails_is_counted_and_fails_no_upload(world: World, tmp_path: Path) -> None:
    """A file stands where a directory is to be made."""
    target = tmp_path / "done"
    target.mkdir()
    (target / "sub").write_bytes(b"in the way")
    (world.source / "sub").mkdir()
    for number in range(6):
        (world.source / "sub" / f"{number}.mp4").write_bytes(b"%d" % number)
    ended = world.upload(*world.local, "--move-to", str(target)).expect(3, "uploaded file not removed")
    assert (ended.summary["not_removed"], ended.summary["files"]["uploaded"]) == (6, 6)
    assert ended.err.count("uploaded file not removed") == 3
    (target / "sub").unlink()
    assert world.upload(*world.local, "--move-to", str(target)).expect(0).summary["moved"] == 6


def test_unusable_settings_are_errors_before_anything_starts(world: World, tmp_path: Path) -> None:
    (world.source / "inside").mkdir()
    (world.source / "a.mp4").write_bytes(b"content")
    for options, message in (
        (("--move-to", str(world.source / "inside")), "is inside the source"),
        (("--move-to", str(world.source)), "is inside the source"),
        (("--move-to", str(tmp_path)), "or contains it"),
        (("--move-to", str(tmp_path / "missing")), "is no directory"),
        (("--move-to", str(world.root), "--delete-after-upload"), "delete_after_upload removes the files"),
        (("--delete-after-upload", "--identity", "size-mtime"), "identity default or strict"),
    ):
        for dry_run in ((), ("--dry-run",)):
            ended = run("upload", str(world.source), *world.local, *options, *dry_run).expect(2)
            assert message in ended.err, (options, ended)
    assert len(left(world)) == 1
    assert not world.journal.exists()
