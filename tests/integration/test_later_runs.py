"""Runs after earlier ones: uploads that the service deletes, sources that moved, and files that are uploaded again."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from pipeline_world import World, world
from typer.testing import CliRunner

from bulkup import ExitCode, UsageError, preview
from bulkup.api import Preview
from bulkup.cli.app import app
from bulkup.reports.summary import summary_text

FILES: dict[str | bytes, bytes] = {"a.mp4": b"a", "b.mp4": b"b", "d/c.mp4": b"c"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        running.write(FILES)
        yield running


def ids(place: World) -> dict[bytes, str | None]:
    return {row.path: row.remote_id for row in place.manifest()}


def expire(place: World, name: bytes) -> None:
    """Let the time pass until which the service keeps a file."""
    with contextlib.closing(sqlite3.connect(place.journal)) as connection, connection:
        connection.execute("UPDATE files SET kept_until = 1 WHERE path = ?", (name,))


def previewed(place: World, **changes: object) -> dict[bytes, Preview]:
    return {entry.path: entry for entry in preview(place.resolved(**changes), environ={})}


async def test_expired_uploads_are_counted_and_not_repeated(here: World) -> None:
    """They are skipped, also a file that has to be compared first."""
    await here.run()
    expire(here, b"a.mp4")
    expire(here, b"b.mp4")
    os.chmod(here.source / "b.mp4", 0o600)
    before = previewed(here)
    assert [(before[name].action, before[name].expired) for name in sorted(before)] == [
        ("unchanged", True),
        ("check", True),
        ("unchanged", False),
    ]
    summary = await here.run()
    files = summary.as_dict()["files"]
    assert (summary.exit_code, files["skipped"], summary.as_dict()["expired"]) == (ExitCode.OK, 3, 2)
    assert here.puts == 3


async def test_expired_uploads_are_repeated_with_reupload_expired(here: World) -> None:
    """Only those are. The old id is superseded, and the new upload has a new expiry."""
    await here.run()
    old = ids(here)
    expire(here, b"a.mp4")
    before = previewed(here, reupload_expired=True)
    assert [entry.path for entry in before.values() if entry.action == "upload"] == [b"a.mp4"]
    assert before[b"a.mp4"].reason == "the service no longer keeps what was uploaded"
    summary = await here.run(reupload_expired=True)
    files = summary.as_dict()["files"]
    assert (files["uploaded"], files["skipped"], summary.as_dict()["expired"]) == (1, 2, 0)
    here.assert_uploaded()
    assert [(row.remote_id, row.superseded_by) for row in here.superseded()] == [(old[b"a.mp4"], ids(here)[b"a.mp4"])]
    assert (await here.run(reupload_expired=True)).as_dict()["files"]["skipped"] == 3


async def test_the_old_id_of_a_changed_file_is_superseded(here: World) -> None:
    """All ids that the service issued are in the manifest or superseded."""
    await here.run()
    old = ids(here)
    here.write({"a.mp4": b"another"})
    await here.run()
    here.assert_uploaded()
    (row,) = here.superseded()
    assert (row.remote_id, row.superseded_by, row.path) == (old[b"a.mp4"], ids(here)[b"a.mp4"], b"a.mp4")
    assert (here.lost_ids(), here.orphans()) == (0, [])


@pytest.mark.parametrize("copied", [False, True])
async def test_a_source_with_a_source_id_may_move(here: World, copied: bool) -> None:
    """After a move, or as a copy with other inodes, no file is uploaded again. The manifest has the new path."""
    await here.run(source_id="media")
    moved = here.folder / "moved"
    if copied:
        shutil.copytree(here.source, moved)
    shutil.move(here.source, here.folder / "away" if copied else moved)
    there = {"source": (str(moved),), "source_id": "media"}
    assert {entry.action for entry in previewed(here, **there).values()} == {"check" if copied else "unchanged"}
    (moved / "new.mp4").write_bytes(b"new")
    summary = await here.run(**there)
    assert (summary.as_dict()["files"]["skipped"], summary.as_dict()["files"]["uploaded"]) == (3, 1)
    assert {row.source for row in here.manifest()} == {os.fsencode(os.path.realpath(moved))}
    assert len(here.manifest()) == 4


async def test_a_moved_source_is_found_by_its_old_path_as_source_id(here: World) -> None:
    """An earlier run knew it by its path alone."""
    await here.run()
    name, moved = os.path.realpath(here.source), here.source
    for move in ("first", "second"):
        moved = moved.rename(here.folder / move)
        summary = await here.run(source=(str(moved),), source_id=name)
        assert summary.as_dict()["files"]["skipped"] == 3
    assert here.puts == 3


async def test_a_source_id_belongs_to_one_source(here: World) -> None:
    """Several sources are a usage error. The same source given twice counts once."""
    two_files = tuple(str(here.source / name) for name in ("a.mp4", "b.mp4"))
    for sources in ((str(here.source), str(here.folder)), two_files):
        with pytest.raises(UsageError, match="source_id is the name of one source, and 2 are given"):
            await here.run(source=sources, source_id="media")
    assert not here.journal.exists()
    await here.run(source=(str(here.source), f"{here.source}/"), source_id="media")


# --- the output of commands ---


async def output_of(*arguments: str, code: int = 0) -> str:
    """Run a command and return its output. It runs in a thread, because it starts an event loop.

    With `code` it fails with that exit code, and the message is returned.
    """
    result = await anyio.to_thread.run_sync(CliRunner().invoke, app, arguments)
    assert (result.exit_code, result.exception) == (0, None) or isinstance(result.exception, UsageError)
    if code:
        assert isinstance(result.exception, UsageError)
        assert int(result.exception.exit_code) == code
        return result.exception.message
    return str(result.stdout)


async def lines(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await output_of(*arguments, "--json")).splitlines()]


async def test_commands_report_expired_uploads_and_superseded_ids(here: World) -> None:
    """`status` and a dry run name the option that uploads them again, and `orphans` lists the ids to delete."""
    await here.run()
    old = ids(here)
    expire(here, b"a.mp4")
    notice = "1 file is past the time that the service keeps uploads; `bulkup upload --reupload-expired`"
    journal = ("--journal", str(here.journal))
    upload = ("upload", str(here.source), "--dry-run", "--provider", here.provider, "--base-url", here.server.url)
    assert notice in await output_of("status", *journal)
    assert notice in await output_of(*upload, *journal)
    again = await output_of(*upload, *journal, "--reupload-expired")
    assert "a.mp4  (the service no longer keeps what was uploaded)" in again
    assert notice not in again
    assert {line["path"]: line["expired"] for line in (await lines(*upload, *journal))[:-1]} == {
        "a.mp4": True,
        "b.mp4": False,
        "d/c.mp4": False,
    }
    await here.run(reupload_expired=True)
    assert "past the time" not in await output_of("status", *journal)
    assert "1 remote id of files that were uploaded again" in await output_of("status", *journal)
    (line,) = await lines("orphans", *journal)
    expected = ("superseded", old[b"a.mp4"], ids(here)[b"a.mp4"], "1970-01-01T00:00:01.000Z")
    assert (line["kind"], line["remote_id"], line["superseded_by"], line["kept_until"]) == expected
    assert f"{old[b'a.mp4']} for a.mp4 (its file was uploaded again as " in await output_of("orphans", *journal)


async def test_runs_are_pruned_by_age(here: World) -> None:
    """The default is 90 days. A dry run says what is deleted, and uploaded files stay."""
    for _ in range(3):
        await here.run()
    before = here.manifest()
    prune = ("runs", "--journal", str(here.journal), "--prune")
    assert (await lines(*prune))[0]["runs"] == 0
    assert "Would delete: 2 runs, 0 orphans" in await output_of(*prune, "--older-than", "0", "--dry-run")
    assert len(await lines(*prune[:-1])) == 3
    assert "Deleted: 2 runs, 0 orphans, 0 superseded ids, 0 files" in await output_of(*prune, "--older-than", "0s")
    assert [line["running"] for line in await lines(*prune[:-1])] == [False]
    assert here.manifest() == before
    assert (await here.run()).as_dict()["files"]["skipped"] == 3


async def test_options_of_prune_need_prune(here: World) -> None:
    """A mistake must neither list runs instead of pruning nor prune younger runs."""
    await here.run()
    runs = ("runs", "--journal", str(here.journal))
    for wrong in (("--older-than", "1d"), ("--dry-run",)):
        assert await output_of(*runs, *wrong, code=2) == "--older-than and --dry-run are only for --prune"
    assert await output_of(*runs, "--prune", "30d", code=2) == "30d is not a source"
    message = await output_of(*runs, "--prune", "--older-than", "old", code=2)
    assert message == "--older-than: expected a duration, such as 30 or 30s, 5m, 1h30m or 1d, not old"


def unstable(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    """Have each `stat` of a file in the source show another inode and change time, as some FUSE mounts do."""
    numbers, inside = itertools.count(1000), os.fsencode(source) + b"/"

    def shifting(real: Callable[..., os.stat_result]) -> Callable[..., Any]:
        def look(name: Any, **options: Any) -> Any:
            status, folder = real(name, **options), options.get("dir_fd")
            fd = name if isinstance(name, int) else folder
            path = os.readlink(f"/proc/self/fd/{fd}") if fd is not None else os.fspath(name)
            if not os.fsencode(path + "/" if isinstance(path, str) else path).startswith(inside):
                return status
            fields = {field: getattr(status, field) for field in dir(status) if field.startswith("st_")}
            number = next(numbers)
            return SimpleNamespace(**fields | {"st_ino": number, "st_ctime_ns": status.st_ctime_ns + number})

        return look

    for name in ("stat", "lstat", "fstat"):
        monkeypatch.setattr(os, name, shifting(getattr(os, name)))


async def test_a_file_system_without_stable_inodes_can_be_uploaded(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `size-mtime` later runs read nothing again. Otherwise every file is changed, and the summary has a hint."""
    with monkeypatch.context() as patch:
        unstable(patch, here.source)
        summary = await here.run()
        assert (summary.exit_code, summary.counters.changed, here.puts) == (3, len(FILES), 0)
        assert "size-mtime" in str(summary_text(summary.as_dict()))
        assert (await here.run(identity="size-mtime")).exit_code == 0
        here.assert_uploaded()
        for _ in range(2):
            summary = await here.run(identity="size-mtime")
            assert (summary.exit_code, summary.counters.skipped) == (0, len(FILES))
        os.utime(here.source / "a.mp4", (1, 1))
        assert (await here.run(identity="size-mtime")).counters.uploaded == 1
    summary = await here.run(identity="size-mtime")
    assert (summary.exit_code, summary.counters.skipped) == (0, len(FILES))
    summary = await here.run()  # the digests are compared once
    assert (summary.exit_code, summary.counters.uploaded, here.puts) == (0, 0, len(FILES) + 1)
    here.assert_uploaded()
