"""Whatever the umask, nobody but the owner reads what may hold a signed URL or a key."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from e2e_world import World, ended, run, started, wait_for

JOURNAL = ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm", "journal.sqlite3.lock")
STATE = ("keys.json", "counters", "port", "lock", "metastudio.jsonl", "xvid.jsonl")


def modes(folder: Path) -> Mapping[str, int]:
    return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir() if entry.is_file()}


def test_what_a_killed_run_leaves_behind(tmp_path: Path) -> None:
    """Main files, side files, locks, copies of a damaged journal, and every folder that was made for them."""
    world = World(tmp_path)
    world.fill(60)
    world.journal = tmp_path / "new" / "deep" / "journal.sqlite3"
    slow = ("--batch-size", "1", "--rate-limit", "1")  # so that it goes on for a minute
    with started("upload", str(world.source), "--json", *world.local, *slow, umask=0) as process:
        wait_for(lambda: world.settled() > 0)
        process.kill()
        ended(process)
    folder, state = world.journal.parent, world.store / "state"
    beside = modes(folder)
    assert set(JOURNAL) <= set(beside)
    kept = {name: mode for name, mode in modes(state).items() if name in STATE}
    assert set(kept) == set(STATE)
    assert {*beside.values(), *kept.values()} == {0o600}
    for path in (folder, folder.parent, state, state / "incoming", state / "parts"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert_copies_are_private(world)


def assert_copies_are_private(world: World) -> None:
    """Damage the journal, have a look at it, and at what is kept of it; its user has opened it to others."""
    (world.journal.parent / "journal.sqlite3-wal").unlink()
    world.journal.write_bytes(b"damaged" * 2000)
    world.journal.chmod(0o644)
    run("status", "--journal", str(world.journal), umask=0).expect(7, "a copy is kept")
    copies = {name: mode for name, mode in modes(world.journal.parent).items() if ".damaged-" in name}
    assert copies
    assert set(copies.values()) == {0o600}
