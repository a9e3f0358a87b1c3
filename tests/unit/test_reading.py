"""Reading a file in every way: its bytes are those that were hashed, or it is not sent because it changed."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import itertools
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from found_files import found, md5_of

from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files.digests import digests_of
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.large import FileBody, FilePart, StreamedBody
from bulkup.pipeline.files.opening import REPLACED, File, ReadingOptions
from bulkup.pipeline.files.small import SmallFileReader
from bulkup.pipeline.options import IdentityMode, Symlinks

Read = tuple[bytes | None, Digest | None, Identity | None]
WAYS = ["cached", "threaded", "streamed", "lent", "hashed"]
every_way = pytest.mark.parametrize("way", WAYS)
CONTENT = bytes(range(256)) * 4
# The files of these tests are new; without a wait they are read at once (test_recently_changed.py).
AT_ONCE = ReadingOptions(clock_step=0.0, long_clock_step=0.0)
LARGE = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(100_000))  # 3.05 MiB


def after_first_look(
    monkeypatch: pytest.MonkeyPatch, file: FoundFile, act: Callable[[], None], *, hide: bool = False
) -> None:
    """Call `act` between the opening of a file and its comparison; with `hide`, its `fstat` shows no change."""
    real, first = os.fstat, list[os.stat_result]()

    def fstat(fd: int) -> os.stat_result:
        if first:
            if len(first) == 1:
                act()
                first.append(first[0])
            return first[0] if hide else real(fd)
        status = real(fd)
        if status.st_ino == file.identity.inode:
            first.append(status)
        return status

    monkeypatch.setattr(os, "fstat", fstat)


async def read(way: str, file: FoundFile, *, symlinks: Symlinks = "skip") -> Read:
    """Read a file in one of the program's ways; return its bytes if that way shows them."""
    with contextlib.closing(FileOpener(symlinks)) as opener:
        return await read_with(opener, way, file)


async def read_with(opener: FileOpener, way: str, file: FoundFile) -> Read:
    limiter = anyio.CapacityLimiter(2)
    if way == "hashed":
        (hashed,) = await digests_of([file], limiter, opener, options=AT_ONCE)
        assert hashed is not None
        if isinstance(hashed, Problem):
            raise ProblemError(hashed)
        return None, *hashed
    if way == "streamed":
        streamed = StreamedBody(file, opener, options=AT_ONCE)
        data = b"".join([bytes(piece) async for piece in streamed.chunks()])
        return data, streamed.digest, streamed.identity
    if way == "lent":
        return await read_lent(FileBody(file, opener, options=AT_ONCE))
    options = dataclasses.replace(AT_ONCE, nowait=None) if way == "threaded" else AT_ONCE
    whole = await SmallFileReader(2, opener, options=options).read(file)
    assert whole.size == file.identity.size
    return b"".join([bytes(piece) async for piece in whole.chunks()]), whole.digest, whole.identity


async def read_lent(body: FileBody) -> Read:
    """Read a file as a sender with `sendfile` does, by its descriptor."""
    data = b""
    async for one in body.ranges():
        with one.file.held() as fd:
            data += os.pread(fd, one.size, one.start)
    assert body.lent
    return data, body.digest, body.identity


async def problem_of(way: str, file: FoundFile, *, symlinks: Symlinks = "skip") -> Problem:
    with pytest.raises(ProblemError) as raised:
        await read(way, file, symlinks=symlinks)
    return raised.value.problem


@every_way
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, LARGE], ids=["empty", "one byte", "1 KiB", "3 MiB"])
async def test_a_file_is_read_to_its_last_byte(tmp_path: Path, way: str, content: bytes) -> None:
    """Bytes, digest and identity are those of the file."""
    file = found(tmp_path / "a", content)
    data, digest, identity = await read(way, file)
    assert data in (content, None)
    assert digest == md5_of(content)
    assert identity == file.identity


@every_way
async def test_a_name_of_any_bytes_is_opened(tmp_path: Path, way: str) -> None:
    """With a newline, and not UTF-8."""
    path = tmp_path / os.fsdecode(b"new\nline\xff")
    assert (await read(way, found(path, CONTENT)))[1] is not None


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
    """Change the bytes, and set size and modification time back."""
    status = path.stat()
    path.write_bytes(b"?" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


BEFORE_OPEN = [grow, shrink, empty, touch, replace_other, os.unlink, to_pipe, to_link, to_directory, to_loop]


@every_way
@pytest.mark.parametrize("change", BEFORE_OPEN, ids=lambda change: change.__name__)
async def test_a_file_that_changed_after_it_was_found_is_not_sent(
    tmp_path: Path, way: str, change: Callable[[Path], None]
) -> None:
    """Grown, cut, replaced, vanished, or no longer a file. A pipe does not block the reader."""
    file = found(tmp_path / "a", CONTENT)
    change(tmp_path / "a")
    with anyio.fail_after(10):
        assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@every_way
async def test_a_folder_that_became_a_file_is_a_change(tmp_path: Path, way: str) -> None:
    (tmp_path / "sub").mkdir()
    inner = found(tmp_path / "sub" / "a", CONTENT)
    (tmp_path / "sub" / "a").unlink()
    (tmp_path / "sub").rmdir()
    (tmp_path / "sub").write_bytes(b"")
    assert (await problem_of(way, inner)).kind is ProblemKind.CHANGED


@every_way
async def test_a_file_that_became_a_socket_is_not_sent(tmp_path: Path, way: str) -> None:
    file = found(tmp_path / "a", CONTENT)
    (tmp_path / "a").unlink()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener, contextlib.chdir(tmp_path):
        listener.bind("a")
        assert (await problem_of(way, file)).kind in (ProblemKind.CHANGED, ProblemKind.UNREADABLE)


@every_way
async def test_a_link_is_read_only_if_links_are_followed(tmp_path: Path, way: str) -> None:
    found(tmp_path / "target", CONTENT)
    (tmp_path / "a").symlink_to("target")
    file = found(tmp_path / "a")
    data, _, identity = await read(way, file, symlinks="follow")
    assert data in (CONTENT, None)
    assert identity == file.identity
    assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


def twin(path: Path, file: FoundFile) -> None:
    """Write another file with the same size and modification time."""
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(file.identity.mtime_ns, file.identity.mtime_ns))


@every_way
@pytest.mark.parametrize("symlinks", ["skip", "inside", "follow"])
@pytest.mark.parametrize("target", ["foreign", "source/other"])
async def test_a_file_whose_folder_becomes_a_link_is_not_sent(
    tmp_path: Path, way: str, symlinks: Symlinks, target: str
) -> None:
    """Out of the source or within it. Where such links are followed, the inode shows that it is another file."""
    for folder in ("source/sub", "source/other", "foreign"):
        (tmp_path / folder).mkdir(parents=True)
    here = found(tmp_path / "source" / "sub" / "a", CONTENT)
    file = FoundFile(Source(os.fsencode(tmp_path / "source")), b"sub/a", here.identity)
    twin(tmp_path / target / "a", file)
    (tmp_path / "source" / "sub").rename(tmp_path / "moved")
    (tmp_path / "source" / "sub").symlink_to(tmp_path / target)
    assert (await problem_of(way, file, symlinks=symlinks)).kind is ProblemKind.CHANGED


@every_way
@pytest.mark.parametrize("hard_link", [False, True])
async def test_another_file_of_the_same_size_and_time_is_not_sent(tmp_path: Path, way: str, hard_link: bool) -> None:
    """It was moved to the name, or is a hard link there."""
    file = found(tmp_path / "a", CONTENT)
    twin(tmp_path / "foreign", file)
    (tmp_path / "a").rename(tmp_path / "kept")  # else its inode could be used again
    (tmp_path / "a").hardlink_to(tmp_path / "foreign")
    if not hard_link:
        (tmp_path / "foreign").unlink()
    problem = await problem_of(way, file)
    assert problem.kind is ProblemKind.CHANGED
    assert "inode" in problem.message


def unstable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each `stat` show another inode and change time, as some FUSE file systems do."""
    numbers = itertools.count(1000)

    def shifting(real: Callable[..., os.stat_result]) -> Callable[..., Any]:
        def look(*args: Any, **options: Any) -> Any:
            status, number = real(*args, **options), next(numbers)
            fields = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
            if stat.S_ISREG(status.st_mode):
                fields |= {"st_ino": number, "st_ctime_ns": status.st_ctime_ns + number}
            return SimpleNamespace(**fields)

        return look

    for name in ("stat", "lstat", "fstat"):
        monkeypatch.setattr(os, name, shifting(getattr(os, name)))


@every_way
@pytest.mark.parametrize("identity", ["default", "strict", "content", "size-mtime"])
async def test_where_inodes_are_not_stable_size_and_time_can_be_trusted_alone(
    tmp_path: Path, way: str, identity: IdentityMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the other values every file counts as changed. The message says which of its values differ."""
    (tmp_path / "a").write_bytes(CONTENT)
    unstable(monkeypatch)
    source = Source(os.fsencode(tmp_path))
    with contextlib.closing(FileOpener("skip", identity)) as opener:
        file = FoundFile(source, b"a", opener.identity_of(opener.status(source, b"a")))
        if identity == "size-mtime":
            data, digest, identity_read = await read_with(opener, way, file)
            assert data in (CONTENT, None)
            assert (digest, identity_read) == (md5_of(CONTENT), file.identity)
        else:
            with pytest.raises(ProblemError) as raised:
                await read_with(opener, way, file)
            assert raised.value.problem == REPLACED


@every_way
@pytest.mark.parametrize("change", [grow, shrink, touch], ids=lambda change: change.__name__)
async def test_size_and_time_alone_still_show_most_changes(
    tmp_path: Path, way: str, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the file is read."""
    found(tmp_path / "a", CONTENT)
    source = Source(os.fsencode(tmp_path))
    with contextlib.closing(FileOpener("skip", "size-mtime")) as opener:
        file = FoundFile(source, b"a", opener.identity_of(opener.status(source, b"a")))
        real, looks = os.fstat, list[os.stat_result]()

        def fstat(fd: int) -> os.stat_result:
            status = real(fd)
            if stat.S_ISREG(status.st_mode):
                looks.append(status)
                if len(looks) == 1:
                    change(tmp_path / "a")
            return status

        monkeypatch.setattr(os, "fstat", fstat)
        with pytest.raises(ProblemError) as raised:
            await read_with(opener, way, file)
        assert raised.value.problem.kind is ProblemKind.CHANGED


@every_way
@pytest.mark.parametrize("change", [grow, shrink, touch, overwrite], ids=lambda change: change.__name__)
async def test_a_file_that_changes_while_it_is_read_is_not_sent(
    tmp_path: Path, way: str, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor is compared after the last byte. A change that keeps size and time shows in the ctime."""
    file = found(tmp_path / "a", CONTENT)
    after_first_look(monkeypatch, file, lambda: change(tmp_path / "a"))
    assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@every_way
async def test_a_file_that_becomes_shorter_while_it_is_read_is_a_change(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that ends early never counts as the whole file, even if `fstat` shows no change."""
    file, real = found(tmp_path / "a", CONTENT), os.open

    def open_and_cut(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        fd = real(path, flags, *rest, **options)
        if path == file.path:
            after_first_look(monkeypatch, file, lambda: None, hide=True)
            os.fstat(fd)
            os.truncate(tmp_path / "a", 5)
        return fd

    monkeypatch.setattr(os, "open", open_and_cut)
    assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@every_way
async def test_a_file_replaced_while_it_is_read_is_read_as_it_was(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor still leads to the old bytes; only the ctime shows that the name is gone."""
    file = found(tmp_path / "a", CONTENT)
    after_first_look(monkeypatch, file, lambda: replace_other(tmp_path / "a"))
    try:
        data, digest, _ = await read(way, file)
    except ProblemError as error:
        assert error.problem.kind is ProblemKind.CHANGED  # noqa: PT017  # either result is right, the new bytes are not
    else:
        assert data in (CONTENT, None)
        assert digest == md5_of(CONTENT)


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
async def test_the_reason_decides_the_kind_of_a_file_that_cannot_be_opened(
    tmp_path: Path, way: str, number: int, kind: ProblemKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forbidden or broken file is unreadable, a missing one changed; a lack of descriptors is a machine problem."""
    file, real = found(tmp_path / "a", CONTENT), os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if path == file.path:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    problem = await problem_of(way, file)
    assert problem.kind is kind
    assert kind is not ProblemKind.UNREADABLE or problem.message == os.strerror(number)


@pytest.mark.parametrize("way", ["threaded", "streamed", "lent", "hashed"])
async def test_a_disk_that_fails_makes_the_file_unreadable(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's reason, chained."""
    file = found(tmp_path / "a", CONTENT)

    def fail(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(File, "read", fail)
    monkeypatch.setattr(File, "readinto", fail)
    with pytest.raises(ProblemError) as raised:
        await read(way, file)
    assert raised.value.problem == Problem(ProblemKind.UNREADABLE, "Input/output error")
    assert isinstance(raised.value.__cause__, OSError) or way == "hashed"  # there it is a result, not an exception


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """After a success, a problem, and a body that was dropped half-way."""
    small, large = found(tmp_path / "small", CONTENT), found(tmp_path / "large", LARGE)
    for way in WAYS:
        await read(way, small)
    before = set(os.listdir("/dev/fd"))
    for way in WAYS:
        await read(way, large)
    with contextlib.closing(FileOpener()) as opener:
        body = StreamedBody(large, opener).chunks()
        await anext(body)
        await body.aclose()
    touch(tmp_path / "small")
    for way in WAYS:
        await problem_of(way, small)
    assert set(os.listdir("/dev/fd")) == before


async def test_each_pass_of_a_body_begins_with_the_first_byte(tmp_path: Path) -> None:
    """Also after a pass that was broken off half-way."""
    file = found(tmp_path / "a", LARGE)
    streamed, whole = StreamedBody(file, FileOpener()), await SmallFileReader(1, FileOpener()).read(file)
    for body in (streamed, whole):
        broken_off = body.chunks()
        await anext(broken_off)
        await broken_off.aclose()
        for _ in range(2):
            assert b"".join([bytes(piece) async for piece in body.chunks()]) == LARGE
            assert body.digest == md5_of(LARGE)
            assert body.failure is None


def understate(monkeypatch: pytest.MonkeyPatch, file: FoundFile, size: int) -> FoundFile:
    """Make `fstat` report a smaller size than the file has, as on FUSE with direct I/O; return the file as found."""
    real = os.fstat

    def fstat(fd: int) -> Any:
        status = real(fd)
        if status.st_ino != file.identity.inode:
            return status
        fields = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
        return SimpleNamespace(**fields | {"st_size": size})

    monkeypatch.setattr(os, "fstat", fstat)
    return file._replace(identity=file.identity._replace(size=size))


@every_way
@pytest.mark.parametrize("size", [0, 1, 1024**2, len(LARGE) // 2, len(LARGE) - 1])
async def test_a_file_that_holds_more_bytes_than_its_size_is_not_sent(
    tmp_path: Path, way: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way looks one byte past the end that `fstat` reports."""
    file = understate(monkeypatch, found(tmp_path / "a", LARGE), size)
    assert (await problem_of(way, file)).kind is ProblemKind.CHANGED


@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "not hashed"])
@pytest.mark.parametrize("lent", [True, False], ids=["lent", "streamed"])
async def test_bytes_past_the_end_are_found_without_hashing(
    tmp_path: Path, hashed: bool, lent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `checksum = "none"` the ranges of `sendfile` are not read here at all."""
    file = understate(monkeypatch, found(tmp_path / "a", LARGE), len(LARGE) - 5)
    body = FileBody(file, FileOpener(), algorithms=("md5",) if hashed else (), options=AT_ONCE)
    with pytest.raises(ProblemError) as raised:
        _ = [piece async for piece in (body.ranges() if lent else body.chunks())]
    assert raised.value.problem.kind is ProblemKind.CHANGED


@pytest.mark.parametrize("start", [0, len(LARGE) // 2], ids=["last part", "empty last part"])
async def test_the_last_part_of_a_file_looks_past_its_end(
    tmp_path: Path, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part without bytes as well; a part in the middle has bytes after it."""
    size = len(LARGE) // 2
    file = understate(monkeypatch, found(tmp_path / "a", LARGE), size)
    middle = StreamedBody(file, FileOpener(), part=FilePart(0, 1000), options=AT_ONCE)
    assert b"".join([bytes(piece) async for piece in middle.chunks()]) == LARGE[:1000]
    last = StreamedBody(file, FileOpener(), part=FilePart(start, size), options=AT_ONCE)
    with pytest.raises(ProblemError) as raised:
        _ = [piece async for piece in last.chunks()]
    assert raised.value.problem.kind is ProblemKind.CHANGED


async def test_a_read_that_ends_at_the_size_is_not_taken_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system may return fewer bytes than were asked for, just as many as the size says."""
    file = understate(monkeypatch, found(tmp_path / "a", CONTENT), 512)
    real = File.read
    monkeypatch.setattr(File, "read", lambda self, size=-1: real(self, min(size, 512)))
    assert (await problem_of("threaded", file)).kind is ProblemKind.CHANGED
