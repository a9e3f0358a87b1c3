"""Connections to the dashboard that no page makes: malformed, slow, huge, or too many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from dashboard_world import QUICK, Page, make_journal, opened

from bulkup.dashboard.event_hub import EventHub
from bulkup.dashboard.event_stream import stream_events


@asynccontextmanager
async def connected(page: Page) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer_to(page: Page, request: str, body: bytes = b"") -> bytes:
    """Return the whole answer to the text of a request, after which the connection ends. A reset one has none."""
    async with connected(page) as (reader, writer):
        writer.write(request.replace("\n", "\r\n").encode() + body)
        with anyio.fail_after(60):
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""


def head(page: Page, first: str, *headers: str) -> str:
    host = page.url.removeprefix("http://").rstrip("/")
    return "\n".join((first, f"Host: {host}", *headers, "Connection: close", "", ""))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_journal(tmp_path / "nightly.sqlite3").parent


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /api/session HTTP/1.1\nAuthorization Bearer {token}\n\n",
        "GET /api/session?{token} HTTP/9.9\n\n",
        "GET /?{token}&" + "a" * 20_000 + " HTTP/1.1\n\n",
        "GET / HTTP/1.1\nX-Token: {token}" + "b" * 20_000 + "\n\n",
        "{token}\n\n",
    ],
    ids=["header", "version", "long address", "long header", "noise"],
)
async def test_a_malformed_request_is_answered_without_quoting_it(
    folder: Path, request_text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with opened(folder) as page:
        answer = await answer_to(page, request_text.replace("{token}", page.token))
        assert answer.split()[1] == b"400"
        assert b"Content-Security-Policy: default-src 'none'" in answer
        assert b"X-Content-Type-Options: nosniff" in answer
        assert page.token.encode() not in answer
        assert page.token not in caplog.text
        await page.get("session")


async def test_a_client_that_sends_no_whole_request_is_dropped(folder: Path) -> None:
    async with opened(folder, options=replace(QUICK, idle_connection=0.1)) as page, connected(page) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        with anyio.fail_after(60):
            assert await reader.read() == b""
        await page.get("session")


async def test_connections_beyond_the_limit_are_closed_at_once(folder: Path) -> None:
    async with opened(folder, options=replace(QUICK, most_connections=1)) as page:
        async with connected(page) as (reader, writer):
            writer.write(
                head(page, "GET /icon.svg HTTP/1.1").replace("\n", "\r\n").replace("close", "keep-alive").encode()
            )
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            assert await answer_to(page, head(page, "GET / HTTP/1.1")) == b""
        with anyio.fail_after(60):
            while not (answer := await answer_to(page, head(page, "GET / HTTP/1.1"))):
                await anyio.sleep(0.01)  # the server has not noticed the end of the first one yet
        assert answer.startswith(b"HTTP/1.1 200")


async def test_a_huge_body_is_refused_and_without_the_token_not_even_read(folder: Path) -> None:
    async with opened(folder, options=replace(QUICK, largest_request=1000)) as page:
        origin, kind = f"Origin: {page.url.rstrip('/')}", "Content-Type: application/json"
        name = (await page.get("overview"))["journals"][0]["id"]
        first, body = f"POST /api/journals/{name}/retry HTTP/1.1", b'{"files": "' + b"x" * 5000
        large = head(page, first, origin, kind, f"Authorization: Bearer {page.token}", f"Content-Length: {len(body)}")
        answer = await answer_to(page, large, body)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"Content-Security-Policy: default-src 'none'" in answer
        async with connected(page) as (reader, writer):
            writer.write(head(page, first, origin, kind, f"Content-Length: {1 << 50}").replace("\n", "\r\n").encode())
            with anyio.fail_after(60):
                assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "path", ["/%61pi/session", "//api/session", "/./api/session", "/API/session", "/api%2Fsession", "/x/../api/session"]
)
async def test_no_other_spelling_of_an_address_avoids_the_token(folder: Path, path: str) -> None:
    async with opened(folder) as page:
        answer = await answer_to(page, head(page, f"GET {path} HTTP/1.1"))
        assert answer.split()[1] in (b"401", b"404")
        assert b"version" not in answer


@pytest.mark.parametrize(
    ("first", "headers", "status"),
    [
        ("OPTIONS /api/session HTTP/1.1", ("Origin: http://evil.example", "Access-Control-Request-Method: POST"), 403),
        ("POST /api/journals/1/retry HTTP/1.1", ("Content-Length: 0",), 403),
        ("DELETE / HTTP/1.1", ("Origin: {page}",), 405),
        ("GET /api/session HTTP/1.1", ("Expect: nothing",), 417),
        ("GET /../../etc/passwd HTTP/1.1", (), 404),
        ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", (), 404),
        ("GET /js/..%2f..%2fhandlers.py HTTP/1.1", (), 404),
        ("HEAD / HTTP/1.1", (), 200),
    ],
)
async def test_every_refusal_has_the_headers_of_security(
    folder: Path, first: str, headers: tuple[str, ...], status: int
) -> None:
    async with opened(folder) as page:
        given = (one.replace("{page}", page.url.rstrip("/")) for one in headers)
        answer = (await answer_to(page, head(page, first, *given))).partition(b"\r\n\r\n")[0]
        assert answer.split()[1] == str(status).encode()
        for name in (
            b"Content-Security-Policy: default-src 'none'",
            b"X-Frame-Options: DENY",
            b"nosniff",
            b"no-referrer",
        ):
            assert name in answer
        assert b"Access-Control" not in answer
        assert b"Set-Cookie" not in answer


async def test_a_page_that_takes_no_events_loses_its_place() -> None:
    """A frozen tab would keep it for as long as it exists."""
    hub, options = EventHub(), replace(QUICK, stream_patience=0.1)

    async def events(request: web.Request) -> web.StreamResponse:
        return await stream_events(request, hub, options)

    application = web.Application()
    application.router.add_get("/", events)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2], limit=1000)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with anyio.fail_after(60):
            await hub.until_watched()
            while len(hub):
                hub.publish("progress", "1", "x" * 2_000_000)
                await anyio.sleep(0.01)
        writer.transport.abort()
    finally:
        await runner.cleanup()
