"""Journals that cannot be used: exit code 7, one message, and the recorded rows are kept."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import secrets
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_world import TIMEOUT, TOKEN, Answer, World, answering, ended, run, started, wait_for
from secret_search import found_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with enough files for a journal of a few hundred kilobytes."""
    world = World(tmp_path)
    world.fill(1000, largest=10)
    return world


@contextlib.contextmanager
def mounted(place: Path, size: bytes) -> Iterator[Path]:
    """Mount a file system of some size."""
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, b"size=" + size) != 0:
        pytest.skip("only root may mount the file system that this test fills")
    try:
        yield place
    finally:
        libc.umount2(os.fsencode(place), 2)


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """Mount a file system of 256 KiB."""
    with mounted(world.root / "small", b"256k") as place:
        yield place


def fill_up(folder: Path) -> None:
    """Fill the file system of a folder to the last block."""
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_the_end_of_a_run_is_recorded_on_a_full_disk(world: World) -> None:
    """Another program fills the disk during the run. `failures` still has the error, from the reserve of the lock."""
    with mounted(world.root / "small", b"32m") as place:
        world.journal = place / "journal.sqlite3"
        options = ["--provider", "local", "--store", str(world.store), "--journal", str(world.journal)]
        with started("upload", str(world.source), "--bwlimit", "50k", *options) as process:
            wait_for(lambda: world.settled() > 5)
            fill_up(place)
            done = ended(process)
        assert done.code == 7
        assert "is full" in done.err
        (run_row, *_) = run("runs", "--json", "--journal", str(world.journal)).expect(0).lines
        assert (run_row["exit_code"], run_row["summary"]["exit_code"]) == (7, 7)
        said = run("failures", "--journal", str(world.journal)).expect(0).out
        assert "ended with 7" in said
        assert "is full" in said
        assert "free some space" in said
        (place / "filler").unlink()
        world.upload(*options).expect(0)
        world.verify()


def test_a_full_disk(world: World, small_disk: Path) -> None:
    """The run ends with one message. Once there is room, the same command resumes."""
    options = ["--provider", "local", "--store", str(world.store), "--journal", str(small_disk / "journal.sqlite3")]
    done = world.upload(*options).expect(7, "is full", "no recorded row is lost")
    assert done.err.count("bulkup: ") == 1
    assert done.summary["exit_code"] == 7
    world.journal = small_disk / "journal.sqlite3"
    recorded = world.settled()
    libc = ctypes.CDLL(None)
    assert libc.mount(b"tmpfs", os.fsencode(small_disk), b"tmpfs", 32, b"size=64m") == 0  # 32 is MS_REMOUNT
    summary = world.upload(*options).expect(0).summary
    assert summary["files"]["skipped"] == recorded
    world.verify()


def limit_files() -> None:
    """Limit the size of files of this process to 200 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_journal_that_may_not_grow(world: World) -> None:
    """A limit on the size of files has the same effect as a full disk. It is named, for SQLite does not know it."""
    # Without PYTHONPATH, coverage is not measured: its data file would hit the limit too.
    world.upload(*world.local, preexec_fn=limit_files, env={"PYTHONPATH": ""}).expect(
        7, "limit on the size of files (200,000 bytes)", "ulimit -f"
    )
    world.upload(*world.local).expect(0)
    world.verify()


def test_a_journal_of_a_newer_version(world: World) -> None:
    """It is not changed, and the message names the next step."""
    with sqlite3.connect(world.journal) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = world.journal.read_bytes()
    world.upload(*world.local).expect(7, "newer bulkup", "version 99", "--journal")
    assert world.journal.read_bytes() == before


@pytest.mark.parametrize("damage", ["noise", "no database"])
def test_a_damaged_journal(world: World, damage: str) -> None:
    """The journal is copied and not overwritten, and the message names the next step."""
    world.upload(*world.local).expect(0)
    content = bytearray(world.journal.read_bytes())
    if damage == "noise":
        content[5000:40_000] = os.urandom(35_000)
    else:
        content = bytearray(b"this is no database\n" * 500)
    for name in os.listdir(world.root):
        if name.startswith(world.journal.name + "-"):
            (world.root / name).unlink()
    world.journal.write_bytes(content)
    world.upload(*world.local).expect(7, "is damaged", "a copy is kept")
    assert world.journal.read_bytes() == bytes(content)
    (copy,) = world.root.glob("*.damaged-*")
    assert copy.read_bytes() == bytes(content)


def test_a_journal_that_cannot_be_made(world: World) -> None:
    """A directory has the name of the journal."""
    world.journal.mkdir()
    world.upload(*world.local).expect(7, str(world.journal))


def test_a_journal_with_two_names(world: World) -> None:
    """Runs and readers refuse it under either name, and nothing is changed."""
    world.upload(*world.local).expect(0)
    other = world.root / "other.sqlite3"
    os.link(world.journal, other)
    before = world.journal.read_bytes()
    for path in (world.journal, other):
        options = ["--provider", "local", "--store", str(world.store), "--journal", str(path)]
        world.upload(*options).expect(7, "2 names", "hard links")
        run("status", "--journal", str(path)).expect(7, "2 names")
    assert world.journal.read_bytes() == before
    other.unlink()
    world.upload(*world.local).expect(0)


def test_a_journal_that_is_no_regular_file(world: World) -> None:
    """A device is refused, and no file is created beside it."""
    before = set(os.listdir("/dev"))
    world.upload("--provider", "local", "--store", str(world.store), "--journal", os.devnull).expect(7, "regular file")
    run("status", "--journal", os.devnull).expect(7, "regular file")
    assert not {name for name in set(os.listdir("/dev")) - before if name.startswith("null")}


def test_a_restored_journal_that_others_can_read(world: World) -> None:
    """Its mode and those of its side files are corrected."""
    world.upload(*world.local).expect(0)
    side_files = [world.root / f"{world.journal.name}{end}" for end in ("", ".lock")]
    for path in side_files:
        path.chmod(0o644)
    world.upload(*world.local).expect(0)
    assert {stat.S_IMODE(path.stat().st_mode) for path in side_files} == {0o600}


def test_a_manifest_onto_the_journal(world: World) -> None:
    """It is a wrong usage, and the journal and its side files stay unchanged."""
    world.upload(*world.local).expect(0)
    before = world.journal.read_bytes()
    for end in ("", ".lock", "-wal"):
        run("manifest", "--journal", str(world.journal), "--output", f"{world.journal}{end}").expect(2, "journal")
    assert world.journal.read_bytes() == before


@pytest.fixture
def with_tickets(tmp_path: Path) -> tuple[World, list[str]]:
    """Return a world whose run was killed while storage had its files, and the signed URLs in its journal."""
    world, asked, release = World(tmp_path), threading.Event(), threading.Event()
    world.fill(3, extensions=("mp4",))

    def answer(path: str, body: bytes) -> Answer:
        if path.startswith("/put/"):
            asked.set()
            release.wait(TIMEOUT)
            return 503, {}, b""
        entries = [
            {
                "upload_url": f"{url}/put/{number}?X-Amz-Expires=9000&X-Amz-Signature={secrets.token_hex(16)}",
                "file_path": f"api-assets/{number}.{item['extension']}",
                "expires_at": "2999-01-01T00:00:00Z",
            }
            for number, item in enumerate(json.loads(body)["items"])
        ]
        return 200, {"Content-Type": "application/json"}, json.dumps({"items": entries}).encode()

    with answering(answer) as url:
        with started("upload", str(world.source), "--processes", "1", *world.to(url), env=TOKEN) as process:
            wait_for(asked.is_set)
            process.kill()
            process.wait()
        release.set()
    with contextlib.closing(sqlite3.connect(world.journal)) as journal:  # it moves the log into the file
        ((tickets,),) = journal.execute("SELECT tickets FROM presign_groups")
    urls = [ticket["url"] for ticket in json.loads(tickets[:-4])]  # a checksum follows the text
    assert len(urls) == 3
    return world, urls


@pytest.mark.parametrize("place", ["host", "path", "signature", "quote", "digit", "id"])
def test_a_flipped_bit_in_a_ticket_prints_no_signed_url(with_tickets: tuple[World, list[str]], place: str) -> None:
    """Neither the run nor a reader, at any log level. A copy is kept, and the journal is not written to."""
    world, urls = with_tickets
    content = world.journal.read_bytes()
    at = content.index(urls[1].encode())
    offset, bit = {
        "host": (urls[1].index("127"), 3),
        "path": (urls[1].index("/put/") + 1, 5),
        "signature": (len(urls[1]) - 10, 7),  # no longer UTF-8
        "quote": (-1, 1),
        "digit": (urls[1].index("9000"), 0),
        "id": (content.index(b"api-assets/1") + 3 - at, 6),
    }[place]
    damaged = bytearray(content)
    damaged[at + offset] ^= 1 << bit
    world.journal.write_bytes(damaged)
    signatures = [url.rpartition("=")[2] for url in urls]
    done = world.upload(*world.to("http://127.0.0.1:9"), "--log-level", "debug", env=TOKEN)
    done.expect(7, "is damaged", "a copy is kept")
    readers = [run(command, "--journal", str(world.journal)) for command in ("status", "manifest", "orphans")]
    for one in (done, *readers):
        assert found_in(one.out + one.err, signatures) == []
        assert "/put/" not in one.out + one.err
        assert "Traceback" not in one.err
    assert world.journal.read_bytes() == bytes(damaged)
    (copy,) = (each for each in world.root.glob("*.damaged-*") if not each.name.endswith(("-wal", "-shm")))
    assert copy.read_bytes() == bytes(damaged)
