"""The transport against small servers that work on bytes: lengths, repeats, redirects, timeouts, garbage, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import ssl
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trustme

from bulkup.errors import UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import ApiRequest, StorageAnswer, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport, TransportOptions
from bulkup.transport.destination.redirects import redirected

OK = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n'
USUAL = {"host", "user-agent", "accept", "accept-encoding", "content-length", "expect"}
SMALL, LARGE = b"hello", bytes(range(256)) * 4096 * 3  # 3 MiB
SIZES = pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])


@dataclass
class Seen:
    """A request as it was received."""

    line: str
    headers: dict[str, str]
    raw_names: list[str]
    body: bytes
    connection: int


Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]


@dataclass
class Server:
    """A server that consists of one function; `requests` holds the requests read by `take`."""

    port: int = 0
    scheme: str = "http"
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    answers: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    async def take(self, reader: Reader, writer: Writer | None = None) -> Seen:
        """Read a whole request, and answer `Expect: 100-continue`.

        Raises IncompleteReadError at the end of the stream.
        """
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.partition(": ")[::2] for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        if "expect" in headers and writer is not None:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(head[0], headers, [name.lower() for name, _ in pairs], body, self.connections)
        self.requests.append(seen)
        return seen

    async def answer_all(self, reader: Reader, writer: Writer) -> None:
        """Answer requests with `answers` in turn, then with 200."""
        while True:
            await self.take(reader, writer)
            writer.write(self.answers.pop(0) if self.answers else OK)
            await writer.drain()


@contextlib.asynccontextmanager
async def serving(handler: Handler | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(scheme="https" if tls else "http")
    handle = handler or server.answer_all

    writers = list[Writer]()

    async def connected(reader: Reader, writer: Writer) -> None:
        server.connections += 1
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await handle(reader, writer)
        writer.close()

    tasks = set[asyncio.Task[None]]()

    def keep(reader: Reader, writer: Writer) -> None:
        tasks.add(asyncio.get_running_loop().create_task(connected(reader, writer)))

    listener = await asyncio.start_server(keep, "localhost", 0, family=socket.AF_INET, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)


class Bytes:
    """A body that is in memory if small, and otherwise yields slices. It counts its starts, and may fail half-way."""

    def __init__(self, data: bytes, *, fail: Exception | None = None) -> None:
        self.size = len(data)
        self.data = data if self.size <= 64 * 1024 else None
        self._bytes = data
        self.failure: Exception | None = None
        self.starts = 0
        self._fail = fail

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        self.starts += 1
        for start in range(0, self.size, 64 * 1024):
            if self._fail is not None and start >= self.size // 2:
                self.failure = self._fail
                raise self._fail
            yield memoryview(self._bytes)[start : start + 64 * 1024]


@contextlib.asynccontextmanager
async def transport(**options: Any) -> AsyncIterator[Transport]:
    given = {"connections": 4, "connect_timeout": 10.0, "idle_timeout": 10.0, **options}
    async with Transport(TransportOptions(**given), SystemClock()) as sender:
        yield sender


async def send(
    sender: Transport, url: str, body: Bytes, headers: Mapping[str, str | Secret] | None = None
) -> StorageAnswer:
    return await sender.send(Ticket(SecretUrl(url), "id", headers=headers or {}), body, {}, lambda _: None)


async def failing(url: str, *, data: bytes = LARGE, api: bool = False, **options: Any) -> Problem:
    """Send to a URL with a random signature, and return the problem.

    Assert that nothing about it contains the signature.
    """
    signature = secrets.token_hex(16)
    url += f"/k?X-Amz-Signature={signature}"
    request = json_request("POST", "", {"Authorization": Secret(signature)}, {})
    async with transport(**options) as sender:
        with pytest.raises(ProblemError) as raised:
            await (sender.call(url, request) if api else send(sender, url, Bytes(data)))
    assert signature not in everything_about(raised.value)
    return raised.value.problem


def everything_about(error: BaseException) -> str:
    """Return all texts of an error and of its causes and contexts."""
    told, seen, left = list[str](), set[int](), [error]
    while left:
        each = left.pop()
        if id(each) not in seen:
            seen.add(id(each))
            told += [str(each), repr(each), *traceback.format_exception(each)]
            left += [other for other in (each.__cause__, each.__context__) if other is not None]
    return "".join(told)


@SIZES
async def test_the_length_is_always_sent_and_the_body_never_chunked(data: bytes) -> None:
    """Stores answer a chunked PUT with 501, and one without a length with 411."""
    async with serving() as server, transport() as sender:
        answer = await send(sender, f"{server.url}/k", Bytes(data))
    (seen,) = server.requests
    assert (answer.status, answer.headers["etag"]) == (200, '"x"')
    assert seen.line == "PUT /k HTTP/1.1"
    assert seen.headers["content-length"] == str(len(data))
    assert seen.raw_names.count("content-length") == 1
    assert "transfer-encoding" not in seen.headers
    assert seen.body == data


@SIZES
async def test_no_header_is_added_that_a_signature_could_cover(data: bytes) -> None:
    """No Content-Type, no Content-MD5, no Authorization, no Cookie: only what any client sends."""
    async with serving() as server, transport() as sender:
        await send(sender, f"{server.url}/k", Bytes(data))
    assert set(server.requests[0].headers) <= USUAL


async def test_the_tickets_own_headers_are_sent() -> None:
    """A secret one with its value, and only on the wire."""
    async with serving() as server, transport() as sender:
        ticket = Ticket(SecretUrl(f"{server.url}/k"), "id", headers={"Content-Type": "image/png", "X-Key": Secret("s")})
        await sender.send(ticket, Bytes(SMALL), {"Content-MD5": "abc=="}, lambda _: None)
    headers = server.requests[0].headers
    assert (headers["content-type"], headers["x-key"], headers["content-md5"]) == ("image/png", "s", "abc==")


async def test_a_signed_url_is_sent_unchanged() -> None:
    """Decoding and encoding it would break the signature."""
    path = "/b/a%2Fb%20c+d/%C3%A9.mp4?Signature=a%2Bb%3D%3D&x-amz-security-token=I%2F%2B=&Expires=1&a=1;b"
    async with serving() as server, transport() as sender:
        await send(sender, server.url + path, Bytes(SMALL))
    assert server.requests[0].line == f"PUT {path} HTTP/1.1"


async def test_progress_is_reported_while_bytes_are_sent() -> None:
    """All bytes, in more than one step."""
    steps = list[int]()
    async with serving() as server, transport() as sender:
        await sender.send(Ticket(SecretUrl(f"{server.url}/k"), "id"), Bytes(LARGE), {}, steps.append)
    assert sum(steps) == len(LARGE)
    assert len(steps) > 1


@SIZES
async def test_a_connection_that_was_closed_while_idle_is_replaced(data: bytes) -> None:
    """The next body is sent from its first byte."""

    async def handle(reader: Reader, writer: Writer) -> None:
        first = server.connections == 1
        await server.take(reader, writer)
        writer.write(OK)
        await writer.drain()
        if first:
            # The first connection takes the beginning of another request, and is gone then.
            await reader.readexactly(1)
            writer.transport.abort()

    async with serving(handle) as server, transport() as sender:
        await send(sender, f"{server.url}/one", Bytes(data))
        body = Bytes(data)
        answer = await send(sender, f"{server.url}/two", body)
    assert answer.status == 200
    assert server.connections == 2
    assert [(seen.line.split()[1], seen.body) for seen in server.requests] == [("/one", data), ("/two", data)]


@pytest.mark.parametrize("status", [307, 308])
@SIZES
async def test_a_temporary_redirect_is_followed_with_the_whole_body(data: bytes, status: int) -> None:
    """To a relative or absolute URL."""
    async with serving() as server, serving() as other, transport() as sender:
        server.answers = [
            f"HTTP/1.1 {status} Temporary\r\nLocation: /second?s=1\r\nContent-Length: 0\r\n\r\n".encode(),
            f"HTTP/1.1 {status} Temporary\r\nLocation: {other.url}/third\r\nContent-Length: 0\r\n\r\n".encode(),
        ]
        answer = await send(sender, f"{server.url}/first", Bytes(data))
    assert answer.status == 200
    assert [seen.line.split()[1] for seen in server.requests] == ["/first", "/second?s=1"]
    assert [seen.line.split()[1] for seen in other.requests] == ["/third"]
    assert all(seen.body == data for seen in server.requests + other.requests)


async def test_a_redirect_loop_ends() -> None:
    """After a few steps it is final."""
    async with serving() as server:
        server.answers = [b"HTTP/1.1 307 X\r\nLocation: /k\r\nContent-Length: 0\r\n\r\n"] * 99
        assert (await failing(server.url)).kind is ProblemKind.FAILED
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_that_would_lose_the_body_is_an_answer(status: int) -> None:
    """It is returned, and nothing is sent elsewhere."""
    async with serving() as server, transport() as sender:
        server.answers = [f"HTTP/1.1 {status} X\r\nLocation: /k\r\nContent-Length: 0\r\n\r\n".encode()]
        assert (await send(sender, f"{server.url}/k", Bytes(SMALL))).status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://s.example/k?sig",
        "ftp://s.example/k",
        "file:///etc/passwd",
        "javascript:1",
        "HTTP://s.example/k",
        "http://[",
    ],
)
def test_a_redirect_away_from_https_is_refused(location: str) -> None:
    """Neither bytes nor a signature are sent over http or another scheme."""
    signature = secrets.token_hex(16)
    with pytest.raises(ProblemError) as raised:
        redirected(SecretUrl(f"https://s.example/a?X-Sig={signature}"), location)
    assert raised.value.problem.kind is ProblemKind.FAILED
    assert signature not in everything_about(raised.value)


@pytest.mark.parametrize(
    ("old", "location", "new"),
    [
        ("https://s.example/a", "https://t.example/b?x=%2F", "https://t.example/b?x=%2F"),
        ("http://s.example/a", "https://s.example/a", "https://s.example/a"),
        ("http://s.example/a", "http://t.example/a", "http://t.example/a"),
        ("https://s.example/a/b", "/c", "https://s.example/c"),
        ("https://s.example/a/b", "//t.example/c", "https://t.example/c"),
    ],
)
def test_a_redirect_to_the_same_or_a_safer_scheme_is_followed(old: str, location: str, new: str) -> None:
    """To any host."""
    assert redirected(SecretUrl(old), location).reveal() == new


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_credentials_follow_no_redirect(status: int) -> None:
    """A redirect of the API is an answer, and its host never receives the token."""
    async with serving() as server, serving() as other, transport() as sender:
        server.answers = [f"HTTP/1.1 {status} X\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()]
        request = json_request("POST", "/v1/x", {"Authorization": Secret("tok")}, {"a": 1})
        assert (await sender.call(server.url, request)).status == status
    assert other.requests == []


async def test_a_call_sends_json_and_returns_the_answer() -> None:
    """Header names in lower case, and the body as bytes, for any status."""
    async with serving() as server, transport() as sender:
        server.answers = [b'HTTP/1.1 422 X\r\nX-Thing: Y\r\nContent-Length: 7\r\n\r\n{"a":1}']
        request = json_request("POST", "/v1/x", {"Authorization": Secret("tok")}, {"name": "\u00e9"})
        answer = await sender.call(server.url + "/root", request)
    assert (answer.status, answer.headers["x-thing"], answer.json()) == (422, "Y", {"a": 1})
    (seen,) = server.requests
    assert seen.line == "POST /root/v1/x HTTP/1.1"
    assert seen.headers["authorization"] == "tok"
    assert seen.headers["content-type"] == "application/json"
    assert seen.body == '{"name":"\u00e9"}'.encode()


async def test_storage_never_receives_credentials_or_cookies_of_the_api() -> None:
    """Even on the same host, and in neither direction."""
    async with serving() as server, transport() as sender:
        cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1; Path=/\r\nContent-Length: 2\r\n\r\n{}"
        server.answers = [cookie, cookie]
        call = json_request("POST", "/v1", {"Authorization": Secret("tok")}, {})
        await sender.call(server.url, call)
        await send(sender, f"{server.url}/k", Bytes(SMALL))
        await sender.call(server.url, call)
    assert [seen.headers.get("authorization") for seen in server.requests] == ["tok", None, "tok"]
    assert all("cookie" not in seen.headers for seen in server.requests)


async def test_the_users_netrc_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its passwords are sent neither to the API nor to storage."""
    (tmp_path / ".netrc").write_text("machine localhost login me password netrc-pass\ndefault login me password x\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with serving() as server, transport() as sender:
        await sender.call(server.url, ApiRequest("GET", "/"))
        await send(sender, f"{server.url}/k", Bytes(SMALL))
    assert all("authorization" not in seen.headers for seen in server.requests)


async def test_an_answer_in_pieces_is_read_to_its_end() -> None:
    """A store's error may arrive in several pieces."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await server.take(reader, writer)
        writer.write(b"HTTP/1.1 403 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<?xml\r\n")
        for part in (b" version='1.0'?><Error><Code>Access", b"Denied</Code></Error>"):
            await asyncio.sleep(0.02)
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")

    async with serving(handle) as server, transport() as sender:
        answer = await send(sender, f"{server.url}/k", Bytes(SMALL))
    assert answer.body == b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"


async def test_a_long_answer_of_storage_is_cut() -> None:
    """The next request uses a new connection."""
    async with serving() as server, transport() as sender:
        server.answers = [b"HTTP/1.1 500 X\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 4_000_000]
        assert len((await send(sender, f"{server.url}/k", Bytes(SMALL))).body) == 64 * 1024
        assert (await send(sender, f"{server.url}/k", Bytes(SMALL))).status == 200


async def test_an_answer_of_the_api_has_a_size_limit() -> None:
    """A larger answer is refused before it fills the memory."""
    async with serving() as server:
        server.answers = [b"HTTP/1.1 200 X\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000]
        problem = await failing(server.url, api=True, api_answer_limit=1000)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert "sent an answer of more than" in problem.message


def answer_with(*fields: bytes, body: bytes = b"{}", status: int = 200) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.mark.parametrize("size", [8 * 1024, 8200, 20_000, 60_000])
async def test_a_long_header_of_the_api_is_received(size: int) -> None:
    """Such as a token of an identity service, which lists a project's services."""
    async with serving() as server, transport() as sender:
        server.answers = [answer_with(b"X-Subject-Token: " + b"t" * size)]
        answer = await sender.call(server.url, ApiRequest("POST", "/v3/auth/tokens"))
    assert answer.headers["x-subject-token"] == "t" * size


@pytest.mark.parametrize(
    "fields",
    [[b"X-Token: " + b"a" * 70_000], [b"X-" + b"a" * 70_000 + b": 1"], [b"X-%d: 1" % number for number in range(200)]],
    ids=["value", "name", "number"],
)
async def test_headers_beyond_the_limits_are_named_as_the_cause(fields: list[bytes]) -> None:
    async with serving() as server:
        server.answers = [answer_with(*fields)]
        problem = await failing(server.url, api=True)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert problem.message.endswith("answered with more than 128 headers, or with one of more than 64 KiB")


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, br"])
async def test_a_content_coding_that_was_not_asked_for_is_named(coding: bytes) -> None:
    """The body is not decoded, because no decoder for it need be installed."""
    async with serving() as server:
        server.answers = [answer_with(b"Content-Encoding: " + coding, body=b"\x0b\x01\x80{}\x03")]
        problem = await failing(server.url, api=True)
        (seen,) = server.requests
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert f"the content coding '{coding.decode()}', which was not asked for" in problem.message
    assert seen.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("field", [b"Content-Encoding: br", b"Content-Encoding: gzip"])
async def test_the_status_of_an_error_counts_without_its_body(field: bytes) -> None:
    """A 401 must not be retried because its explanation cannot be read."""
    async with serving() as server, transport() as sender:
        server.answers = [answer_with(field, body=b"not compressed", status=401)]
        answer = await sender.call(server.url, ApiRequest("POST", "/"))
    assert (answer.status, answer.body) == (401, b"")


@pytest.mark.parametrize("sender_name", ["lean", "aiohttp"])
async def test_storage_is_asked_for_no_content_coding(sender_name: str) -> None:
    """An answer that has one nevertheless counts by its status and headers."""
    async with serving() as server, transport(sender=sender_name) as sender:
        server.answers = [answer_with(b"Content-Encoding: br", b'ETag: "x"', body=b"\x0b\x01\x80{}\x03")]
        answer = await send(sender, f"{server.url}/k", Bytes(SMALL))
    assert (answer.status, answer.headers["etag"]) == (200, '"x"')
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_an_early_refusal_is_received_while_the_body_is_sent() -> None:
    """It is not lost in a broken pipe."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 X\r\nConnection: close\r\nContent-Length: 4\r\n\r\nNope")
        await writer.drain()
        await reader.read()

    async with serving(handle) as server, transport() as sender:
        body = Bytes(LARGE * 4)
        answer = await send(sender, f"{server.url}/k", body)
    assert (answer.status, answer.body) == (403, b"Nope")


async def forever(reader: Reader, _: Writer) -> None:
    """Read everything and answer nothing."""
    while await reader.read(1 << 20):
        pass


async def deaf(_reader: Reader, writer: Writer) -> None:
    """Read nothing and answer nothing."""
    assert isinstance(writer.transport, asyncio.ReadTransport)
    writer.transport.pause_reading()
    await asyncio.Event().wait()


async def half_an_answer(reader: Reader, writer: Writer) -> None:
    """Answer partly, and stop."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await forever(reader, writer)


@pytest.mark.parametrize("handler", [forever, deaf, half_an_answer], ids=lambda handler: handler.__name__)
@SIZES
async def test_a_server_that_makes_no_progress_is_given_up(handler: Handler, data: bytes) -> None:
    """Whether it stops reading, never answers, or stops in its answer: the attempt fails and can be repeated."""
    async with serving(handler) as server:
        # No time for buffered bytes.
        problem = await failing(server.url, data=data * 8, idle_timeout=0.2, connect_timeout=0.5, slowest=1024**3)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert "no progress for 0.2 s" in problem.message


@pytest.mark.parametrize("handler", [forever, half_an_answer], ids=lambda handler: handler.__name__)
async def test_an_api_that_makes_no_progress_times_out(handler: Handler) -> None:
    """Ids may have been created."""
    async with serving(handler) as server:
        problem = await failing(server.url, api=True, idle_timeout=0.2, connect_timeout=0.5)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_an_answer_that_trickles_is_given_up(data: bytes) -> None:
    """A byte now and then does not occupy a worker forever."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(data))
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(handle) as server, asyncio.timeout(60):
        problem = await failing(server.url, data=data, idle_timeout=0.2, connect_timeout=0.5, slowest=64 * 1024**2)
    assert problem.kind is ProblemKind.TRANSIENT


async def test_a_slow_server_does_not_time_out() -> None:
    """A body may take longer than the idle timeout while it makes progress."""
    size, buffers = 24 * 1024**2, 8 * 1024**2

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await reader.read(64 * 1024))
            # What is in the buffers on the way has left the client, which then sees nothing of its progress.
            await asyncio.sleep(0.01 if left > buffers else 0)
        writer.write(OK)

    async with serving(handle) as server, transport(idle_timeout=1.0, connect_timeout=0.5) as sender:
        assert (await send(sender, f"{server.url}/k", Bytes(bytes(size)))).status == 200


async def garbage(reader: Reader, writer: Writer) -> None:
    """Answer with bytes that are not HTTP."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n\x00\xff" * 3)


async def hang_up(_reader: Reader, _writer: Writer) -> None:
    """Close at once."""


async def hang_up_after_headers(reader: Reader, _: Writer) -> None:
    """Close without an answer."""
    await reader.readuntil(b"\r\n\r\n")


async def reset(reader: Reader, writer: Writer) -> None:
    """Break the connection in the middle of the body."""
    await reader.readuntil(b"\r\n\r\n")
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def cut_answer(reader: Reader, writer: Writer) -> None:
    """Close in the middle of the answer."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


FAULTS = [garbage, hang_up, hang_up_after_headers, reset, cut_answer]


@pytest.mark.parametrize("handler", FAULTS, ids=lambda handler: handler.__name__)
@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_an_invalid_answer_is_transient(handler: Handler, data: bytes) -> None:
    """At any moment, and no text about it contains the signature."""
    async with serving(handler) as server:
        problem = await failing(server.url, data=data)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


@pytest.mark.parametrize("handler", FAULTS, ids=lambda handler: handler.__name__)
async def test_an_api_that_does_not_answer_may_have_created_ids(handler: Handler) -> None:
    """The call was under way."""
    async with serving(handler) as server:
        problem = await failing(server.url, api=True)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


def unused_port() -> int:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("localhost", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("api", [False, True])
async def test_after_a_refused_connection_nothing_was_created(api: bool) -> None:
    problem = await failing(f"http://localhost:{unused_port()}", api=api)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
    assert "cannot connect to http://localhost" in problem.message


async def no_lookup(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("api", [False, True])
async def test_an_unknown_name_is_unreachable(api: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network may be down for a while."""
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_lookup)
    problem = await failing("https://nowhere.invalid", api=api)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
    assert "nowhere.invalid" in problem.message
    assert "Name or service not known" in problem.message


async def test_running_out_of_descriptors_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry would meet the same limit."""

    def no_socket(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    port = unused_port()
    monkeypatch.setattr(socket, "socket", no_socket)
    problem = await failing(f"http://127.0.0.1:{port}")
    assert problem.kind is ProblemKind.MACHINE
    assert "ulimit" in problem.message


async def test_a_header_that_cannot_be_sent_is_final() -> None:
    """A line break in a value would start another header."""
    signature = secrets.token_hex(16)
    async with serving() as server, transport() as sender:
        with pytest.raises(ProblemError) as raised:
            await send(sender, f"{server.url}/k?{signature}", Bytes(SMALL), {"X-A": "a\r\nX-B: b"})
    assert raised.value.problem.kind is ProblemKind.FAILED
    assert signature not in everything_about(raised.value)
    assert server.requests == []


async def test_a_body_that_fails_ends_the_request_with_its_own_error() -> None:
    """Storage never receives a complete body."""
    signature, problem = (
        secrets.token_hex(16),
        ProblemError(Problem(ProblemKind.CHANGED, "it changed while it was read")),
    )
    async with serving() as server, transport() as sender:
        with pytest.raises(ProblemError) as raised:
            await send(sender, f"{server.url}/k?{signature}", Bytes(LARGE, fail=problem))
        # The connection is not used again: the other end still waits for the rest.
        assert (await send(sender, f"{server.url}/next", Bytes(SMALL))).status == 200
    assert raised.value is problem
    assert signature not in everything_about(raised.value)
    assert [seen.line for seen in server.requests] == ["PUT /next HTTP/1.1"]


async def test_a_cancelled_send_leaves_nothing_behind() -> None:
    """No task and no connection; pytest turns either into an error."""
    async with serving(forever) as server, transport() as sender:
        task = asyncio.create_task(send(sender, f"{server.url}/k", Bytes(LARGE)))
        while not server.connections:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() <= {asyncio.current_task(), *_tasks_of(serving)}


async def test_a_cancelled_send_does_not_wait_for_a_server_that_does_not_read() -> None:
    """Unsent bytes are dropped with the connection."""
    written = 0

    def count(size: int) -> None:
        nonlocal written
        written += size

    async with serving(deaf) as server, transport() as sender:
        before = len(os.listdir("/dev/fd"))
        ticket = Ticket(SecretUrl(f"{server.url}/k"), "id")
        task = asyncio.create_task(sender.send(ticket, Bytes(bytes(32 * 1024**2)), {}, count))
        seen = -1
        while seen != written or not written:  # until the buffers on the way are full
            seen = written
            await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert len(os.listdir("/dev/fd")) == before + 1  # the server's end


def _tasks_of(_: object) -> set[asyncio.Task[Any]]:
    """Return the tasks of this module's servers."""
    return {task for task in asyncio.all_tasks() if "connected" in repr(task.get_coro())}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def pem(authority: trustme.CA, folder: Path) -> str:
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@SIZES
async def test_a_private_authority_can_be_configured(
    tmp_path: Path, authority: trustme.CA, tls: ssl.SSLContext, data: bytes
) -> None:
    """For API calls and for storage."""
    async with serving(tls=tls) as server, transport(ca_file=pem(authority, tmp_path)) as sender:
        assert (await send(sender, f"{server.url}/k", Bytes(data))).status == 200
        assert (await sender.call(server.url, ApiRequest("GET", "/"))).status == 200
    assert server.requests[0].body == data


@pytest.mark.parametrize("api", [False, True])
async def test_an_unknown_authority_ends_the_run(tls: ssl.SSLContext, api: bool) -> None:
    """A retry would not help, nothing was sent, and the message names the setting."""
    async with serving(tls=tls) as server:
        problem = await failing(server.url, api=api)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
    assert "ca_file" in problem.message
    assert server.requests == []


async def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path, authority: trustme.CA) -> None:
    """Even if its authority is trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    async with serving(tls=context) as server:
        problem = await failing(server.url, ca_file=pem(authority, tmp_path))
    assert problem.kind is ProblemKind.UNUSABLE


async def test_tls_to_a_server_without_tls_is_reported() -> None:
    """It does not hang or leak."""
    async with serving() as server:
        problem = await failing(server.url.replace("http:", "https:"), idle_timeout=0.5, connect_timeout=0.5)
    assert problem.kind in (ProblemKind.UNUSABLE, ProblemKind.UNREACHABLE)
    assert not problem.maybe_created


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_unusable_ca_file_is_a_usage_error(tmp_path: Path, content: bytes | None) -> None:
    """It is reported before anything starts, with its path."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"ca\.pem"):
        Transport(TransportOptions(1, ca_file=str(path)), SystemClock())


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_proxies")
async def test_requests_are_sent_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole URL, for API calls and for storage."""
    async with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with transport() as sender:
            await sender.call("http://api.invalid", ApiRequest("GET", "/a"))
            await send(sender, "http://storage.invalid/k", Bytes(SMALL))
    assert [seen.line.split()[1] for seen in proxy.requests] == ["http://api.invalid/a", "http://storage.invalid/k"]


@pytest.mark.usefixtures("no_proxies")
async def test_a_proxy_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported as the proxy's fault, without its password."""
    monkeypatch.setenv("http_proxy", f"http://user:hunter2@localhost:{unused_port()}")
    problem = await failing("http://storage.invalid")
    assert problem.kind is ProblemKind.UNREACHABLE
    assert "proxy" in problem.message
    assert "hunter2" not in problem.message
