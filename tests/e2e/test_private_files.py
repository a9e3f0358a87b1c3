"""Whatever the umask, nobody but the owner reads what may hold a signed URL or a key."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from e2e_world import World, ended, run, started, wait_for

JOURNAL = ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm", "journal.sqlite3.lock")
STATE = ("keys.json", "counters", "port", "lock", "metastudio.jsonl", "xvid.jsonl")


def modes(folder: Path) -> Mapping[str, int]:
    return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir() if entry.is_file()}


@pytest.fixture
def killed(tmp_path: Path) -> World:
    """What a run with umask 000 leaves behind when it is killed, its journal in folders that were not there."""
    world = World(tmp_path)
    world.fill(200)
    world.journal = tmp_path / "new" / "deep" / "journal.sqlite3"
    with started("upload", str(world.source), "--json", *world.local, umask=0) as process:
        wait_for(lambda: world.settled() > 0)
        process.kill()
        ended(process)
    return world


def test_journal_and_keys_are_private(killed: World) -> None:
    """Main files, side files, locks, and every folder that was made for them."""
    folder, state = killed.journal.parent, killed.store / "state"
    beside = modes(folder)
    assert set(JOURNAL) <= set(beside)
    kept = {name: mode for name, mode in modes(state).items() if name in STATE}
    assert set(kept) == set(STATE)
    assert {*beside.values(), *kept.values()} == {0o600}
    for path in (folder, folder.parent, state, state / "incoming", state / "parts"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


def test_copies_of_a_damaged_journal_are_private(killed: World) -> None:
    """Also where the journal itself was opened to others by its user."""
    (killed.journal.parent / "journal.sqlite3-wal").unlink()
    killed.journal.write_bytes(b"damaged" * 2000)
    killed.journal.chmod(0o644)
    run("status", "--journal", str(killed.journal), umask=0).expect(7, "a copy is kept")
    copies = {name: mode for name, mode in modes(killed.journal.parent).items() if ".damaged-" in name}
    assert copies
    assert set(copies.values()) == {0o600}
