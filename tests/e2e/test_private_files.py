"""Files that may hold a signed URL or a key are readable by their owner only, with any umask."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from e2e_world import World, ended, run, started, wait_for

JOURNAL = ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm", "journal.sqlite3.lock")
STATE = ("keys.json", "counters", "port", "lock", "metastudio.jsonl", "xvid.jsonl")


def modes(folder: Path) -> Mapping[str, int]:
    return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir() if entry.is_file()}


def test_the_files_of_a_killed_run_are_private(tmp_path: Path) -> None:
    """Journals, their side files, locks, copies of a damaged journal, and every folder made for them."""
    world = World(tmp_path)
    world.fill(60)
    world.journal = tmp_path / "new" / "deep" / "journal.sqlite3"
    slow = ("--batch-size", "1", "--rate-limit", "1")  # so that the run takes a minute
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
    """Damage the journal, after its user made it readable to others, and check the copy that is kept of it."""
    (world.journal.parent / "journal.sqlite3-wal").unlink()
    world.journal.write_bytes(b"damaged" * 2000)
    world.journal.chmod(0o644)
    run("status", "--journal", str(world.journal), umask=0).expect(7, "a copy is kept")
    copies = {name: mode for name, mode in modes(world.journal.parent).items() if ".damaged-" in name}
    assert copies
    assert set(copies.values()) == {0o600}
