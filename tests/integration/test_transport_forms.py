"""Forms through the real transport: received fields, progress, and broken connections."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import BodyPartReader, web
from aiohttp.test_utils import TestServer
from test_transport import (
    FAULTS,
    LARGE,
    OK,
    SIZES,
    SMALL,
    USUAL,
    Bytes,
    Handler,
    Reader,
    Seen,
    Writer,
    everything_about,
    serving,
    transport,
)

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport

FIELDS = {"success_action_status": "201", "filename": "", "key": "tmp/k \u00e9.mp4", "policy": "e30="}


def ticket_of(url: str, **more: str) -> Ticket:
    form = tuple((name, Secret(value)) for name, value in {**FIELDS, **more}.items())
    return Ticket(SecretUrl(url), "id", method="POST", form=form)


async def post(
    sender: Transport, url: str, body: Bytes, on_bytes: Callable[[int], None] = lambda _: None, **more: str
) -> StorageAnswer:
    return await sender.send(ticket_of(url, **more), body, {}, on_bytes)


def file_of(seen: Seen) -> bytes:
    """Return the file in a form that was received completely."""
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    *_, last, end = seen.body.split(b"--" + boundary)
    assert end == b"--\r\n"
    return last.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


@dataclass
class Store:
    """An aiohttp server that parses forms."""

    url: str = ""
    forms: list[list[tuple[str | None, bytes]]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        parts = list[tuple[str | None, bytes]]()
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            parts.append((part.name, bytes(await part.read())))
        self.forms.append(parts)
        return web.Response(status=201, text="<PostResponse/>", headers={"ETag": '"e"'})


@contextlib.asynccontextmanager
async def storing() -> AsyncIterator[Store]:
    store = Store()
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_post("/bucket", store.take)
    async with TestServer(app) as server:
        store.url = str(server.make_url("/bucket"))
        yield store


@SIZES
async def test_aiohttps_server_parses_the_form(data: bytes) -> None:
    """In order, with the file last, over one connection."""
    async with storing() as store, transport() as sender:
        answers = [await post(sender, store.url, Bytes(data)) for _ in range(2)]
    assert [(answer.status, answer.body, answer.headers["etag"]) for answer in answers] == [
        (201, b"<PostResponse/>", '"e"')
    ] * 2
    expected = [*[(name, value.encode()) for name, value in FIELDS.items()], ("file", data)]
    assert store.forms == [expected] * 2


@SIZES
async def test_a_form_has_a_length_and_no_other_headers(data: bytes) -> None:
    """A POST that is never chunked, without credentials. The type has the boundary."""
    async with serving() as server, transport() as sender:
        await post(sender, f"{server.url}/bucket?x=%2F", Bytes(data))
    (seen,) = server.requests
    assert seen.line == "POST /bucket?x=%2F HTTP/1.1"
    assert seen.headers["content-length"] == str(len(seen.body))
    assert seen.raw_names.count("content-length") == seen.raw_names.count("content-type") == 1
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert set(seen.headers) <= {*USUAL, "content-type"}
    assert file_of(seen) == data


@SIZES
async def test_progress_counts_only_the_bytes_of_the_file(data: bytes) -> None:
    steps = list[int]()
    async with serving() as server, transport() as sender:
        await post(sender, f"{server.url}/k", Bytes(data), steps.append)
    assert sum(steps) == len(data)


@SIZES
async def test_a_partial_form_is_never_stored(data: bytes) -> None:
    """After a stale connection the attempt fails or starts again."""

    async def handle(reader: Reader, writer: Writer) -> None:
        first = server.connections == 1
        await server.take(reader, writer)
        writer.write(OK)
        await writer.drain()
        if first:
            # The first connection takes the beginning of another form, and is gone then.
            await reader.readexactly(1)
            writer.transport.abort()

    body = Bytes(data)
    async with serving(handle) as server, transport() as sender:
        await post(sender, f"{server.url}/one", Bytes(data))
        with pytest.raises(ProblemError) as raised:
            await post(sender, f"{server.url}/two", body)
        assert (await post(sender, f"{server.url}/three", body)).status == 200
    assert raised.value.problem.kind is ProblemKind.TRANSIENT
    assert [(seen.line.split()[1], file_of(seen)) for seen in server.requests] == [("/one", data), ("/three", data)]


@pytest.mark.parametrize("status", [307, 308])
@SIZES
async def test_a_redirect_is_followed_with_the_whole_form(data: bytes, status: int) -> None:
    """S3 redirects requests for a new bucket for a while."""
    steps = list[int]()
    async with serving() as server, serving() as other, transport() as sender:
        there = f"HTTP/1.1 {status} X\r\nLocation: {other.url}/there\r\nContent-Length: 0\r\n\r\n".encode()
        server.answers = [there]
        assert (await post(sender, f"{server.url}/here", Bytes(data), steps.append)).status == 200
    (first,), (second,) = server.requests, other.requests
    assert first.body == second.body
    assert file_of(second) == data
    assert sum(steps) == 2 * len(data)


async def test_an_early_refusal_is_received_while_the_form_is_sent() -> None:
    """Storage checks the policy before the file."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 X\r\nConnection: close\r\nContent-Length: 4\r\n\r\nNope")
        await writer.drain()
        await reader.read()

    async with serving(handle) as server, transport() as sender:
        answer = await post(sender, f"{server.url}/k", Bytes(LARGE * 4))
    assert (answer.status, answer.body) == (403, b"Nope")


async def test_a_file_that_fails_ends_the_request_with_its_own_error() -> None:
    """Storage never receives a complete form, and the connection is not used again."""
    signature, problem = (
        secrets.token_hex(16),
        ProblemError(Problem(ProblemKind.CHANGED, "it changed while it was read")),
    )
    async with serving() as server, transport() as sender:
        with pytest.raises(ProblemError) as raised:
            await post(sender, f"{server.url}/k", Bytes(LARGE, fail=problem), signature=signature)
        assert (await post(sender, f"{server.url}/next", Bytes(SMALL))).status == 200
    assert raised.value is problem
    assert signature not in everything_about(raised.value)
    assert [seen.line for seen in server.requests] == ["POST /next HTTP/1.1"]


@pytest.mark.parametrize("handler", FAULTS, ids=lambda handler: handler.__name__)
@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_no_error_discloses_a_field_of_the_form(handler: Handler, data: bytes) -> None:
    """No text about it contains the policy, the signature or the query."""
    secret = secrets.token_hex(16)
    async with serving(handler) as server, transport() as sender:
        with pytest.raises(ProblemError) as raised:
            await post(sender, f"{server.url}/k?{secret}", Bytes(data), policy=secret, signature=secret)
    assert (raised.value.problem.kind, raised.value.problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert secret not in everything_about(raised.value)


async def test_a_ticket_without_a_form_sends_only_the_file() -> None:
    """With any method."""
    async with serving() as server, transport() as sender:
        await sender.send(Ticket(SecretUrl(f"{server.url}/k"), "id", method="POST"), Bytes(SMALL), {}, lambda _: None)
    (seen,) = server.requests
    assert (seen.line, seen.body) == ("POST /k HTTP/1.1", SMALL)
    assert "content-type" not in seen.headers
