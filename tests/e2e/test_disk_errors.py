"""Full, defective or read-only disks, under the journal and under the source: the exit code of docs/design.md section 7
says, one message that says what to do, nothing lost, and the next run goes on.
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
from e2e_world import PATIENCE, TOKEN, Ended, World, environment, run, serving

CONTRACTS = Path(__file__).parents[1] / "contracts"
SMALL = ("--batch-size", "10", "--concurrency", "4", "--log-level", "error")

# In every run of this loop a few operations more go well before the disk fails; the one that meets no fault ends it.
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
    """A folder in memory, where there is one: what a flush does is not of interest here, and takes time."""
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
    """Fail at every `step`th operation, one run each; return what the runs said."""
    arguments = [str(CONTRACTS), str(folder), operation, str(code), str(count), str(step)]
    command = [sys.executable, "-c", _SWEEP, *arguments]
    done = subprocess.run(command, env=environment(failing()), capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    messages: list[str] = json.loads(done.stdout)
    assert messages.pop() is None
    return messages


@pytest.mark.parametrize(("operation", "code", "count", "said"), FAULTS)
def test_the_journals_disk_fails(fast_disk: Path, operation: str, code: int, count: int, said: str) -> None:
    """Whichever operation is the first to fail: what was told as recorded is recorded, and the next run goes on."""
    messages = sweep(fast_disk, operation, code, count, step=4 if operation == "write" else 1)
    assert len(messages) > 3
    assert any(said in message for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "code", "count", "said"), FAULTS[:2])
def test_the_journals_disk_fails_at_any_write(
    fast_disk: Path, operation: str, code: int, count: int, said: str
) -> None:
    """The same at every single write."""
    messages = sweep(fast_disk, operation, code, count, step=1)
    assert len(messages) > 60
    assert any(said in message for message in messages)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """Forty files and a server; every test has a journal of its own."""
    world = World(tmp_path_factory.mktemp("disk"))
    world.fill(40)
    with serving(world.store) as url:
        yield world, url


@pytest.fixture
def upload(place: tuple[World, str], tmp_path: Path) -> Callable[..., Ended]:
    """Upload with a fresh journal, on a disk that the environment says."""
    world, url = place
    world.journal = tmp_path / "state" / "journal"
    options = [*world.to(url), *SMALL]
    return lambda env=None, **kwargs: world.upload(*options, env={**TOKEN, **(env or {})}, **kwargs)


def test_a_run_whose_journal_cannot_grow(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """A quota is used up in the middle of the run: one message, and the next run sends nothing again."""
    faults = failing(fault("write", "state/journal", errno.EDQUOT, skip=170))
    done = upload(faults).expect(7, "check the quota", "no recorded row is lost")
    assert done.err.count("bulkup: ") == 1
    assert done.summary["files"]["uploaded"] > 0
    assert upload().expect(0).summary["files"]["skipped"] == done.summary["files"]["uploaded"]
    place[0].prove()


def test_a_journal_on_a_full_disk_from_the_start(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """Not even the lock can tell who holds it: the journal is named all the same, and nothing was asked of anybody."""
    upload(failing(fault("write", "state/journal", errno.ENOSPC))).expect(7, "disk of the journal", "free some space")


def obey_rights() -> None:
    """Take from root, in a child before it begins, the right to pass over the rights of files."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert libc.prctl(24, capability, 0, 0, 0) == 0 or os.geteuid() != 0  # 24: PR_CAPBSET_DROP


def test_a_journal_in_a_read_only_folder(place: tuple[World, str], upload: Callable[..., Ended]) -> None:
    """A run says that it cannot write; whoever only looks gets to see what was recorded."""
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
    """A defective sector, a stale handle, a folder that cannot be listed to its end: all else goes up, and the status
    is 3; once the disk is well again they go up too.
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
    """Journal, scanner, connections or files, whatever is the first to get none: the status is 7, and never 3."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    done = upload(preexec_fn=limit).expect(7, "out of file descriptors", "ulimit -n")
    began = done.lines[-1]["event"] == "summary"  # else there was none left to begin with
    files = upload().expect(0).summary["files"]
    assert files["skipped"] == (done.summary["files"]["uploaded"] if began else 0)
    assert files["skipped"] + files["uploaded"] == files["found"]
