"""TLS of both senders: trust, server name, session resumption, and broken handshakes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Connection, authority, ca_file, certified, echo, serving, settled
from sender_helpers import BLOCK, BOTH, LEAN, FileBody, answered, next_works, outcome, using

from bulkup.model.problems import Problem, ProblemKind


@BOTH
@pytest.mark.parametrize("times", [0, 1, 40], ids=["empty", "one piece", "many pieces"])
async def test_a_private_authority_can_be_configured(sender: str, tmp_path: Path, times: int) -> None:
    """Bodies arrive over one connection."""
    async with (
        serving(tls=certified()) as server,
        using(sender, ca_file=ca_file(tmp_path)) as transport,
    ):
        await answered(transport, server.url, FileBody(BLOCK, times))
        await next_works(transport, server)
    assert server.requests[0].body == BLOCK * times
    assert len(server.connections) == 1


@BOTH
async def test_an_unknown_authority_ends_the_run(sender: str) -> None:
    """Nothing was sent, a retry would not help, and the message names the setting."""
    async with serving(tls=certified()) as server, using(sender) as transport:
        problem = await outcome(transport, server.url)
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
    assert "ca_file" in problem.message
    assert server.requests == []


def outdated() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority().issue_cert("127.0.0.1", not_after=datetime(2001, 1, 1, tzinfo=UTC))
    certificate.configure_cert(context)
    return context


@BOTH
@pytest.mark.parametrize(
    "context",
    [lambda: certified("elsewhere.example"), lambda: certified("127.0.0.2"), lambda: certified("localhost"), outdated],
    ids=["another name", "another address", "a name of the address", "out of date"],
)
async def test_a_certificate_for_another_host_or_time_is_refused(sender: str, tmp_path: Path, context: Any) -> None:
    """Even if its authority is trusted."""
    async with serving(tls=context()) as server, using(sender, ca_file=ca_file(tmp_path)) as transport:
        problem = await outcome(transport, server.url)
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
    assert server.requests == []


@BOTH
async def test_the_server_name_is_sent_and_only_http_1_1_is_offered(sender: str, tmp_path: Path) -> None:
    asked, context = list[str | None](), certified("localhost")

    def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(tls=context) as server, using(sender, ca_file=ca_file(tmp_path)) as transport:
        url = server.url.replace("127.0.0.1", "localhost")
        assert (await answered(transport, url)).status == 200
        assert server.connections[0].tls.selected_alpn_protocol() in (None, "http/1.1")
    assert asked == ["localhost"]
    assert server.requests[0].headers["host"] == f"localhost:{server.port}"


@BOTH
async def test_tls_1_2_is_the_oldest_version(sender: str, tmp_path: Path) -> None:
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context = certified()
        with pytest.warns(DeprecationWarning, match="TLSv1_1") if not works else contextlib.nullcontext():
            context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        async with serving(tls=context) as server, using(sender, ca_file=ca_file(tmp_path)) as transport:
            assert isinstance(await outcome(transport, server.url), Problem) is not works


@BOTH
async def test_a_server_without_tls_is_reported(sender: str) -> None:
    """A wrong scheme does not hang or disclose anything. The server may be a proxy, so storage was not reached."""

    async def plain(connection: Connection) -> None:
        await connection.read(1)
        connection.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    async with serving(plain) as server, using(sender) as transport:
        problem = await outcome(transport, server.url.replace("http:", "https:"))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) in ((ProblemKind.UNUSABLE, False), (ProblemKind.UNREACHABLE, False))


@BOTH
@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("count", [0, 1, 100])
async def test_after_a_broken_handshake_the_server_cannot_have_acted(sender: str, count: int, end: str) -> None:

    async def breaks(connection: Connection) -> None:
        await connection.read(count)
        getattr(connection, end)()

    async with serving(*[breaks] * 3) as server, using(sender) as transport:
        problem = await outcome(transport, server.url.replace("http:", "https:"))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)


@BOTH
async def test_a_silent_handshake_times_out(sender: str) -> None:
    """By the connect timeout."""

    async def silent(connection: Connection) -> None:
        await connection.until_end()

    async with serving(silent) as server, using(sender, connect_timeout=0.3) as transport:
        problem = await outcome(transport, server.url.replace("http:", "https:"))
        async with asyncio.timeout(5):
            await server.connections[0].ended.wait()
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)


@BOTH
@pytest.mark.parametrize("kept", [0, 5, 30])
@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_that_breaks_below_tls_is_a_fault(sender: str, tmp_path: Path, kept: int, end: str) -> None:
    """Otherwise anyone on the network could cut off an answer."""

    async def cut(connection: Connection) -> None:
        connection.write(echo(await connection.request())[:kept])
        await settled()
        connection.tear(reset=end == "reset")

    async with (
        serving(*[cut] * 2, tls=certified()) as server,
        using(sender, ca_file=ca_file(tmp_path)) as transport,
    ):
        problem = await outcome(transport, server.url)
        assert isinstance(problem, Problem)
        assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
        server.scripts = []
        await next_works(transport, server)


@LEAN
async def test_the_next_connection_resumes_the_tls_session(sender: str, tmp_path: Path) -> None:
    """It saves a round trip and most of the work. With TLS 1.3, the session ticket arrives after the handshake."""
    reused = list[bool]()

    async def closing(connection: Connection) -> None:
        reused.append(connection.tls.session_reused)
        answer = echo(await connection.request())
        connection.write(answer)
        await connection.read(1)

    async with (
        serving(*[closing] * 3, tls=certified()) as server,
        using(sender, ca_file=ca_file(tmp_path)) as transport,
    ):
        for _ in range(3):
            await answered(transport, server.url)
            for connection in server.connections:
                connection.close()
            await settled()
    assert reused[:1] == [False]
    assert True in reused[1:]
