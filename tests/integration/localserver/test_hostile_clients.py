"""Hostile clients of the embedded server: slow or endless requests, calls for too much, and ids that are paths.

Also: the server's log contains no secrets, and it compares secrets in constant time.
"""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import psutil
import pytest
from graphql import GraphQLSyntaxError

import bulkup.localserver
from bulkup.localserver import LocalServer, ServerConfig, ServerLimits
from bulkup.localserver.move_ugc.documents import DocumentCache
from bulkup.localserver.move_ugc.schema import move_schema
from bulkup.localserver.s3 import sigv4
from bulkup.localserver.signing_types import ServerOrigin, SigningKey
from localserver.world import NOW, FakeClock, exchange, local_tickets, request_head, signing_key, state_folder

BEARER, KEY, TOKEN = (
    "Authorization: Bearer local-token",
    "Authorization: local-api-key-0001",
    "X-Auth-Token: local-token",
)
APIS = {
    "/v1/files/upload-urls": BEARER,
    "/local/v1/tickets": BEARER,
    "/ugc/graphql": KEY,
    "/v1/local-project/files": TOKEN,
    "/v3/auth/tokens": "X-Nothing: 1",
    "/v1/oauth2/token": "Content-Type: application/x-www-form-urlencoded",
}
IMPATIENT = ServerLimits(headers_timeout=0.2, linger_timeout=0.2, body_timeout=0.2, idle_timeout=0.2)
SECRETS = ("local-token", "local-api-key-0001", "local-secret-key", "X-Amz-Signature=")


@pytest.fixture
async def impatient(tmp_path: Path, clock: FakeClock) -> AsyncGenerator[LocalServer, None]:
    """A server with short timeouts."""
    async with LocalServer(ServerConfig(store=str(tmp_path)), clock, IMPATIENT) as running:
        yield running


async def put_target(server: LocalServer) -> str:
    """Return the target of a signed URL for a PUT."""
    async with aiohttp.ClientSession() as http:
        (ticket,) = await local_tickets(server, http)
    return str(ticket["url"]).removeprefix(server.url)


@pytest.mark.parametrize(
    "start", [b"", b"GET", b"GET /-/stats HTTP/1.1\r\nHost: x\r\nX-A: "], ids=["none", "line", "field"]
)
async def test_a_connection_without_complete_headers_is_dropped(tmp_path: Path, start: bytes) -> None:
    """It gets no answer."""
    async with LocalServer(ServerConfig(store=str(tmp_path)), limits=IMPATIENT) as running:
        assert await exchange(running, start) == b""


async def test_slow_headers_do_not_extend_the_timeout(tmp_path: Path) -> None:
    """The timeout counts from the start of the request, not from its last byte."""
    async with LocalServer(ServerConfig(store=str(tmp_path)), limits=IMPATIENT) as running:
        where = urlsplit(running.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"GET /-/stats HTTP/1.1\r\n")
        async with asyncio.timeout(30):
            while not (reader.at_eof() or reader.exception()):  # closed, or reset because of unread headers
                writer.write(b"X-A: 1\r\n")
                await asyncio.sleep(0.02)
        writer.close()


async def test_a_second_request_without_complete_headers_is_dropped(tmp_path: Path) -> None:
    """The first request on the connection is answered."""
    async with LocalServer(ServerConfig(store=str(tmp_path)), limits=IMPATIENT) as running:
        whole = b"GET /-/stats HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await exchange(running, whole, whole[:-2])).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("path", APIS)
async def test_a_call_without_its_body_times_out(impatient: LocalServer, path: str) -> None:
    """Each service answers with an error in its own format, and the connection is closed."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{APIS[path]}\r\nContent-Length: 99\r\n\r\n{{"
    answer = await exchange(impatient, head.encode())
    status, body = int(answer.split()[1]), json.loads(answer.partition(b"\r\n\r\n")[2])
    assert status in (400, 408)
    assert "was not sent within" in json.dumps(body)


@pytest.mark.parametrize("size", [10, 10_000_000])
async def test_a_put_without_its_body_times_out(impatient: LocalServer, size: int) -> None:
    """The error is RequestTimeout, as that of S3, and nothing is stored."""
    target = await put_target(impatient)
    answer = await exchange(
        impatient,
        f"PUT {target} HTTP/1.1\r\nHost: {urlsplit(impatient.url).netloc}\r\n".encode()
        + f"Content-Length: {size}\r\n\r\nabc".encode(),
    )
    assert b"400" in answer.split(b"\r\n")[0]
    assert b"<Code>RequestTimeout</Code>" in answer
    assert list(Path(impatient.objects_dir).rglob("*.bin")) == []
    assert list(Path(impatient.objects_dir, "../state/incoming").iterdir()) == []


async def test_an_answer_that_is_not_read_is_dropped(impatient: LocalServer) -> None:
    """The server closes the file, too."""
    stored = Path(impatient.objects_dir, "b", "large")
    stored.parent.mkdir()
    stored.touch()
    os.truncate(stored, 64 << 20)
    where = urlsplit(impatient.url)
    url = sigv4.presign("GET", ServerOrigin("http", where.netloc), "b/large", signing_key(impatient), NOW, 60)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1)
    writer.write(f"GET {url.removeprefix(impatient.url)} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    assert b"200" in await reader.readexactly(15)
    async with asyncio.timeout(30):
        while open_files(stored):
            await asyncio.sleep(0.02)
    writer.close()


def open_files(path: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if file.path == str(path)]


async def test_a_slow_body_is_stored(server: LocalServer) -> None:
    """The idle timeout counts from the last byte, not from the start of the body."""
    target = await put_target(server)
    where = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"PUT {target} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 20\r\n\r\n".encode())
    for number in range(20):
        writer.write(b"%d" % (number % 10))
        await writer.drain()
        await asyncio.sleep(0.001)
    assert b"200" in await reader.readline()
    writer.close()
    (stored,) = Path(server.objects_dir).rglob("*.bin")
    assert stored.read_bytes() == b"0123456789" * 2


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /-/stats HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /-/stats HTTP/1.1\r\nHost: x\r\n" + b"a" * 20_000 + b": 1\r\n\r\n",
        b"GET /-/stats HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(5000)) + b"\r\n",
    ],
    ids=["line", "value", "name", "many"],
)
async def test_headers_are_bounded(server: LocalServer, head: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The log does not contain them."""
    assert (await exchange(server, head)).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert caplog.text == ""


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b'"\\ud800"', b"\xff", b"NaN"])
@pytest.mark.parametrize("path", [path for path in APIS if "oauth" not in path])
async def test_invalid_json_is_refused(server: LocalServer, path: str, body: bytes) -> None:
    """Deep nesting, long numbers and invalid Unicode are refused without a crash."""
    name, _, value = APIS[path].partition(": ")
    async with (
        aiohttp.ClientSession() as http,
        http.post(server.url + path, data=body, headers={name: value}) as answer,
    ):
        assert 400 <= answer.status < 500


@pytest.mark.parametrize(("path", "field"), [("/v1/files/upload-urls", "items"), ("/local/v1/tickets", "files")])
async def test_the_number_of_files_in_a_call_is_bounded(tmp_path: Path, path: str, field: str) -> None:
    """A call with as many files as the limit is answered; with one more it is refused and gets no ticket."""
    entry = {"type": "video", "extension": "mp4", "size": 1}
    limits = ServerLimits(max_files_per_call=3)
    async with (
        LocalServer(ServerConfig(store=str(tmp_path)), limits=limits) as server,
        aiohttp.ClientSession(headers={"Authorization": "Bearer local-token"}) as http,
    ):
        for count, status in ((3, 200), (4, 400)):
            async with http.post(server.url + path, json={field: [entry] * count}) as answer:
                assert answer.status == status
        assert server.stats()["tickets"] == 3


@pytest.mark.parametrize(
    "query",
    [
        "mutation { createFile(type: 1) {" + "id " * 17 + "}}",
        "{" + 'getFile(fileId: "a") { id }' * 17 + "}",
        "{" + '... { getFile(fileId: "a") { id } }' * 17 + "}",
        "{ ...F0 }" + "".join(f"fragment F{n} on Query {{ a: getFile(fileId: 1) {{ id }} }}" for n in range(17)),
        "{" * 5000,
        "{" + "a{" * 3000 + "b" + "}" * 3001,
    ],
    ids=["fields", "calls", "inline", "fragments", "open", "deep"],
)
def test_documents_that_take_too_long_to_validate_are_refused(query: str) -> None:
    """They are refused before validation, which compares fields in pairs."""
    with pytest.raises(GraphQLSyntaxError):
        DocumentCache(move_schema()).parse(query)


def test_many_aliases_are_accepted() -> None:
    """A client needs them to create many files in one call."""
    query = "mutation {" + "".join(f'f{n}: createFile(type: "x") {{ id presignedUrl }} ' for n in range(200)) + "}"
    documents = DocumentCache(move_schema())
    assert documents.validation_errors(documents.parse(query)) == ()


async def test_documents_are_not_validated_without_the_key(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validation can take long."""
    monkeypatch.setattr(DocumentCache, "validation_errors", lambda *_: pytest.fail("validated"))
    async with aiohttp.ClientSession() as http:
        body = {"query": 'mutation { createFile(type: "x") { id } }'}
        async with http.post(f"{server.url}/ugc/graphql", json=body, headers={"Authorization": "no"}) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    "trick", ["..", "../../state/keys.json", "%2e%2e", "..%2f..%2fstate", "a\\..", "x%00", "/etc/passwd"]
)
async def test_ids_that_are_paths_are_refused(server: LocalServer, tmp_path: Path, trick: str) -> None:
    """Ids of files, projects, uploads and parts, in paths and bodies. Nothing is written or read."""
    before = everything(tmp_path)
    state, bearer = {"state": "CANCELLED"}, {"Authorization": "Bearer local-token"}
    token = {"X-Auth-Token": "local-token"}
    asked: list[tuple[str, str, Mapping[str, Any]]] = [
        ("POST", f"/v1/local-project/files/{trick}/complete", {"json": state, "headers": token}),
        ("DELETE", f"/v1/local-project/files/{trick}", {"headers": token}),
        ("POST", f"/v1/{trick}/files", {"json": {}, "headers": token}),
        ("GET", f"/v1/files/uploads/{trick}", {"headers": bearer}),
        ("PUT", f"/v1/files/uploads/{trick}", {"json": {"upload": {"nb_chunks": 1}}, "headers": bearer}),
        ("POST", f"/v1/files/uploads?pipeline_id={quote(trick)}&object_key=a", {"headers": bearer}),
        ("POST", f"/v1/files/uploads?pipeline_id=p&object_key=a/{quote(trick)}/../b", {"headers": bearer}),
        ("POST", "/local/v1/tickets", {"json": {"files": [{"extension": trick, "size": 1}]}, "headers": bearer}),
        (
            "POST",
            "/v1/files/upload-urls",
            {"json": {"items": [{"type": "video", "extension": trick}]}, "headers": bearer},
        ),
        ("PUT", f"/b/k?uploadId={quote(trick)}&partNumber=1", {"data": b"x"}),
        ("GET", f"/b/{trick}/state/keys.json", {}),
    ]
    async with aiohttp.ClientSession() as http:
        for method, target, more in asked:
            async with http.request(method, server.url + target, **more) as answer:
                assert 400 <= answer.status < 500, (method, target, await answer.text())
                assert signing_key(server).secret not in await answer.text()
    assert everything(tmp_path) == before


def everything(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if "counters" not in path.name}


class FailingClock(FakeClock):
    """A clock that raises an error once it is broken, as a bug in the server would."""

    broken = False

    def now(self) -> float:
        if self.broken:
            raise ArithmeticError("a bug")
        return super().now()


async def test_nothing_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the finest level, for malformed requests, a failing disk and a bug in the server."""
    caplog.set_level(logging.DEBUG)
    clock = FailingClock()
    async with LocalServer(ServerConfig(store=str(tmp_path)), clock) as server:
        target = await put_target(server)
        host = urlsplit(server.url).netloc
        await exchange(server, f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nBad header\r\n{BEARER}\r\n\r\n".encode())
        await exchange(server, f"PUT {target}\x01 HTTP/9.9\r\n{BEARER}\r\n\r\n".encode())
        os.rename(state_folder(server) / "incoming", state_folder(server) / "gone")
        put = request_head("PUT", server.url + target, "Content-Length: 1") + b"x"
        assert b" 500 " in await exchange(server, put)
        clock.broken = True
        assert b" 500 " in await exchange(server, put)
        secrets = [*SECRETS, signing_key(server).secret]
    assert "FileNotFoundError" in caplog.text
    assert "ArithmeticError" in caplog.text
    assert [secret for secret in secrets if secret in caplog.text] == []


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
async def test_it_warns_if_other_machines_can_reach_it(
    tmp_path: Path, host: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for loopback, which is the default."""
    assert ServerConfig(store="").host == "127.0.0.1"
    async with LocalServer(ServerConfig(store=str(tmp_path), host=host)):
        assert ("other machines can reach this server" in caplog.text) is warned


def test_no_secret_is_compared_by_equality() -> None:
    """All are compared with hmac.compare_digest: the time of `==` and `in` shows how much of a guess is right."""
    words = ("signature", "secret", "token", "proof", "password", "api_key", "access_key", "client_id")
    found = []
    for path in Path(bulkup.localserver.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                names = [getattr(part, "attr", getattr(part, "id", "")).lower() for part in ast.walk(node)]
                if any(word in name for name in names for word in words):
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


def test_an_access_key_id_must_match_as_a_whole() -> None:
    """Prefixes of the two ids do not match."""
    key = SigningKey("AKIA1", "ASIA1", "s", "t")
    assert [key.knows(text) for text in ("AKIA1", "ASIA1", "AKIA", "AKIA12", "", "\udcff")] == [
        True,
        True,
        *[False] * 4,
    ]


def test_a_session_that_is_over_is_known_by_its_whole_token() -> None:
    key = SigningKey("AKIA1", "ASIA1", "s", "new", frozenset({"first", "second"}))
    tokens = ("first", "second", "new", "firs", "first2", "", "\udcff")
    assert [key.has_ended(text) for text in tokens] == [True, True, *[False] * 5]


def test_headers_timeout_is_longer_than_the_idle_timeout_of_the_client() -> None:
    """The client keeps an idle connection for a minute, and must not find it closed."""
    assert ServerLimits().headers_timeout > 60
