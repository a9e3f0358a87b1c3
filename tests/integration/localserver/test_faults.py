"""Each named fault over real sockets: the client's answer, and the stored object."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from bulkup.localserver import FaultOptions, LocalServer, ReadPace
from localserver.world import (
    API_KEY,
    BEARER,
    HANG,
    LOCAL_PATH,
    MAGIC_HOUR_PATH,
    MOVE_PATH,
    FakeClock,
    local_tickets,
    set_faults,
    stored_paths,
)

MAGIC = {"items": [{"type": "video", "extension": "mp4"}, {"type": "audio", "extension": "mp3"}]}
MOVE = {"query": 'mutation { a: createFile(type: "mp4") { id } b: createFile(type: "mp4") { id } }'}
LOCAL = {"files": [{"extension": "bin", "size": 1}, {"extension": "bin", "size": 1}]}
APIS = [(MAGIC_HOUR_PATH, BEARER, MAGIC), (LOCAL_PATH, BEARER, LOCAL), (MOVE_PATH, API_KEY, MOVE)]


async def hits(server: LocalServer, http: ClientSession) -> Any:
    async with http.get(f"{server.url}/-/faults") as answer:
        return await answer.json()


async def call(server: LocalServer, http: ClientSession, api: Any) -> Any:
    path, headers, body = api
    async with http.post(server.url + path, json=body, headers=headers) as answer:
        return answer.status, answer.headers, await answer.json()


async def put(http: ClientSession, url: Any, data: Any = b"bytes") -> Any:
    async with http.put(url, data=data) as answer:
        return answer.status, answer.headers, await answer.text()


def refusal(api: Any, body: Any) -> Any:
    """Return the message of an error answer, whose format differs between APIs."""
    if api[0] == "/ugc/graphql":
        assert set(body) == {"errors"}
        return body["errors"][0]["errorType"]
    assert set(body) == {"message"}
    return body["message"]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api[0])
@pytest.mark.parametrize(
    ("fault", "status", "messages"),
    [
        ("unauthorized", 401, {"Unauthorized", "UnauthorizedException"}),
        ("status-503", 503, {"Service Unavailable", "ServiceUnavailableException"}),
        ("retry-later", 429, {"Too Many Requests", "TooManyRequestsException"}),
    ],
)
async def test_apis_answer_the_error_of_a_fault(
    server: LocalServer, http: ClientSession, api: Any, fault: Any, status: Any, messages: Any
) -> None:
    set_faults(server, f"{fault},first=1")
    answered, headers, body = await call(server, http, api)
    assert answered == status
    assert refusal(api, body) in messages
    assert ("Retry-After" in headers) == (fault == "retry-later")
    assert (await call(server, http, api))[0] == 200
    assert server.stats()["presign_calls"] == 2
    assert server.stats()["tickets"] == 2


async def test_retry_later_closes_all_apis_but_not_the_store_for_two_seconds(
    server: LocalServer, http: ClientSession, clock: FakeClock
) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, "retry-later")
    for offset, expected in ((0.0, "2"), (0.5, "2"), (1.5, "1")):
        clock.offset = offset
        for api in APIS:
            status, headers, _ = await call(server, http, api)
            assert (status, headers["Retry-After"]) == (429, expected)
    assert (await put(http, url))[0] == 200
    clock.offset = 2.0
    for api in APIS:
        assert (await call(server, http, api))[0] == 200


@pytest.mark.parametrize("api", APIS, ids=lambda api: api[0])
async def test_a_short_answer_lacks_its_last_item(server: LocalServer, http: ClientSession, api: Any) -> None:
    set_faults(server, "short-answer,first=1")
    counts = []
    for _ in range(2):
        status, _, body = await call(server, http, api)
        assert status == 200
        items = body.get("items") or body.get("tickets") or body["data"]
        counts.append(len(items))
    assert counts == [1, 2]
    assert server.stats()["tickets"] == 3


async def test_refused_calls_and_other_queries_do_not_use_up_faults(server: LocalServer, http: ClientSession) -> None:
    set_faults(server, "short-answer,first=1")
    async with http.post(f"{server.url}/v1/files/upload-urls", json=MAGIC) as answer:
        assert answer.status == 401
    async with http.post(f"{server.url}/ugc/graphql", json={"query": "{ __typename }"}, headers=API_KEY) as answer:
        assert await answer.json() == {"data": {"__typename": "Query"}}
    assert len((await call(server, http, APIS[0]))[2]["items"]) == 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("expired-url", 403, "<Code>AccessDenied</Code><Message>Request has expired</Message>"),
        ("status-503", 503, "<Code>SlowDown</Code>"),
    ],
)
async def test_the_store_answers_the_error_of_a_fault(
    server: LocalServer, http: ClientSession, fault: Any, status: Any, code: Any
) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, f"{fault},first=1")
    answered, _, body = await put(http, url)
    assert answered == status
    assert code in body
    assert stored_paths(server) == []
    assert (await put(http, url))[0] == 200
    assert server.stats()["puts_failed"] == server.stats()["puts_completed"] == 1


@pytest.mark.parametrize("size", [0, 5, 3 << 20])
async def test_a_cut_body_ends_without_an_answer_and_stores_nothing(
    server: LocalServer, http: ClientSession, size: Any, caplog: pytest.LogCaptureFixture
) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, "cut-body,first=1")
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {size}\r\n\r\n".encode()
        + b"x" * size
    )
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(HANG):
            assert await reader.read() == b""
    writer.close()
    assert stored_paths(server) == []
    assert server.stats()["puts_failed"] == 1
    assert (await put(http, url))[0] == 200
    assert caplog.text == ""


async def test_a_slow_body_is_read_with_pauses_and_stored(server: LocalServer, http: ClientSession) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, "slow-body", options=FaultOptions(slow_pace=ReadPace(10_000, 0.02)))
    data = os.urandom(100_000)
    began = time.monotonic()
    status, headers, _ = await put(http, url, data)
    assert time.monotonic() - began >= 10 * 0.02
    assert (status, headers["ETag"]) == (200, f'"{hashlib.md5(data).hexdigest()}"')


async def test_a_wrong_etag_comes_with_the_right_object(server: LocalServer, http: ClientSession) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, "wrong-etag")
    right = hashlib.md5(b"bytes").hexdigest()
    for _ in range(2):
        status, headers, _ = await put(http, url)
        wrong = headers["ETag"].strip('"')
        assert status == 200
        assert len(bytes.fromhex(wrong)) == 16
        assert wrong != right
    path = os.path.join(server.objects_dir, urlsplit(url).path[1:])
    with open(path, "rb") as file:
        assert file.read() == b"bytes"
    assert server.stats()["puts_completed"] == 2


async def test_with_a_share_below_one_the_same_bytes_get_a_wrong_etag_once(
    server: LocalServer, http: ClientSession
) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, "wrong-etag=0.999")
    wrong = dict.fromkeys((b"a", b"b"), 0)
    for data in (*wrong, *wrong, *wrong):
        _, headers, _ = await put(http, url, data)
        wrong[data] += headers["ETag"] != f'"{hashlib.md5(data).hexdigest()}"'
    assert wrong == {b"a": 1, b"b": 1}
    assert (await hits(server, http))["wrong-etag"] == 2


async def test_applied_faults_are_counted_by_name(server: LocalServer, http: ClientSession) -> None:
    url = (await local_tickets(server, http))[0]["url"]
    set_faults(server, "expired-url,first=2", "unauthorized,first=1")
    for _ in range(3):
        await put(http, url)
    await call(server, http, APIS[0])
    assert {name: count for name, count in (await hits(server, http)).items() if count} == {
        "expired-url": 2,
        "unauthorized": 1,
    }


async def test_the_same_seed_breaks_the_same_requests(server: LocalServer, http: ClientSession) -> None:
    async def statuses() -> Any:
        set_faults(server, "status-503=0.5", seed=7)
        return [(await put(http, url))[0] for url in targets]

    targets = [ticket["url"] for ticket in await local_tickets(server, http, 30)]
    first = await statuses()
    assert await statuses() == first
    assert set(first) == {200, 503}


async def test_statistics_get_no_faults(server: LocalServer, http: ClientSession) -> None:
    set_faults(server, "status-503", "unauthorized", "retry-later")
    async with http.get(f"{server.url}/-/stats") as answer:
        assert answer.status == 200
