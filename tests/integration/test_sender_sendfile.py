"""Bodies sent by sendfile: arriving files, files that change, and servers that end the connection.

Each test runs on asyncio's own event loop and on uvloop.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import hashlib
import inspect
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import sender_helpers
import uvloop
from scripted_server import Connection, Script, ca_file, certified, serving
from sender_helpers import BLOCK, HANG_TIMEOUT, LARGE
from sender_helpers import FileBody as Pieces

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files import opening
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.large import FileBody
from bulkup.pipeline.files.opening import ReadingOptions
from bulkup.transport import Transport
from bulkup.transport.lean import connection as lean

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
MIB = 1024**2
STEP = 300_000
SIZE = 3 * MIB + 12_345
using = functools.partial(sender_helpers.using, sendfile_step=STEP)
CONTENT = (b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(40_000)) * 3)[:SIZE]
MD5 = hashlib.md5(CONTENT).hexdigest()


def on_every_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on each event loop that a run may have."""

    @functools.wraps(test)
    def run(new_loop: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(test(**fixtures))

    own = inspect.Parameter("new_loop", inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(test)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), own])  # type: ignore[attr-defined]
    return cast("Callable[..., None]", pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)(run))


def body_of(path: Path, content: bytes = CONTENT, *, hashed: bool = True) -> FileBody:
    path.write_bytes(content)
    found = FoundFile(Source(os.fsencode(path.parent)), os.fsencode(path.name), Identity.of(path.stat()))
    options = ReadingOptions(clock_step=0.0, long_clock_step=0.0, range=MIB)
    return FileBody(found, FileOpener(), algorithms=("md5",) if hashed else (), options=options)


async def send(
    transport: Transport, url: str, body: FileBody, count: Callable[[int], None] = lambda _: None
) -> StorageAnswer | Problem:
    try:
        async with asyncio.timeout(HANG_TIMEOUT):
            return await transport.send(Ticket(SecretUrl(url), "id"), body, {}, count)
    except ProblemError as error:
        return error.problem


def etag_of(result: StorageAnswer | Problem) -> str:
    assert isinstance(result, StorageAnswer), result
    return result.headers["etag"].strip('"')


def kind_of(result: StorageAnswer | Problem) -> ProblemKind:
    assert isinstance(result, Problem), result
    return result.kind


def before_copying(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> list[int]:
    """Call `act` with the number of each call of sendfile before it is made. Return the list of start offsets."""
    real, starts = os.sendfile, list[int]()

    def copy(out: int, source: int, start: int, count: int) -> int:
        act(len(starts))
        starts.append(start)
        return real(out, source, start, min(count, 100_000))

    monkeypatch.setattr(os, "sendfile", copy)
    return starts


@on_every_loop
@pytest.mark.parametrize("hashed", [True, False])
async def test_the_file_arrives(tmp_path: Path, hashed: bool) -> None:
    """Its digest is computed in parallel, and progress is reported."""
    async with serving() as server, using("lean") as transport:
        for _ in range(2):
            counts, body = list[int](), body_of(tmp_path / "a", hashed=hashed)
            assert etag_of(await send(transport, server.url, body, counts.append)) == MD5
            assert body.lent
            assert body.digest == (Digest(bytes.fromhex(MD5)) if hashed else None)
            assert body.identity is not None
            assert sum(counts) == SIZE
            assert max(counts) <= STEP


@on_every_loop
async def test_over_tls_the_file_is_streamed(tmp_path: Path) -> None:
    """Its bytes have to be encrypted in this process."""
    async with serving(tls=certified()) as server, using("lean", ca_file=ca_file(tmp_path)) as transport:
        body = body_of(tmp_path / "a")
        assert etag_of(await send(transport, server.url, body)) == MD5
        assert not body.lent


@on_every_loop
async def test_a_redirect_gets_the_whole_file_again(tmp_path: Path) -> None:
    """From its first byte, and no byte counts twice in the digest."""

    async def elsewhere(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")
        await connection.answer_all()

    async with serving(elsewhere) as server, using("lean") as transport:
        body = body_of(tmp_path / "a")
        assert etag_of(await send(transport, server.url, body)) == MD5
        assert body.digest == Digest(bytes.fromhex(MD5))


@on_every_loop
async def test_a_stale_connection_is_replaced(tmp_path: Path) -> None:
    """The file is sent over a new one."""

    async def once(connection: Connection) -> None:
        await connection.begun()
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await connection.rest()
        await connection.begun()
        connection.reset()

    async with serving(once) as server, using("lean") as transport:
        small = body_of(tmp_path / "a", b"small")
        await send(transport, server.url, small)
        assert etag_of(await send(transport, server.url, body_of(tmp_path / "a"))) == MD5


@on_every_loop
@pytest.mark.parametrize("number", [0, 5])
@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
async def test_if_sendfile_fails_the_file_is_read_and_sent(
    tmp_path: Path, error: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once or half-way; bytes that were sent are not sent again."""

    def refuse(call: int) -> None:
        if call == number:
            raise OSError(error, os.strerror(error))

    starts = before_copying(monkeypatch, refuse)
    async with serving() as server, using("lean") as transport:
        assert etag_of(await send(transport, server.url, body_of(tmp_path / "a"))) == MD5
    assert len(starts) == number


@on_every_loop
async def test_a_system_without_sendfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read and sent."""
    monkeypatch.delattr(os, "sendfile")
    async with serving() as server, using("lean") as transport:
        assert etag_of(await send(transport, server.url, body_of(tmp_path / "a"))) == MD5


@on_every_loop
async def test_a_disk_that_fails_makes_the_file_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is not at fault."""

    def fail(*_: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "sendfile", fail)
    monkeypatch.setattr(os, "pread", fail)
    async with serving() as server, using("lean") as transport:
        result = await send(transport, server.url, body_of(tmp_path / "a", hashed=False))
    assert result == Problem(ProblemKind.UNREADABLE, os.strerror(errno.EIO))


def cut(path: Path) -> None:
    os.truncate(path, 1000)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@on_every_loop
@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "unhashed"])
@pytest.mark.parametrize("number", [5, 30], ids=["middle", "last"])
@pytest.mark.parametrize("change", [cut, grow, touch], ids=lambda change: change.__name__)
async def test_a_file_that_changes_while_it_is_sent_is_a_problem(
    tmp_path: Path, change: Callable[[Path], None], number: int, hashed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truncated, written or touched, before or behind the current offset."""

    def act(call: int) -> None:
        if call == number:
            change(tmp_path / "a")

    starts = before_copying(monkeypatch, act)
    async with serving() as server, using("lean") as transport:
        body = body_of(tmp_path / "a", hashed=hashed)
        assert kind_of(await send(transport, server.url, body)) is ProblemKind.CHANGED
        assert (body.digest, body.identity) == (None, None)
    assert len(starts) >= number
    assert max(starts) < SIZE


@on_every_loop
async def test_an_answer_before_the_threads_report_is_not_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last bytes were sent, and the event loop reads the answer first."""
    heard, real_received, real = threading.Event(), lean.Connection.data_received, os.sendfile

    def received(connection: lean.Connection, data: bytes) -> None:
        real_received(connection, data)
        if data.startswith(b"HTTP/1.1 200 "):
            heard.set()

    def copy(out: int, source: int, start: int, count: int) -> int:
        sent = real(out, source, start, count)
        if start + sent == SIZE:
            heard.wait(HANG_TIMEOUT)
        return sent

    monkeypatch.setattr(lean.Connection, "data_received", received)
    monkeypatch.setattr(os, "sendfile", copy)
    async with serving() as server, using("lean") as transport:
        for _ in range(2):
            body = body_of(tmp_path / "a")
            assert etag_of(await send(transport, server.url, body)) == MD5
            assert body.digest == Digest(bytes.fromhex(MD5))


def refusing(answer: bytes, *, act: str) -> Script:
    """Answer after a small part of the body."""

    async def script(connection: Connection) -> None:
        await connection.begun()
        await connection.part()
        connection.write(answer)
        if act == "reads on":
            await connection.until_end()
        elif act == "reads no more":
            connection.stop_reading()
            await asyncio.Event().wait()
        else:
            connection.close() if act == "closes" else connection.reset()

    return script


@on_every_loop
@pytest.mark.parametrize("act", ["reads on", "reads no more", "closes"])
async def test_an_early_refusal_is_received(tmp_path: Path, act: str) -> None:
    """The rest is not sent, whatever the server does next."""
    answer = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nNope"
    large, counts = CONTENT * 12, list[int]()
    async with serving(refusing(answer, act=act)) as server, using("lean") as transport:
        result = await send(transport, server.url, body_of(tmp_path / "a", large, hashed=False), counts.append)
        assert isinstance(result, StorageAnswer), result
        assert (result.status, result.body) == (413, b"Nope")
        assert sum(counts) < len(large)


@on_every_loop
async def test_a_broken_connection_is_transient(tmp_path: Path) -> None:
    """The file is not at fault."""
    async with serving(refusing(b"", act="resets")) as server, using("lean") as transport:
        result = await send(transport, server.url, body_of(tmp_path / "a", CONTENT * 12, hashed=False))
    assert kind_of(result) is ProblemKind.TRANSIENT


@on_every_loop
async def test_a_server_that_stops_reading_times_out(tmp_path: Path) -> None:
    """After `idle_timeout`, counted from the last byte that was sent."""
    options = {"idle_timeout": 0.3, "slowest": 1024**4}  # no time for buffered bytes
    async with serving(refusing(b"", act="reads no more")) as server, using("lean", **options) as transport:
        result = await send(transport, server.url, body_of(tmp_path / "a", CONTENT * 12, hashed=False))
    assert kind_of(result) is ProblemKind.TRANSIENT
    assert isinstance(result, Problem)
    assert "no progress" in result.message


@on_every_loop
@pytest.mark.parametrize("when", ["the socket is full", "a thread copies"])
async def test_a_cancelled_upload_leaves_nothing_open(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with a full socket, nor while a thread waits for the disk."""
    inside, go_on, held = threading.Event(), threading.Event(), list[bool]()

    def wait(call: int) -> None:
        if call == 3:
            inside.set()
            if when == "a thread copies":
                go_on.wait(HANG_TIMEOUT)
                held.append(os.path.exists(f"/dev/fd/{source[0]}"))

    before_copying(monkeypatch, wait)
    source, real = list[int](), opening.open_fd

    def open_fd(*args: object) -> object:
        fd, opened = real(*args)  # type: ignore[arg-type]
        source.append(fd)
        return fd, opened

    async with serving(refusing(b"", act="reads no more")) as server, using("lean") as transport:
        body = body_of(tmp_path / "a", CONTENT * 12, hashed=False)
        monkeypatch.setattr(opening, "open_fd", open_fd)
        task = asyncio.ensure_future(send(transport, server.url, body))
        await asyncio.to_thread(inside.wait, HANG_TIMEOUT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        async with asyncio.timeout(HANG_TIMEOUT):
            while os.path.exists(f"/dev/fd/{source[0]}"):
                await asyncio.sleep(0.001)
    assert held == [True] * (when == "a thread copies")


@on_every_loop
async def test_a_connection_that_breaks_just_when_the_disk_answers_is_not_written_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A streamed body may resume before it is cancelled. uvloop reports a write to a closed transport as an error."""
    read, real = asyncio.Event(), lean.Connection.connection_lost

    def lost(self: lean.Connection, error: Exception | None) -> None:
        read.set()
        real(self, error)

    monkeypatch.setattr(lean.Connection, "connection_lost", lost)
    async with serving(refusing(b"", act="resets")) as server, using("lean") as transport:
        body = Pieces(BLOCK, LARGE, before=read.wait)
        with pytest.raises(ProblemError) as raised:
            await transport.send(Ticket(SecretUrl(server.url), "id"), body, {}, lambda _: None)
    assert raised.value.problem.kind is ProblemKind.TRANSIENT
