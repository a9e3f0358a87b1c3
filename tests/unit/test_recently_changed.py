"""Files that changed a moment ago, and files with more or fewer bytes than their size.

A recently changed file is read a moment later, when another change would show in its times.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files.digests import digests_of
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.large import FileBody, StreamedBody
from bulkup.pipeline.files.opening import CHUNK, File, settling
from bulkup.pipeline.files.small import SmallFileReader, WholeBody

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND + 1
WAYS = ["whole", "streamed", "lent", "hashed"]
every_way = pytest.mark.parametrize("way", WAYS)


def changed_at(ctime_ns: int) -> Identity:
    return Identity(3, 1, ctime_ns, 1, 1)


@pytest.mark.parametrize(
    ("age_ns", "seconds"),
    [(SECOND, 0.0), (20_000_000, 0.0), (19_000_000, 0.001), (0, 0.02), (-1_000_000, 0.021), (-SECOND, 0.0)],
)
def test_the_wait_is_one_step_of_the_file_system_clock(age_ns: int, seconds: float) -> None:
    """A time far in the future comes from another clock, and causes no wait."""
    assert settling(changed_at(NOW - age_ns), NOW) == pytest.approx(seconds)


def test_times_in_whole_seconds_need_a_longer_wait() -> None:
    """The file system may count in seconds, or in pairs of seconds."""
    assert settling(changed_at(NOW - 1 - SECOND), NOW) == pytest.approx(1.0, abs=0.01)
    assert settling(changed_at(NOW - 1 - 3 * SECOND), NOW) == 0.0


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**62))
def test_after_the_wait_no_further_wait_is_needed(ctime_ns: int, now_ns: int) -> None:
    """The wait is never negative and at most four seconds."""
    wait = settling(changed_at(ctime_ns), now_ns)
    assert 0.0 <= wait <= 4.0
    assert settling(changed_at(ctime_ns), now_ns + round(wait * SECOND) + 1_000) == 0.0


async def read(way: str, file: FoundFile) -> Digest | None:
    if way == "hashed":
        (hashed,) = await digests_of([file], anyio.CapacityLimiter(1), FileOpener())
        assert hashed is not None
        if isinstance(hashed, Problem):
            raise ProblemError(hashed)
        return hashed[0]
    body: WholeBody | StreamedBody
    if way == "lent":
        body = lent = FileBody(file, FileOpener())
        async for _ in lent.ranges():
            pass
    elif way == "streamed":
        body = StreamedBody(file, FileOpener())
        async for _ in body.chunks():
            pass
    else:
        body = await SmallFileReader(1, FileOpener()).read(file)
    return body.digest


def found(path: Path) -> FoundFile:
    return FoundFile(Source(os.fsencode(path.parent)), os.fsencode(path.name), Identity.of(path.stat()))


@every_way
async def test_a_change_in_the_same_clock_step_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The times of both contents are equal, and the bytes that were read are the last ones."""
    path, waits = tmp_path / "a", []
    path.write_bytes(b"before")
    file = found(path)

    def change(seconds: float) -> None:
        waits.append(seconds)
        path.write_bytes(b"behind")
        os.utime(path, ns=(file.identity.mtime_ns, file.identity.mtime_ns))

    async def change_meanwhile(seconds: float) -> None:
        change(seconds)

    monkeypatch.setattr(time, "time_ns", lambda: file.identity.ctime_ns + 5_000_000)
    monkeypatch.setattr(time, "sleep", change)
    monkeypatch.setattr(anyio, "sleep", change_meanwhile)
    assert await read(way, file) == Digest(hashlib.md5(b"behind", usedforsecurity=False).digest())
    assert waits == [pytest.approx(0.015)]


@every_way
async def test_an_older_file_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    file = found(path)
    monkeypatch.setattr(time, "time_ns", lambda: file.identity.ctime_ns + 60 * SECOND)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    monkeypatch.setattr(anyio, "sleep", lambda _: pytest.fail("it waited"))
    assert await read(way, file) is not None


@every_way
async def test_a_file_that_grows_while_it_is_read_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A log may be written faster than it is read."""
    path, reads = tmp_path / "log", 0
    path.write_bytes(b"line\n" * CHUNK)
    file, read_, readinto = found(path), File.read, File.readinto

    def grow() -> None:
        nonlocal reads
        reads += 1
        assert reads < 50
        with path.open("ab") as log:
            log.write(b"line\n" * CHUNK)

    def growing(self: File, size: int | None = -1, /) -> bytes:
        grow()
        return read_(self, size)

    def growing_into(self: File, room: memoryview, /) -> int:
        grow()
        return readinto(self, room)

    monkeypatch.setattr(File, "read", growing)
    monkeypatch.setattr(File, "readinto", growing_into)
    with pytest.raises(ProblemError) as raised:
        await read(way, file)
    assert raised.value.problem.kind is ProblemKind.CHANGED


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
@pytest.mark.parametrize("way", ["whole", "hashed"])
async def test_a_file_with_more_bytes_than_its_size_is_refused(way: str) -> None:
    """Files in `/proc` have the size 0 and are not empty."""
    file = found(Path("/proc/version"))
    assert file.identity.size == 0
    with pytest.raises(ProblemError, match="bytes"):
        await read(way, file)


@pytest.mark.skipif(not os.path.exists("/sys/kernel/uevent_seqnum"), reason="/sys is Linux's")
@pytest.mark.parametrize("way", ["whole", "hashed"])
async def test_a_file_with_fewer_bytes_than_its_size_is_changed(way: str) -> None:
    """Files in `/sys` have the size of a page and fewer bytes."""
    file = found(Path("/sys/kernel/uevent_seqnum"))
    with pytest.raises(ProblemError) as raised:
        await read(way, file)
    assert raised.value.problem.kind is ProblemKind.CHANGED
