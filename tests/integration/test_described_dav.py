"""Provider http without a call, against a real nginx with DAV: whole runs, resumed and repeated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from nginx_world import nginx
from pipeline_world import QUICK_RETRIES, read_tree

from bulkup import FileState, Settings, Summary, Uploader
from bulkup.api.dry_run import place_conflicts
from bulkup.errors import UsageError
from bulkup.journal import Reader


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder of files with awkward names."""
    folder = tmp_path / "source"
    names: list[str | bytes] = ["a.mp4", "d/b c.mov", "d/e/ü#?%.png", "no extension", "large.bin", b"bad\xff.mp4"]
    for name in names:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(os.fsencode(name) * (300_000 if name == "large.bin" else 3))
    return folder


def settings_of(source: Path, url: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "source": (str(source),),
        "provider": "http",
        "http": {"url": url, **changes.pop("http", {})},
        "journal": str(source.parent / "state" / "journal.sqlite3"),
        "processes": 1,
        **changes,
    }
    return Settings(**values)


async def run(settings: Settings, **environ: str) -> Summary:
    async with Uploader(settings, environ=environ, tunables=QUICK_RETRIES) as uploader:
        return await uploader.run()


def folder_of(tmp_path: Path) -> str:
    """Return a folder of nginx of its own for each test."""
    return f"dav-{tmp_path.name}-{os.getpid()}"


async def test_a_tree_is_stored_under_its_paths(tmp_path: Path, source: Path) -> None:
    """Every file is stored as it is. Nothing in nginx's answers proves the bytes, so files are unverified."""
    folder = folder_of(tmp_path)
    settings = settings_of(source, f"{nginx().url('plain')}/{folder}/{{path}}")
    summary = await run(settings)
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 6, 6)
    assert summary.counters.presign_calls == 0
    assert read_tree(nginx().folder / "objects" / folder) == read_tree(source)
    with Reader(str(source.parent / "state" / "journal.sqlite3")) as reader:
        rows = {row.path: row for row in reader.manifest()}
        assert list(reader.orphans()) == []
    assert rows[b"d/b c.mov"].remote_id == f"/{folder}/d/b%20c.mov"
    assert {row.status for row in rows.values()} == {FileState.UNVERIFIED}


async def test_a_second_run_sends_nothing(tmp_path: Path, source: Path) -> None:
    """A file that was changed is sent again to the same place."""
    folder = folder_of(tmp_path)
    settings = settings_of(source, f"{nginx().url('plain')}/{folder}/{{path}}")
    await run(settings)
    (source / "a.mp4").write_bytes(b"changed")
    summary = await run(settings)
    assert (summary.exit_code, summary.counters.skipped, summary.counters.uploaded) == (0, 5, 1)
    assert nginx().stored(f"{folder}/a.mp4") == b"changed"


async def test_a_status_that_is_no_success(tmp_path: Path, source: Path) -> None:
    """nginx answers 201 to a new file, and the description expects 204."""
    settings = settings_of(
        source, f"{nginx().url('plain')}/{folder_of(tmp_path)}/{{path}}", http={"put": {"success": [204]}}, attempts=1
    )
    summary = await run(settings)
    assert (summary.exit_code, summary.counters.uploaded) == (1, 0)
    assert any("means success here" in reason for _, reason in summary.counters.reasons)


async def test_a_server_that_refuses(tmp_path: Path, source: Path) -> None:
    """The query with its secret is in no message."""
    settings = settings_of(
        source, f"{nginx().url('refuses')}/{{path}}?{{sas}}", http={"secrets": {"sas": "env:SAS"}}, attempts=1
    )
    summary = await run(settings, SAS="sig=s3cret-0001")
    assert summary.exit_code != 0
    assert "s3cret" not in repr(summary.as_dict()) + str(summary.error)


async def test_two_files_with_one_url(tmp_path: Path, source: Path) -> None:
    """Only the first is sent. `config check` names both."""
    (source / "d" / "a.mp4").write_bytes(b"other")
    settings = settings_of(source, f"{nginx().url('plain')}/{folder_of(tmp_path)}/{{name}}")
    found = list(place_conflicts(settings, profile=None, environ={}))
    assert [entry.path for entry in found] == [b"d/a.mp4"]
    summary = await run(settings)
    assert (summary.exit_code, summary.counters.rejected) == (3, 1)


async def test_a_secret_that_is_not_set(source: Path) -> None:
    settings = settings_of(source, "http://127.0.0.1:9/{path}?{sas}", http={"secrets": {"sas": "env:SAS"}})
    with pytest.raises(UsageError, match=r"http.secrets.sas: env:SAS is not set"):
        await run(settings)
