"""The embedded store over real sockets: every rule S3 has for a signed PUT, GET and HEAD."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import os
import xml.etree.ElementTree as ET
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from bulkup.localserver import LocalServer
from bulkup.localserver.s3 import sigv4
from bulkup.localserver.signing_types import ServerOrigin
from localserver.world import (
    API_KEY,
    HANG,
    MOVE_PATH,
    FakeClock,
    exchange,
    local_tickets,
    request_head,
    signing_key,
    state_folder,
    stored_paths,
    unfinished,
)

BODY = b"some bytes"
LARGE = bytes(range(256)) * 16384  # 4 MiB: several blocks, hashed and written in threads
NO_TYPE: dict[str, Any] = {"skip_auto_headers": ["Content-Type"]}


@pytest.fixture
async def v4(server: LocalServer, http: ClientSession) -> Any:
    """A URL signed with version 4, and the path of its object."""
    (ticket,) = await local_tickets(server, http)
    return ticket["url"], os.path.join(server.objects_dir, ticket["id"])


async def move(server: LocalServer, http: ClientSession, query: Any) -> Any:
    async with http.post(server.url + MOVE_PATH, json={"query": query}, headers=API_KEY) as answer:
        return next(iter((await answer.json())["data"].values()))


@pytest.fixture
async def v2(server: LocalServer, http: ClientSession) -> Any:
    """A URL signed with version 2, and the path of its object."""
    file = await move(server, http, 'mutation { createFile(type: "mp4") { presignedUrl } }')
    url = file["presignedUrl"]
    return url, os.path.join(server.objects_dir, urlsplit(url).path[1:])


async def put(http: ClientSession, url: Any, data: Any = BODY, **options: Any) -> Any:
    # aiohttp warns of large bodies that are not files.
    body = io.BytesIO(data) if isinstance(data, bytes) else data
    async with http.put(url, data=body, **{**NO_TYPE, **options}) as answer:
        return answer.status, answer.headers, await answer.read()


async def refused(http: ClientSession, url: Any, data: Any = BODY, **options: Any) -> Any:
    """Return status and the elements of the error."""
    status, headers, body = await put(http, url, data, **options)
    assert headers["Content-Type"].startswith("application/xml")
    return status, {element.tag: element.text for element in ET.fromstring(body)}


@pytest.mark.parametrize("data", [b"", BODY, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("version", [2, 4])
async def test_a_put_stores_the_bytes_and_answers_with_their_md5(
    server: LocalServer, http: ClientSession, v2: Any, v4: Any, version: Any, data: Any
) -> None:
    url, path = v2 if version == 2 else v4
    status, headers, body = await put(http, url, data)
    assert (status, body) == (200, b"")
    assert headers["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    with open(path, "rb") as file:
        assert file.read() == data
    assert server.stats() == {
        "presign_calls": 2,
        "tickets": 2,
        "puts_completed": 1,
        "puts_failed": 0,
        "bytes": len(data),
    }
    assert unfinished(server) == []


async def test_a_second_put_replaces_the_object_and_counts_again(
    server: LocalServer, http: ClientSession, v4: Any
) -> None:
    url, path = v4
    await put(http, url, b"first")
    await put(http, url, b"second!")
    with open(path, "rb") as file:
        assert file.read() == b"second!"
    assert server.stats()["puts_completed"] == 2
    assert server.stats()["bytes"] == 12


async def test_an_object_is_stored_as_sent_with_any_content_encoding(
    server: LocalServer, http: ClientSession, v4: Any
) -> None:
    url, path = v4
    data = gzip.compress(BODY)
    status, *_ = await put(http, url, data, headers={"Content-Encoding": "gzip"})
    assert status == 200
    with open(path, "rb") as file:
        assert file.read() == data


async def test_any_content_type_is_accepted_with_version_4_and_refused_with_version_2(
    server: LocalServer, http: ClientSession, v2: Any, v4: Any
) -> None:
    status, *_ = await put(http, v4[0], skip_auto_headers=[])
    assert status == 200
    status, error = await refused(http, v2[0], skip_auto_headers=[])
    assert (status, error["Code"]) == (403, "SignatureDoesNotMatch")
    assert not os.path.exists(v2[1])


async def test_content_md5_is_checked_with_version_4_and_refused_with_version_2(
    server: LocalServer, http: ClientSession, v2: Any, v4: Any
) -> None:
    right = base64.b64encode(hashlib.md5(BODY).digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    status, error = await refused(http, v4[0], headers={"Content-MD5": wrong})
    assert (status, error["Code"]) == (400, "BadDigest")
    assert (error["ExpectedDigest"], error["CalculatedDigest"]) == (wrong, right)
    assert stored_paths(server) == unfinished(server) == []
    status, error = await refused(http, v4[0], headers={"Content-MD5": "bm90IGEgZGlnZXN0"})
    assert (status, error["Code"]) == (400, "InvalidDigest")
    status, error = await refused(http, v4[0], headers={"Content-MD5": "no base64"})
    assert (status, error["Code"]) == (400, "InvalidDigest")
    status, *_ = await put(http, v4[0], headers={"Content-MD5": right})
    assert status == 200
    status, error = await refused(http, v2[0], headers={"Content-MD5": right})
    assert (status, error["Code"]) == (403, "SignatureDoesNotMatch")


async def test_answers_have_the_time_that_signatures_are_checked_by(
    server: LocalServer, http: ClientSession, clock: FakeClock, v4: Any
) -> None:
    """Clients with a wrong clock sign by it. Refusals have it, too."""
    _, headers, _ = await put(http, v4[0])
    assert parsedate_to_datetime(headers["Date"]).timestamp() == int(clock.now())
    clock.offset += 86_400
    status, headers, _ = await put(http, v4[0])
    assert (status, parsedate_to_datetime(headers["Date"]).timestamp()) == (403, int(clock.now()))


@pytest.mark.parametrize(("version", "extra"), [(2, set()), (4, {"X-Amz-Expires"})])
async def test_a_url_that_expired_is_refused_as_s3_refuses_it(
    server: LocalServer, http: ClientSession, clock: FakeClock, v2: Any, v4: Any, version: Any, extra: Any
) -> None:
    url, _ = v2 if version == 2 else v4
    clock.offset = 3600.0
    assert (await put(http, url))[0] == 200
    clock.offset = 3602.0
    status, error = await refused(http, url)
    assert (status, error["Code"], error["Message"]) == (403, "AccessDenied", "Request has expired")
    assert error["Expires"] == "2023-11-14T23:13:20Z"
    assert error["ServerTime"] == "2023-11-14T23:13:22Z"
    assert error["Resource"] == urlsplit(url).path
    assert {"RequestId", "HostId", *extra} <= error.keys()


async def test_a_put_that_begins_before_the_expiry_may_end_after_it(
    server: LocalServer, http: ClientSession, v4: Any, clock: FakeClock
) -> None:
    async def slow() -> Any:
        yield LARGE[: 1 << 20]
        while not unfinished(server):
            await asyncio.sleep(0.01)
        clock.offset = 7200.0
        yield LARGE[1 << 20 :]

    status, *_ = await put(http, v4[0], slow(), headers={"Content-Length": str(len(LARGE))})
    assert status == 200


async def test_a_changed_signature_stores_nothing(server: LocalServer, http: ClientSession, v2: Any, v4: Any) -> None:
    for url in (v2[0].replace("Signature=", "Signature=A"), v4[0][:-4] + "0000"):
        status, error = await refused(http, url)
        assert (status, error["Code"]) == (403, "SignatureDoesNotMatch")
    status, error = await refused(http, v4[0].partition("?")[0])
    assert (status, error["Code"]) == (403, "AccessDenied")
    assert stored_paths(server) == []
    assert server.stats()["puts_failed"] == 3


async def test_api_credentials_are_refused_by_the_store(
    server: LocalServer, http: ClientSession, v2: Any, v4: Any
) -> None:
    for url in (v2[0], v4[0]):
        status, error = await refused(http, url, headers={"Authorization": "Bearer local-token"})
        assert (status, error["Code"]) == (400, "InvalidArgument")
    assert stored_paths(server) == []


async def test_a_chunked_body_is_not_implemented(server: LocalServer, http: ClientSession, v4: Any) -> None:
    async def generated() -> Any:
        yield BODY

    status, error = await refused(http, v4[0], generated())
    assert (status, error["Code"], error["Header"]) == (501, "NotImplemented", "Transfer-Encoding")
    assert stored_paths(server) == []


async def test_a_body_needs_a_length(server: LocalServer, v4: Any) -> None:
    answer = await exchange(server, request_head("PUT", v4[0]))
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b"<Code>MissingContentLength</Code>" in answer


async def test_more_than_5_gib_is_too_large_before_a_byte_is_read(server: LocalServer, v4: Any) -> None:
    answer = await exchange(server, request_head("PUT", v4[0], f"Content-Length: {(5 << 30) + 1}"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>EntityTooLarge</Code>" in answer
    assert b"<MaxSizeAllowed>5368709120</MaxSizeAllowed>" in answer


@pytest.mark.parametrize("sent", [BODY, LARGE[: 3 << 20]], ids=["small", "large"])
async def test_a_body_that_ends_early_stores_nothing(server: LocalServer, v4: Any, sent: Any) -> None:
    parts = urlsplit(server.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request_head("PUT", v4[0], f"Content-Length: {len(sent) + 1}") + sent)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(HANG):
        while not server.stats()["puts_failed"]:
            await asyncio.sleep(0.01)
    assert stored_paths(server) == unfinished(server) == []
    assert server.stats()["puts_completed"] == 0


async def test_a_connection_can_be_used_again_after_a_small_refused_body(server: LocalServer, v4: Any) -> None:
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    bad, good = (
        f"PUT {parts_of(url)} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 10\r\n\r\n".encode() + BODY
        for url in (v4[0] + "0", v4[0])
    )
    for request, status in ((bad, b"403"), (good, b"200")):
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status)
        length = int(answer.lower().partition(b"content-length: ")[2].split()[0])
        await reader.readexactly(length)
    writer.close()


def parts_of(url: Any) -> Any:
    return urlsplit(url).path + "?" + urlsplit(url).query


async def test_100_continue_is_sent_only_for_an_acceptable_put(server: LocalServer, v4: Any) -> None:
    parts = urlsplit(server.url)
    expecting = ("Expect: 100-continue", f"Content-Length: {len(BODY)}")
    refusal = await exchange(server, request_head("PUT", v4[0] + "0", *expecting))
    assert refusal.startswith(b"HTTP/1.1 403 ")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request_head("PUT", v4[0], *expecting))
    async with asyncio.timeout(HANG):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_apis_send_100_continue_too(server: LocalServer) -> None:
    body = b'{"files":[{"extension":"","size":0}]}'
    lines = ("Authorization: Bearer local-token", "Expect: 100-continue", f"Content-Length: {len(body)}")
    answer = await exchange(server, request_head("POST", f"{server.url}/local/v1/tickets", *lines) + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize("data", [b"", LARGE], ids=["empty", "large"])
async def test_an_object_can_be_read_by_a_url_for_reading(server: LocalServer, http: ClientSession, data: Any) -> None:
    file = await move(server, http, 'mutation { createFile(type: "mp4") { id presignedUrl } }')
    reading = (await move(server, http, f'{{ getFile(fileId: "{file["id"]}") {{ presignedUrl }} }}'))["presignedUrl"]
    async with http.get(reading) as answer:
        assert answer.status == 404
        assert b"<Code>NoSuchKey</Code>" in await answer.read()
    assert (await put(http, file["presignedUrl"], data))[0] == 200
    async with http.get(reading) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        assert await answer.read() == data
    # The method is signed, so a URL for one method is refused for another.
    for method, url in (("GET", file["presignedUrl"]), ("PUT", reading), ("HEAD", reading)):
        async with http.request(method, url, **NO_TYPE) as answer:
            assert answer.status == 403


async def test_head_answers_with_size_and_digest(server: LocalServer, http: ClientSession, v4: Any) -> None:
    await put(http, v4[0], LARGE)
    key = os.path.relpath(v4[1], server.objects_dir)
    url = sigv4.presign("HEAD", ServerOrigin("http", urlsplit(server.url).netloc), key, signing_key(server), 1.7e9, 60)
    async with http.head(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len(LARGE))
        assert answer.headers["ETag"] == f'"{hashlib.md5(LARGE).hexdigest()}"'
        assert await answer.read() == b""


async def test_other_methods_are_not_allowed(server: LocalServer, http: ClientSession, v4: Any) -> None:
    async with http.delete(v4[0]) as answer:
        assert answer.status == 405
        assert b"<Code>MethodNotAllowed</Code>" in await answer.read()


async def test_a_disk_that_fails_is_an_internal_error(
    server: LocalServer, http: ClientSession, v4: Any, caplog: pytest.LogCaptureFixture
) -> None:
    os.rename(state_folder(server) / "incoming", state_folder(server) / "gone")
    status, error = await refused(http, v4[0])
    assert (status, error["Code"]) == (500, "InternalError")
    assert server.stats()["puts_failed"] == 1
    assert "X-Amz-Signature" not in caplog.text
