"""No path writes or reads a file outside the store's directory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from bulkup.localserver import LocalServer, ServerConfig
from bulkup.localserver.s3 import sigv2, sigv4
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import ReceivedRequest, ServerOrigin
from localserver.world import HANG, NOW, FakeClock, signing_key

TRICKS = [
    "/../state/keys.json",
    "/b/../../state/keys.json",
    "/b/..",
    "/b/%2e%2e/%2e%2e/state/keys.json",
    "/b/.%2e/x",
    "/b/./x",
    "/b/%2E/x",
    "/b//x",
    "//etc/passwd",
    "/b/",
    "/b/x%2fy",
    "/b/x%2F..%2F..%2Fy",
    "/b/%00",
    "/b/x%00.txt",
    "/b/%ff",
    "/b/%zz",
    "/b/%",
    "/b/\xff?X-Amz-Signature=secret",
    "http://127.0.0.1/b/../x",
]


@pytest.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncGenerator[LocalServer, None]:
    """A server whose store has a neighbour that no path may reach."""
    (tmp_path / "secret").write_text("not for you")
    async with LocalServer(ServerConfig(store=str(tmp_path / "store")), clock) as running:
        yield running


def signed(server: LocalServer, method: Any, path: Any, version: Any) -> Any:
    """Return the target of a request for the path, signed with the server's key."""
    key, host = signing_key(server), urlsplit(server.url).netloc
    url = (
        sigv4.presign(method, ServerOrigin("http", host), "x/y", key, NOW, 60)
        if version == 4
        else sigv2.presign(method, ServerOrigin("http", host), "x/y", key, NOW + 60)
    )
    query = urlsplit(url).query
    request = ReceivedRequest(method, path, query, {"host": host})
    if version == 4:
        stamp = request.parameters["X-Amz-Date"]
        signature = sigv4.signature(key.secret, stamp, sigv4.canonical_request(request))
        return f"{path}?{query.rpartition('=')[0]}={signature}"
    old, new = request.parameters["Signature"], sigv2.signature(key.secret, sigv2.string_to_sign(request))
    return f"{path}?{query.replace(quote(old, safe=''), quote(new, safe=''))}"


async def send(server: LocalServer, method: Any, target: Any) -> Any:
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    writer.write(lines.encode("latin-1") + b"bytes")
    async with asyncio.timeout(HANG):
        answer = await reader.read()
    writer.close()
    return answer


def everything(directory: Any) -> Any:
    return sorted(os.path.join(at, name) for at, _, names in os.walk(directory) for name in names)


@pytest.mark.parametrize("version", [2, 4])
async def test_a_plain_key_signed_this_way_is_stored(server: LocalServer, version: Any) -> None:
    answer = await send(server, "PUT", signed(server, "PUT", "/b/%41%20b.txt", version))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert everything(server.objects_dir) == [os.path.join(server.objects_dir, "b", "A b.txt")]


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize("path", TRICKS)
async def test_a_malicious_path_is_refused_even_with_a_signature(
    server: LocalServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, path: Any, method: Any, version: Any
) -> None:
    before = everything(tmp_path)
    target = signed(server, method, path, version) if path.isascii() else path
    answer = await send(server, method, target)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert b"not for you" not in answer
    assert everything(tmp_path) == before
    assert caplog.text == ""  # least of all the query, which is a credential


@pytest.mark.parametrize("path", ["/secret", "/state/keys.json", "/objects/x", "/b/key"])
async def test_a_path_without_a_signature_is_refused(server: LocalServer, tmp_path: Path, path: Any) -> None:
    before = everything(tmp_path)
    for method in ("PUT", "GET"):
        assert (await send(server, method, path)).startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 405 "))
    assert everything(tmp_path) == before


@pytest.mark.parametrize("path", ["/v1/files/x", "/-/stats", "/ugc/graphql", "/local/v1/tickets"])
async def test_paths_of_the_apis_are_never_objects(server: LocalServer, path: Any) -> None:
    answer = await send(server, "PUT", signed(server, "PUT", path, 4))
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 405 "))
    assert everything(server.objects_dir) == []


@pytest.mark.parametrize("path", [trick for trick in TRICKS if trick.isascii()])
def test_malicious_paths_are_not_keys(path: Any) -> None:
    with pytest.raises(S3Error) as caught:
        object_key(path)
    assert caught.value.code in ("InvalidURI", "MethodNotAllowed")


def test_long_names_are_refused_before_the_disk_sees_them() -> None:
    for path in ("/b/" + "x" * 256, "/b" + "/xxxx" * 250, "/b/" + "%C3%A9" * 128):
        with pytest.raises(S3Error) as caught:
            object_key(path)
        assert caught.value.code == "KeyTooLongError"


def test_odd_but_plain_names_are_keys() -> None:
    assert object_key("/b/...") == "b/..."
    assert object_key("/b/%C3%A9%20~+%25") == "b/é ~+%"
    assert object_key("/b/..a/%5C") == "b/..a/\\"
