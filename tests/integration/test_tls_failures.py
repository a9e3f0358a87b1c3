"""Failed TLS connections of API calls and of both senders: each is described by its true cause."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Connection, authority, ca_file, certified, serving
from sender_helpers import BOTH, outcome, using

from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.transport import Transport

Ask = Callable[[Transport, str], Awaitable[ApiAnswer | StorageAnswer | Problem]]
OLD, FUTURE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)


async def call(transport: Transport, url: str) -> ApiAnswer | Problem:
    """Make an API call, and return the answer or problem."""
    try:
        return await transport.call(url, ApiRequest("POST", "/v1", body=b"{}"))
    except ProblemError as error:
        return error.problem


WAYS = pytest.mark.parametrize(
    ("sender", "ask"), [("lean", outcome), ("aiohttp", outcome), ("lean", call)], ids=["lean", "aiohttp", "API"]
)


def issued(**options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1", **options).configure_cert(context)
    return context


def asking_for_a_certificate(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = certified()
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    authority().configure_trust(context)
    return context


def with_ciphers(ciphers: str) -> ssl.SSLContext:
    context = certified()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    return context


def with_version_1_1() -> ssl.SSLContext:
    context = certified()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@contextmanager
def handshakes(context: ssl.SSLContext) -> Iterator[str]:
    """Serve handshakes, and yield the URL. asyncio's server sends no alerts, a socket does."""

    def shake(client: socket.socket) -> None:
        client.settimeout(10)
        tls = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        with tls, contextlib.suppress(OSError):
            with contextlib.suppress(ssl.SSLError):
                tls.do_handshake()
            tls.shutdown(socket.SHUT_WR)
            while tls.recv(4096):  # closing it with unread bytes would reset it, and lose the alert
                pass

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                shake(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.getsockname()[1]}/k"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


async def refused(ask: Ask, sender: str, context: ssl.SSLContext, ca: str | None) -> Problem:
    """Return the problem of a request to a server with this context."""
    with handshakes(context) as url:
        async with using(sender, ca_file=ca) as transport:
            problem = await ask(transport, url)
    assert isinstance(problem, Problem)
    return problem


@WAYS
@pytest.mark.parametrize(
    ("context", "said"),
    [
        (lambda: issued(not_after=OLD), "has expired"),
        (lambda: issued(not_before=FUTURE, not_after=FUTURE.replace(year=2091)), "not valid yet"),
        (lambda: certified("elsewhere.example"), "is for another host"),
        (lambda: certified("127.0.0.2"), "is for another host"),
        (with_version_1_1, "no common TLS version"),
        (lambda: with_ciphers("NULL-SHA256:@SECLEVEL=0"), "shares no cipher with bulkup, or"),
        (lambda: asking_for_a_certificate(ssl.TLSVersion.TLSv1_2), "or asks for a client certificate"),
    ],
    ids=["expired", "early", "name", "address", "version", "cipher", "client"],
)
async def test_the_cause_is_named(
    sender: str, ask: Ask, context: Callable[[], ssl.SSLContext], said: str, tmp_path: Path
) -> None:
    """It is the same for every request, so the run ends."""
    problem = await refused(ask, sender, context(), ca_file(tmp_path))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
    assert said in problem.message
    assert "ca_file" not in problem.message


@WAYS
async def test_only_an_unknown_authority_is_a_matter_of_ca_file(sender: str, ask: Ask) -> None:
    problem = await refused(ask, sender, certified(), None)
    assert problem.kind is ProblemKind.UNUSABLE
    assert "is not trusted" in problem.message
    assert "is ca_file set?" in problem.message


@WAYS
async def test_a_client_certificate_that_is_missed_after_the_handshake(sender: str, ask: Ask, tmp_path: Path) -> None:
    """TLS 1.3 refuses then. A small request may have been written before, and was not read."""
    problem = await refused(ask, sender, asking_for_a_certificate(ssl.TLSVersion.TLSv1_3), ca_file(tmp_path))
    assert problem.kind is ProblemKind.UNUSABLE
    assert "asks for a TLS certificate of the client" in problem.message


@WAYS
@pytest.mark.parametrize("text", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"220 ready\r\n"])
async def test_a_port_without_tls(sender: str, ask: Ask, text: bytes) -> None:
    """It is not an untrusted certificate."""

    async def plain(connection: Connection) -> None:
        await connection.read(1)
        connection.write(text)

    async with serving(plain) as server, using(sender) as transport:
        problem = await ask(transport, server.url.replace("http:", "https:"))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
    assert "does not speak TLS; does the port expect http:// instead of https://?" in problem.message


@WAYS
@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("HTTP/1.1 400 Bad Request", b"<title>400 The plain HTTP request was sent to HTTPS port</title>"),
        ("HTTP/1.0 400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n"),
        ("HTTP/1.1 400 Bad Request", b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"),
        ("HTTP/1.1 400 ", b"Bad Request\nThis combination of host and port requires TLS.\n"),
    ],
    ids=["nginx", "Go", "Apache", "Tomcat"],
)
async def test_a_port_that_expects_tls(sender: str, ask: Ask, status: str, body: bytes) -> None:
    """It answers a plain request with a 400, which is about no file."""

    async def says_so(connection: Connection) -> None:
        await connection.request()
        connection.write(f"{status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)

    async with serving(says_so) as server, using(sender) as transport:
        problem = await ask(transport, server.url)
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.UNUSABLE
    assert "expects https:// instead of http://" in problem.message


@WAYS
async def test_nginx_asks_for_a_client_certificate_in_an_answer(sender: str, ask: Ask, tmp_path: Path) -> None:
    async def asks(connection: Connection) -> None:
        await connection.request()
        body = b"<html><title>400 No required SSL certificate was sent</title></html>"
        connection.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with serving(asks, tls=certified()) as server, using(sender, ca_file=ca_file(tmp_path)) as transport:
        problem = await ask(transport, server.url)
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.UNUSABLE
    assert "asks for a TLS certificate of the client" in problem.message


@WAYS
async def test_other_answers_with_this_status_stay_answers(sender: str, ask: Ask) -> None:
    async def refuses(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 10\r\n\r\nno, thanks")

    async with serving(refuses) as server, using(sender) as transport:
        answer = await ask(transport, server.url)
    assert not isinstance(answer, Problem)
    assert answer.status == 400


@WAYS
async def test_a_tls_server_that_answers_plain_http_with_an_alert(sender: str, ask: Ask) -> None:
    """The alert is no HTTP."""

    async def alerts(connection: Connection) -> None:
        await connection.read(1)
        connection.write(b"\x15\x03\x01\x00\x02\x02\x46")

    async with serving(*[alerts] * 2) as server, using(sender) as transport:
        problem = await ask(transport, server.url)
    assert isinstance(problem, Problem)
    assert problem.message.endswith("does not answer in HTTP; does it expect https://?")


@BOTH
async def test_a_server_that_breaks_the_handshake_off_is_tried_again(sender: str) -> None:
    """Its alert says that the fault is its own."""

    async def alerts(connection: Connection) -> None:
        await connection.read(1)
        connection.write(b"\x15\x03\x03\x00\x02\x02\x50")

    async with serving(alerts) as server, using(sender) as transport:
        problem = await outcome(transport, server.url.replace("http:", "https:"))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
