"""Full, defective and read-only disks, under the journal and under the source.

A run ends with the exit code of docs/design.md section 7 and one message that says what to do. No file is lost, and the
next run continues.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disk_world import failing, fault
from e2e_world import TIMEOUT, TOKEN, Ended, World, environment, run, serving

CONTRACTS = Path(__file__).parents[1] / "contracts"
SMALL = ("--batch-size", "10", "--concurrency", "4", "--log-level", "error")

# Each run of this loop fails a few operations later than the one before. The first run without a failure ends it.
_SWEEP = """
import asyncio, ctypes, json, sys
sys.path.insert(0, sys.argv[1])
from journal_world import *
from bulkup.errors import JournalError

shim = ctypes.CDLL(None)
folder, operation, code, count, step = Path(sys.argv[2]), *sys.argv[3:]

async def record(path, told):
    async with running(path) as (journal, (source,)):
        for number in range(4):
            item = an_item(source, b"%d" % number)
            if item.file.path not in told:
                await upload_one(journal, item, a_ticket(f"remote-{number}"))
                told.append(item.file.path)
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)

async def one(number):
    path, told = folder / str(number) / "journal", []
    shim.disk_fail(f"{operation},/{number}/journal,{number * int(step)},{count},{code}".encode())
    message = "nothing was said"
    try:
        await record(path, told)
    except JournalError as error:
        assert error.exit_code == 7 and error.hint, error
        message = error.message
    met = shim.disk_failures()
    shim.disk_fail(b"")
    return path, told, message if met else None

async def main():
    messages = []
    while not messages or messages[-1] is not None:
        path, told, message = await one(len(messages))
        recorded = list(told)
        await record(path, told)
        assert rows(path) == {b"%d" % n: FileState.UPLOADED for n in range(4)}, rows(path)
        assert told[: len(recorded)] == recorded
        with Reader(str(path)) as reader:
            assert sum(1 for _ in reader.manifest()) == 4
        messages.append(message)
    print(json.dumps(messages))

asyncio.run(main())
"""


@pytest.fixture
def fast_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one. These tests need no real flushes, and those take time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


FAULTS = [
    ("write", errno.ENOSPC, -1, "is full"),
    ("write", errno.EIO, 1, "fails"),
    ("sync", errno.EIO, 1, "fails"),
    ("open", errno.EMFILE, -1, "out of file descriptors"),
]


def sweep(folder: Path, operation: str, code: int, count: int, *, step: int) -> list[str]:
    """Fail at every `step`th operation, in one run each, and return the messages of the runs."""
    arguments = [str(CONTRACTS), str(folder), operation, str(code), str(count), str(step)]
    command = [sys.executable, "-c", _SWEEP, *arguments]
    done = subprocess.run(command, env=environment(failing()), capture_output=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    messages: list[str] = json.loads(done.stdout.splitlines()[-1])  # warnings come before it
    assert messages.pop() is None
    return messages


@pytest.mark.parametrize(("operation", "code", "count", "said"), FAULTS)
def test_the_journals_disk_fails(fast_disk: Path, operation: str, code: int, count: int, said: str) -> None:
    """Any operation may be the first to fail. Files reported as uploaded are recorded, and the next run continues."""
    messages = sweep(fast_disk, operation, code, count, step=4 if operation == "write" else 1)
    assert len(messages) > 3
    assert any(said in message for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "code", "count", "said"), FAULTS[:2])
def test_the_journals_disk_fails_at_any_write(
    fast_disk: Path, operation: str, code: int, count: int, said: str
) -> None:
    """The same for every single write."""
    messages = sweep(fast_disk, operation, code, count, step=1)
    assert len(messages) > 60
    assert any(said in message for message in messages)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """Return forty files and a server. Each test has its own journal."""
    world = World(tmp_path_factory.mktemp("disk"))
    world.fill(40)
    with serving(world.store) as url:
        yield world, url


@pytest.fixture
def upload(place: tuple[World, str], tmp_path: Path) -> Callable[..., Ended]:
    """Upload with a new journal, on a disk as the environment describes it."""
    world, url = place
    world.journal = tmp_path / "state" / "journal"
    options = [*world.to(url), *SMALL]
    return lambda env=None, **kwargs: world.upload(*options, env={**TOKEN, **(env or {})}, **kwargs)


def test_a_run_whose_journal_cannot_grow(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """A quota is exceeded in the middle of the run. There is one message, and the next run sends no file again."""
    faults = failing(fault("write", "state/journal", errno.EDQUOT, skip=170))
    done = upload(faults).expect(7, "check the quota", "no recorded row is lost")
    assert done.err.count("bulkup: ") == 1
    assert done.summary["files"]["uploaded"] > 0
    assert upload().expect(0).summary["files"]["skipped"] == done.summary["files"]["uploaded"]
    place[0].verify()


def test_a_journal_on_a_full_disk_from_the_start(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """The lock file cannot be written either. The message names the journal, and no API call was made."""
    upload(failing(fault("write", "state/journal", errno.ENOSPC))).expect(7, "disk of the journal", "free some space")


def obey_rights() -> None:
    """Remove root's right to ignore file permissions, in a child process before it starts."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert libc.prctl(24, capability, 0, 0, 0) == 0 or os.geteuid() != 0  # 24 is PR_CAPBSET_DROP


def test_a_journal_in_a_read_only_folder(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """A run says that it cannot write. Commands that only read still show the recorded files."""
    world, _ = place
    folder = world.journal.parent
    folder.mkdir(mode=0o555)
    upload(preexec_fn=obey_rights).expect(7, str(world.journal), "Permission denied", "--journal")
    folder.chmod(0o755)
    files = upload().expect(0).summary["files"]["uploaded"]
    folder.chmod(0o555)
    try:
        upload(preexec_fn=obey_rights).expect(7, str(world.journal), "read-only", "--journal")
        assert len(run("manifest", "--journal", str(world.journal), preexec_fn=obey_rights).expect(0).lines) == files
    finally:
        folder.chmod(0o755)


def test_files_and_folders_that_fail(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """A defective sector, a stale handle, and a folder whose listing fails half-way.

    All other files are uploaded and the exit code is 3. Once the disk works again, the next run uploads the rest.
    """
    world, _ = place
    folder = world.source / "large"
    folder.mkdir()
    for name in ("sector", "stale", "full"):
        (folder / f"{name}.mov").write_bytes(os.urandom(3 * 1024**2))
    for name in ("closed", "torn"):
        (world.source / name).mkdir()
        (world.source / name / "inside.mov").write_bytes(b"inside")
    faults = [
        fault("read", "sector.mov", errno.EIO, skip=1),
        fault("open", "stale.mov", errno.ESTALE),
        fault("read", "full.mov", errno.ENOSPC, skip=2),
        fault("opendir", "source/closed", errno.EIO),
        fault("readdir", "source/torn", errno.EIO),
    ]
    done = upload(failing(*faults)).expect(3)
    assert (done.summary["files"]["unreadable"], done.summary["files"]["uploaded"]) == (5, 40)
    reasons = {line["path"]: line["error"] for line in done.lines if line.get("status") == "unreadable"}
    assert reasons == {
        "large/sector.mov": os.strerror(errno.EIO),
        "large/stale.mov": os.strerror(errno.ESTALE),
        "large/full.mov": os.strerror(errno.ENOSPC),
        "closed": os.strerror(errno.EIO),
        "torn": os.strerror(errno.EIO),
    }
    again = upload().expect(0).summary["files"]
    assert (again["skipped"], again["uploaded"]) == (40, 5)


@pytest.mark.parametrize("descriptors", [12, 18, 24])
def test_too_few_descriptors(place: tuple[World, str], upload: Callable[..., Ended], descriptors: int) -> None:
    """The journal, the scanner, a connection or a file may be the first without a descriptor. The exit code is 7,
    never 3."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    done = upload(preexec_fn=limit).expect(7, "out of file descriptors", "ulimit -n")
    began = done.lines[-1]["event"] == "summary"  # otherwise there was no descriptor left at the start
    files = upload().expect(0).summary["files"]
    assert files["skipped"] == (done.summary["files"]["uploaded"] if began else 0)
    assert files["skipped"] + files["uploaded"] == files["found"]
