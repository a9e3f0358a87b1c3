"""Proxies of the environment: the whole URL over http, a tunnel over https, and authentication."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from scripted_server import OK, Connection, Script, Server, ca_file, certified, echo, serving
from sender_helpers import BLOCK, BOTH, FileBody, answered, outcome, using
from test_transport import unused_port

from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind

USER, PASSWORD = "me@home", "hunter2:/?"
QUOTED = "me%40home:hunter2%3A%2F%3F"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


def tunnel_to(*servers: Server, fields: bytes = b"", delay: float = 0.0) -> Script:
    """A proxy that opens tunnels to these servers by the requested port, whatever the name.

    `fields` are added to the head of its answer; it forwards the first bytes after `delay` seconds.
    """

    async def script(connection: Connection) -> None:
        request = await connection.head()
        port = int(request.target.rpartition(":")[2])
        assert request.method == "CONNECT"
        assert port in {server.port for server in servers}
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        connection.write(b"HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n" + fields + b"\r\n")
        await asyncio.sleep(delay)
        await asyncio.gather(pump(connection.reader, writer), pump(reader, connection.writer))

    return script


async def stays(connection: Connection, answer: bytes) -> None:
    """Answer a request for a tunnel, and keep the connection open."""
    await connection.head()
    connection.write(answer)
    await connection.until_end()


async def refuses(connection: Connection) -> None:
    await connection.head()
    connection.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


def named(server: Server, name: str = "storage.test") -> str:
    return server.url.replace("127.0.0.1", name)


@BOTH
@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
async def test_over_http_a_proxy_gets_the_whole_url(
    sender: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secured: bool
) -> None:
    """Unchanged, because it is signed. The proxy looks the name up, and its connection is reused."""
    async with serving(tls=certified() if secured else None) as proxy:
        monkeypatch.setenv("http_proxy", f"{proxy.scheme}://127.0.0.1:{proxy.port}")
        async with using(sender, ca_file=ca_file(tmp_path)) as transport:
            for times in (0, 1, 8):
                url = f"http://storage.test:81/a%2Fb+c/{times}"
                answer = await answered(transport, url, FileBody(BLOCK, times))
                assert answer.headers["x-target"] == url
    assert [request.headers["host"] for request in proxy.requests] == ["storage.test:81"] * 3
    assert [len(request.body) // len(BLOCK) for request in proxy.requests] == [0, 1, 8]
    assert not any("proxy-authorization" in request.headers for request in proxy.requests)
    assert len(proxy.connections) == 1


@BOTH
async def test_over_http_a_proxy_gets_credentials(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in its URL, percent-decoded (RFC 7617)."""
    async with serving() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{QUOTED}@127.0.0.1:{proxy.port}")
        async with using(sender) as transport:
            await answered(transport, "http://storage.test/k", headers={"X-Key": Secret("k")})
    headers = proxy.requests[0].headers
    assert (headers["proxy-authorization"], headers["x-key"], headers["host"]) == (BASIC, "k", "storage.test")


@BOTH
@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("http://[2001:db8::1]:81/k", "http://[2001:db8::1]:81/k", "[2001:db8::1]:81"),
        ("http://[2001:db8::1]/k", "http://[2001:db8::1]/k", "[2001:db8::1]"),
        ("http://Storage.Test:80/K", "http://storage.test/K", "storage.test"),
        ("https://[2001:db8::1]/k", "[2001:db8::1]:443", "[2001:db8::1]:443"),
        ("https://Storage.Test:8443/k", "storage.test:8443", "storage.test:8443"),
    ],
)
async def test_addresses_and_ports_in_requests_to_a_proxy(
    sender: str, monkeypatch: pytest.MonkeyPatch, url: str, target: str, host: str
) -> None:
    """RFC 9110 7.2: IPv6 addresses have brackets. A default port may be left out, but not in CONNECT."""
    async with serving(refuses) as proxy:
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", proxy.url.removesuffix("/k"))
        async with using(sender) as transport:
            await outcome(transport, url)
    (request,) = proxy.requests
    assert request.target.partition("?")[0].lower() == target.lower()
    assert request.headers["host"].lower().removesuffix(":443") == host.removesuffix(":443")


@BOTH
@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
async def test_over_https_a_proxy_opens_a_tunnel(
    sender: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secured: bool
) -> None:
    """It sees only host, port and its own credentials, and storage never sees those."""
    async with (
        serving(tls=certified("storage.test")) as server,
        serving(*[tunnel_to(server)] * 2, tls=certified() if secured else None) as proxy,
    ):
        monkeypatch.setenv("https_proxy", f"{proxy.scheme}://{QUOTED}@127.0.0.1:{proxy.port}")
        async with using(sender, ca_file=ca_file(tmp_path)) as transport:
            for times in (0, 40, 1):
                assert (await answered(transport, named(server), FileBody(BLOCK, times))).status == 200
    (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", f"storage.test:{server.port}")
    assert (request.headers["host"], request.headers["proxy-authorization"]) == (request.target, BASIC)
    assert b"X-Amz-Signature" not in request.head
    assert len(server.connections) == 1
    assert [len(request.body) // len(BLOCK) for request in server.requests] == [0, 40, 1]
    assert not any("proxy-authorization" in request.headers for request in server.requests)


@BOTH
async def test_a_connection_is_not_used_before_its_tunnel_is_open(
    sender: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's answer with a length looks complete. Another upload must not send its request in clear to the proxy."""
    async with serving(tls=certified("storage.test")) as server:
        async with serving(*[tunnel_to(server, fields=b"Content-Length: 0\r\n", delay=0.2)] * 2) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/k"))
            async with using(sender, ca_file=ca_file(tmp_path)) as transport:
                first = asyncio.create_task(answered(transport, named(server)))
                await asyncio.sleep(0.1)
                assert (await answered(transport, named(server))).status == 200
                assert (await first).status == 200
        assert [request.method for request in proxy.requests] == ["CONNECT", "CONNECT"]
    assert len(server.requests) == 2


@BOTH
async def test_the_servers_certificate_is_verified_through_a_tunnel(
    sender: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(tls=certified("elsewhere.test")) as server,
        serving(tunnel_to(server)) as proxy,
    ):
        monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/k"))
        async with using(sender, ca_file=ca_file(tmp_path)) as transport:
            problem = await outcome(transport, named(server))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
    assert server.requests == []


@BOTH
@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [("127.0.0.0/8", True), ("*", True), ("", True), ("storage.test,<-loopback>", False)],
)
async def test_hosts_in_no_proxy_are_reached_directly(
    sender: str, monkeypatch: pytest.MonkeyPatch, no_proxy: str, direct: bool
) -> None:
    async with serving() as server, serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/k"))
        monkeypatch.setenv("no_proxy", no_proxy)
        async with using(sender) as transport:
            assert (await answered(transport, server.url)).status == 200
    assert (len(server.requests), len(proxy.requests)) == ((1, 0) if direct else (0, 1))


@BOTH
async def test_each_scheme_has_its_own_proxy(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`all_proxy` applies to schemes without one."""
    async with serving() as server, serving() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/k"))
        async with using(sender) as transport:
            await answered(transport, server.url)
        monkeypatch.setenv("no_proxy", "<-loopback>")
        monkeypatch.setenv("all_proxy", f"127.0.0.1:{proxy.port}")
        async with using(sender) as transport:
            await answered(transport, "http://storage.test/k")
    assert (len(server.requests), len(proxy.requests)) == (1, 1)


def says(data: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.head()
        connection.write(data)

    return script


BAD_PROXIES: Mapping[str, Script] = {
    "refuses": says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "refuses and stays": lambda connection: stays(connection, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "cannot connect": says(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\nno such host"),
}
RUBBISH: Mapping[str, Script] = {
    "speaks something else": says(b"SSH-2.0-x\r\n\r\n"),
    "hangs up": says(b""),
    "begins an answer": says(b"HTTP/1.1 200 OK\r\nX-A: "),
}


@BOTH
@pytest.mark.parametrize("script", BAD_PROXIES.values(), ids=BAD_PROXIES.keys())
async def test_a_proxy_that_refuses_a_tunnel(sender: str, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """It is reported as the proxy's fault and unreachable, without the password."""
    async with serving(*[script] * 2) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{QUOTED}@127.0.0.1:{proxy.port}")
        async with using(sender) as transport:
            problem = await outcome(transport, "https://storage.test/k")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
    assert "proxy" in problem.message
    assert "(it answered " in problem.message
    assert "hunter2" not in problem.message


@BOTH
@pytest.mark.parametrize("script", RUBBISH.values(), ids=RUBBISH.keys())
async def test_a_proxy_with_an_invalid_answer(sender: str, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """aiohttp cannot distinguish it from an answer through the tunnel, so there the server may have acted."""
    async with serving(*[script] * 2) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{QUOTED}@127.0.0.1:{proxy.port}")
        async with using(sender) as transport:
            problem = await outcome(transport, "https://storage.test/k")
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.UNREACHABLE or (sender == "aiohttp" and problem.kind is ProblemKind.TRANSIENT)
    assert "hunter2" not in problem.message


@BOTH
async def test_a_tunnel_that_is_never_opened_times_out(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the connect timeout."""

    async def silent(connection: Connection) -> None:
        await connection.until_end()

    async with serving(silent) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/k"))
        async with using(sender, connect_timeout=0.3) as transport:
            problem = await outcome(transport, "https://storage.test/k")
        async with asyncio.timeout(5):
            await proxy.connections[0].ended.wait()
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)


@BOTH
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_cannot_be_reached(sender: str, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """It is named in the message, without its password."""
    monkeypatch.setenv(f"{scheme}_proxy", f"http://{QUOTED}@127.0.0.1:{unused_port()}")
    async with using(sender) as transport:
        problem = await outcome(transport, f"{scheme}://storage.test/k")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
    assert "proxy" in problem.message
    assert "hunter2" not in problem.message


@BOTH
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_name_of_a_proxy_that_cannot_be_found(
    sender: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The proxy is the cause, not the host of the URL; for the API as well."""
    monkeypatch.setenv(f"{scheme}_proxy", f"http://{QUOTED}@proxy.invalid:3128")
    async with using(sender) as transport:
        problems = [await outcome(transport, f"{scheme}://storage.test/k")]
        with pytest.raises(ProblemError) as raised:
            await transport.call(f"{scheme}://api.test", ApiRequest("GET", "/a"))
    for problem in (*problems, raised.value.problem):
        assert isinstance(problem, Problem)
        assert problem.kind is ProblemKind.UNREACHABLE
        assert "the proxy for" in problem.message
        assert "hunter2" not in problem.message


@BOTH
async def test_a_proxy_that_does_not_speak_tls(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message does not ask whether the host of the URL expects http."""

    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        monkeypatch.setenv("http_proxy", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with using(sender) as transport:
            problem = await outcome(transport, "http://storage.test/k")
    assert isinstance(problem, Problem)
    assert "the proxy for" in problem.message


@BOTH
async def test_bytes_right_after_the_tunnels_answer_belong_to_the_tunnel(
    sender: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If they are not TLS they are a fault, and no hang."""

    async def early(connection: Connection) -> None:
        await connection.head()
        connection.write(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await connection.until_end()

    async with serving(*[early] * 2) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/k"))
        async with using(sender, connect_timeout=0.5) as transport:
            problem = await outcome(transport, "https://storage.test/k")
    assert isinstance(problem, Problem)
    assert (problem.maybe_created, problem.kind) in ((False, ProblemKind.UNUSABLE), (False, ProblemKind.UNREACHABLE))


@BOTH
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_asks_for_a_password(sender: str, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """It is named in the message, and the run ends: no file and no repetition can change that."""
    asks = says(b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nConnection: close\r\nContent-Length: 3\r\n\r\nNo!")
    async with serving(*[asks] * 3) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{QUOTED}@127.0.0.1:{proxy.port}")
        async with using(sender) as transport:
            problems = [await outcome(transport, f"{scheme}://storage.test/k")]
            with pytest.raises(ProblemError) as raised:
                await transport.call(f"{scheme}://api.test", ApiRequest("GET", "/a"))
    for problem in (*problems, raised.value.problem):
        assert isinstance(problem, Problem)
        assert (problem.kind, problem.maybe_created) == (ProblemKind.UNUSABLE, False)
        assert "the proxy for" in problem.message
        assert "407" in problem.message
        assert "hunter2" not in problem.message


@BOTH
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "ftp://127.0.0.1:9"])
async def test_a_proxy_that_is_not_http_gets_nothing(sender: str, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """For storage as for the API."""
    monkeypatch.setenv("all_proxy", proxy)
    async with using(sender) as transport:
        problem = await outcome(transport, "https://storage.test/k")
        with pytest.raises(ProblemError) as raised:
            await transport.call("http://api.test", ApiRequest("GET", "/a"))
    for each in (problem, raised.value.problem):
        assert isinstance(each, Problem)
        assert (each.kind, each.maybe_created) == (ProblemKind.UNUSABLE, False)
        assert f"all_proxy names a {proxy.partition(':')[0]} proxy" in each.message


@BOTH
async def test_a_407_without_a_proxy_is_storages_answer(sender: str) -> None:
    async with serving(says(b"HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n")) as server, using(sender) as transport:
        assert (await answered(transport, server.url)).status == 407


@BOTH
async def test_over_http_answers_of_a_proxy_are_answers(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It acts in place of storage, so the provider interprets 403 and 502."""

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request(), "403 Forbidden"))
        await connection.request()
        connection.write(OK.replace(b"200 OK", b"502 Bad Gateway"))

    async with serving(script) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/k"))
        async with using(sender) as transport:
            results = [await outcome(transport, "http://storage.test/k") for _ in range(2)]
    assert [getattr(result, "status", None) for result in results] == [403, 502]
