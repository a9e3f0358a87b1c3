"""Reading files that change under our hands: what is sent is what was hashed, or the file is not sent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files import digests, large, opening, small
from bulkup.pipeline.files.digests import digests_of
from bulkup.pipeline.files.large import FileBody, StreamedBody
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.files.small import SmallFileReader

Read = tuple[bytes | None, Digest | None, Identity | None]
WAYS = ["cached", "threaded", "streamed", "lent", "hashed"]
every_way = pytest.mark.parametrize("way", WAYS)
CONTENT = bytes(range(256)) * 4
LARGE = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(100_000))  # 3.05 MiB


@pytest.fixture(autouse=True)
def _read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files here are new, and would be read a moment later, by a thread (tests/unit/test_pipeline_settling.py)."""
    for module in (opening, small, large):
        monkeypatch.setattr(module, "settling", lambda *_: 0.0)


def replace_everywhere(monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., Any]) -> None:
    """Replace what `opening` gives to those that read."""
    for module in (digests, opening, small, large):
        monkeypatch.setattr(module, name, function, raising=False)


def found(path: Path, content: bytes | None = CONTENT) -> FoundFile:
    if content is not None:
        path.write_bytes(content)
    return FoundFile(Source(os.fsencode(path.parent)), os.fsencode(path.name), Identity.of(path.stat()))


async def read(way: str, file: FoundFile, *, follow_links: bool = False) -> Read:
    """Read a file in one of the ways that the program has; the bytes where that way shows them."""
    limiter = anyio.CapacityLimiter(2)
    if way == "hashed":
        (hashed,) = await digests_of([file], limiter, follow_links=follow_links)
        assert hashed is not None
        if isinstance(hashed, Problem):
            raise ProblemError(hashed)
        return None, *hashed
    if way == "streamed":
        streamed = StreamedBody(file, follow_links=follow_links)
        data = b"".join([bytes(piece) async for piece in streamed.chunks()])
        return data, streamed.digest, streamed.identity
    if way == "lent":
        return await read_lent(FileBody(file, follow_links=follow_links))
    with pytest.MonkeyPatch.context() as patched:
        if way == "threaded":
            patched.setattr(small, "_NOWAIT", None)
        whole = await SmallFileReader(2, follow_links=follow_links).read(file)
    assert whole.size == file.identity.size
    return b"".join([bytes(piece) async for piece in whole.chunks()]), whole.digest, whole.identity


async def read_lent(body: FileBody) -> Read:
    """Read a file as one does who gets its descriptor and not its bytes."""
    data = b""
    async for one in body.ranges():
        with one.file.held() as fd:
            data += os.pread(fd, one.size, one.start)
    assert body.lent
    return data, body.digest, body.identity


async def problem_of(way: str, file: FoundFile, *, follow_links: bool = False) -> Problem:
    with pytest.raises(ProblemError) as raised:
        await read(way, file, follow_links=follow_links)
    return raised.value.problem


@every_way
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, LARGE], ids=["empty", "one byte", "1 KiB", "3 MiB"])
async def test_a_file_is_read_to_its_last_byte(tmp_path: Path, way: str, content: bytes) -> None:
    """Bytes, digest and identity are those of the file, whatever its size."""
    file = found(tmp_path / "a", content)
    data, digest, identity = await read(way, file)
    assert data in (content, None)
    assert digest == Digest(hashlib.md5(content, usedforsecurity=False).digest())
    assert identity == file.identity


@every_way
async def test_a_name_of_any_bytes_is_opened(tmp_path: Path, way: str) -> None:
    """With a newline, and not UTF-8."""
    path = tmp_path / os.fsdecode(b"new\nline\xff")
    assert (await read(way, found(path)))[1] is not None


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace_other(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"!" * len(CONTENT))
    os.utime(other, ns=(2, 2))
    os.replace(other, path)


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


def to_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def overwrite(path: Path) -> None:
    """Change the bytes and set size and modification time back, as an unkind program might."""
    status = path.stat()
    path.write_bytes(b"?" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


BEFORE_OPEN = [grow, shrink, empty, touch, replace_other, os.unlink, to_pipe, to_link, to_directory, to_loop]


@every_way
@pytest.mark.parametrize("change", BEFORE_OPEN, ids=lambda change: change.__name__)
async def test_a_file_that_changed_after_it_was_found_is_not_sent(
    tmp_path: Path, way: str, change: Callable[[Path], None]
) -> None:
    """Grown, cut, replaced, vanished, or no longer a file: it is `changed`, and a pipe blocks nobody."""
    file = found(tmp_path / "a")
    change(tmp_path / "a")
    with anyio.fail_after(10):
        assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@every_way
async def test_a_folder_that_became_a_file_is_a_change(tmp_path: Path, way: str) -> None:
    """What was below it vanished with it."""
    (tmp_path / "sub").mkdir()
    inner = found(tmp_path / "sub" / "a")
    (tmp_path / "sub" / "a").unlink()
    (tmp_path / "sub").rmdir()
    (tmp_path / "sub").write_bytes(b"")
    assert (await problem_of(way, inner)).kind is ProblemKind.CHANGED


@every_way
async def test_a_file_that_became_a_socket_is_not_sent(tmp_path: Path, way: str) -> None:
    """It cannot be opened, and nobody waits for it."""
    file = found(tmp_path / "a")
    (tmp_path / "a").unlink()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener, contextlib.chdir(tmp_path):
        listener.bind("a")
        assert (await problem_of(way, file)).kind in (ProblemKind.CHANGED, ProblemKind.UNREADABLE)


@every_way
async def test_a_link_is_read_where_links_are_followed(tmp_path: Path, way: str) -> None:
    """Its target is the file that was found."""
    found(tmp_path / "target")
    (tmp_path / "a").symlink_to("target")
    file = found(tmp_path / "a", None)
    data, _, identity = await read(way, file, follow_links=True)
    assert data in (CONTENT, None)
    assert identity == file.identity
    assert (await problem_of(way, file, follow_links=False)).kind is ProblemKind.CHANGED


@every_way
@pytest.mark.parametrize("change", [grow, shrink, touch, overwrite], ids=lambda change: change.__name__)
async def test_a_file_that_changes_while_it_is_read_is_not_sent(
    tmp_path: Path, way: str, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open descriptor is looked at again after the last byte; even one that hides itself shows in the ctime."""
    file, real = found(tmp_path / "a"), opening.compare

    def compare(fd: int, opened: Identity) -> None:
        change(tmp_path / "a")
        real(fd, opened)

    replace_everywhere(monkeypatch, "compare", compare)
    assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@every_way
async def test_a_file_that_becomes_shorter_while_it_is_read_is_a_change(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that ends early never counts as the whole, even where the system shows no other sign."""
    file, real = found(tmp_path / "a"), opening.open_fd

    def open_and_cut(*args: Any) -> Any:
        fd, opened = real(*args)
        os.truncate(tmp_path / "a", 5)
        return fd, opened

    replace_everywhere(monkeypatch, "open_fd", open_and_cut)
    if way != "hashed":  # there `compare` is what tells
        replace_everywhere(monkeypatch, "compare", lambda *_: None)
    assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@every_way
async def test_a_file_replaced_while_it_is_read_is_read_as_it_was(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open descriptor still leads to the old bytes, whole; only its ctime shows that its name is gone."""
    file, real = found(tmp_path / "a"), opening.compare

    def compare(fd: int, opened: Identity) -> None:
        replace_other(tmp_path / "a")
        real(fd, opened)

    replace_everywhere(monkeypatch, "compare", compare)
    try:
        data, digest, _ = await read(way, file)
    except ProblemError as error:
        assert error.problem.kind is ProblemKind.CHANGED  # noqa: PT017  # either outcome is right, the new bytes are not
    else:
        assert data in (CONTENT, None)
        assert digest == Digest(hashlib.md5(CONTENT, usedforsecurity=False).digest())


@every_way
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, ProblemKind.UNREADABLE),
        (errno.EPERM, ProblemKind.UNREADABLE),
        (errno.EIO, ProblemKind.UNREADABLE),
        (errno.ESTALE, ProblemKind.UNREADABLE),
        (errno.ENOENT, ProblemKind.CHANGED),
        (errno.EMFILE, ProblemKind.MACHINE),
        (errno.ENFILE, ProblemKind.MACHINE),
    ],
)
async def test_a_file_that_cannot_be_opened_is_told_by_its_reason(
    tmp_path: Path, way: str, number: int, kind: ProblemKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbidden or broken is unreadable, gone is changed, and too few descriptors are the machine's fault."""
    file, real = found(tmp_path / "a"), os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if path == file.full_path:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    problem = await problem_of(way, file)
    assert problem.kind is kind
    assert kind is not ProblemKind.UNREADABLE or problem.message == os.strerror(number)


class Broken(opening.File):
    """A disk that fails."""

    def read(self, *_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    readinto = readall = read


@pytest.mark.parametrize("way", ["threaded", "streamed", "lent", "hashed"])
async def test_a_disk_that_fails_makes_the_file_unreadable(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's reason, chained."""
    file = found(tmp_path / "a")
    monkeypatch.setattr(opening, "File", Broken)
    with pytest.raises(ProblemError) as raised:
        await read(way, file)
    assert raised.value.problem == Problem(ProblemKind.UNREADABLE, "Input/output error")
    assert isinstance(raised.value.__cause__, OSError) or way == "hashed"  # there it is data, not an exception


@pytest.mark.parametrize("fault", [BlockingIOError(errno.EAGAIN, "not in memory"), OSError(errno.EOPNOTSUPP, "no")])
async def test_what_is_not_in_memory_is_read_in_a_thread(
    tmp_path: Path, fault: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop never waits for a disk, and a file system that cannot tell is no fault."""
    file = found(tmp_path / "a")

    def preadv(*_: Any) -> int:
        raise fault

    monkeypatch.setattr(os, "preadv", preadv)
    assert (await read("cached", file))[0] == CONTENT


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Neither after a success, nor after a problem, nor after a body that was dropped half-way."""
    small, large = found(tmp_path / "small"), found(tmp_path / "large", LARGE)
    for way in WAYS:
        await read(way, small)
    before = set(os.listdir("/dev/fd"))
    for way in WAYS:
        await read(way, large)
    body = StreamedBody(large, follow_links=False).chunks()
    await anext(body)
    await body.aclose()
    touch(tmp_path / "small")
    for way in WAYS:
        await problem_of(way, small)
    assert set(os.listdir("/dev/fd")) == before


async def test_a_streamed_body_has_no_digest_before_its_end(tmp_path: Path) -> None:
    """Nothing can be recorded about bytes that did not all go out."""
    body = StreamedBody(found(tmp_path / "a", LARGE), follow_links=False)
    chunks = body.chunks()
    await anext(chunks)
    assert (body.digest, body.identity) == (None, None)
    await chunks.aclose()
    assert (body.digest, body.identity) == (None, None)


async def test_a_body_can_be_started_again_and_is_the_same(tmp_path: Path) -> None:
    """A repeated request begins with the first byte, also after one that broke off half-way."""
    file = found(tmp_path / "a", LARGE)
    streamed, whole = StreamedBody(file, follow_links=False), await SmallFileReader(1, follow_links=False).read(file)
    for body in (streamed, whole):
        broken_off = body.chunks()
        await anext(broken_off)
        await broken_off.aclose()
        for _ in range(2):
            assert b"".join([bytes(piece) async for piece in body.chunks()]) == LARGE
            assert body.digest == Digest(hashlib.md5(LARGE, usedforsecurity=False).digest())
            assert body.failure is None


async def test_a_second_start_forgets_the_digest_of_the_first(tmp_path: Path) -> None:
    """What a whole pass found does not stand for a later one that breaks off."""
    body = StreamedBody(found(tmp_path / "a", LARGE), follow_links=False)
    async for _ in body.chunks():
        pass
    known = [body.digest is not None]
    again = body.chunks()
    await anext(again)
    known.append(body.digest is not None)
    await again.aclose()
    assert known == [True, False]


async def test_a_large_file_that_changes_between_two_chunks_is_noticed_before_its_end(tmp_path: Path) -> None:
    """Not all bytes go out, so storage cannot take the file for whole, and the body tells why it ended."""
    body, sent = StreamedBody(found(tmp_path / "a", LARGE), follow_links=False), 0

    async def send() -> None:
        nonlocal sent
        async for piece in body.chunks():
            sent += len(piece)
            if sent == CHUNK:
                grow(tmp_path / "a")

    with pytest.raises(ProblemError) as raised:
        await send()
    assert raised.value.problem.kind is ProblemKind.CHANGED
    assert body.failure is raised.value
    assert sent < len(LARGE)
    assert body.digest is None


async def test_a_large_file_is_never_held_in_memory_whole(tmp_path: Path) -> None:
    """It goes out in slices of a bounded size."""
    sizes = [len(piece) async for piece in StreamedBody(found(tmp_path / "a", LARGE), follow_links=False).chunks()]
    assert max(sizes) <= CHUNK
    assert sum(sizes) == len(LARGE)


async def test_a_hash_ends_when_the_run_does(tmp_path: Path) -> None:
    """A large file that is only to be hashed does not hold up a run that was told to stop."""
    file, limiter = found(tmp_path / "a"), anyio.CapacityLimiter(1)
    assert await digests_of([file, file], limiter, follow_links=False, stopped=lambda: True) == [None, None]


async def test_a_file_system_in_memory_is_read_without_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may not know how to be asked without waiting, and then is just read; the first file finds that out."""
    flags = []

    def preadv(fd: int, buffers: list[bytearray], offset: int, how: int) -> int:
        flags.append(how)
        if how:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return os.readv(fd, buffers)

    monkeypatch.setattr(os, "preadv", preadv, raising=False)
    monkeypatch.setattr(small, "_NOWAIT", 8)
    monkeypatch.setattr(small, "lies_in_memory", lambda device: True)
    reader, file = SmallFileReader(2, follow_links=False), found(tmp_path / "a")
    await anyio.sleep(0.03)  # a file that was changed in this instant is left to a thread
    bodies = [await reader.read(file) for _ in range(3)]
    assert flags == [8, 0, 0]
    assert all(body.data == CONTENT for body in bodies)


@pytest.mark.parametrize(("shown", "sizes"), [(0.0, {CHUNK // 4}), (1e9, {CHUNK // 4, CHUNK})], ids=["slow", "quick"])
async def test_a_chunk_goes_in_one_piece_where_the_one_before_went_quickly(
    tmp_path: Path, shown: float, sizes: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow link progress has to show within a chunk."""
    monkeypatch.setattr(large, "_SHOWN", shown)
    body = StreamedBody(found(tmp_path / "a", bytes(3 * CHUNK)), follow_links=False)
    assert {len(piece) async for piece in body.chunks()} == sizes
