"""A large file that is sent in parts to `s3`, and a run that is killed in the middle of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from e2e_world import World, puts, serving, started, wait_for

MIB = 1024**2
KEYS = {"BULKUP_ACCESS_KEY": "LOCALACCESSKEY000001", "BULKUP_SECRET_KEY": "local-secret-key"}
WORKERS = 4


def recorded(journal: Path) -> int:
    """Return how many parts the journal has."""
    if not journal.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM parts").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the tables are being made


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize(("parts", "kill_at"), [(40, 20), pytest.param(1000, 500, marks=pytest.mark.slow)])
def test_only_parts_that_were_on_their_way_are_sent_again(tmp_path: Path, parts: int, kill_at: int) -> None:
    """The run gets `kill -9`. The next one sends the parts that no row records, and no other."""
    world = World(tmp_path)
    path = world.source / "large.mov"
    with path.open("wb") as file:  # most of it is a hole, but no part equals another one
        for number in range(parts):
            file.seek(number * 5 * MIB)
            file.write(f"part {number}".encode())
        file.truncate(parts * 5 * MIB - 7)
    with serving(world.store) as url:
        options = [*world.to(url, "s3"), "--bucket", "media", "--part-size", "5M", "--multipart-from", "5M"]
        options += ["--concurrency", str(WORKERS), "--processes", "1"]
        with started("upload", str(world.source), "--quiet", *options, env=KEYS) as process:
            wait_for(lambda: recorded(world.journal) >= kill_at or process.poll() is not None)
            process.kill()
            process.communicate()
        kept, stored = recorded(world.journal), puts(url)
        assert kill_at <= kept < parts
        assert stored - kept <= WORKERS  # that were on their way
        # The embedded server joins the parts before it answers the call that completes the upload.
        with started("upload", str(world.source), "--json", "--idle-timeout", "15m", *options, env=KEYS) as process:
            out, _ = process.communicate(timeout=1500)
        assert process.returncode == 0
        summary = json.loads(out.splitlines()[-1])
        assert puts(url) - stored == parts - kept
        assert (summary["files"]["uploaded"], summary["reused_tickets"]) == (1, 1)
    assert digest_of(world.store / "objects/media/large.mov") == digest_of(path)
    shutil.rmtree(world.store)  # pytest keeps the folders of several runs
