"""Bodies that are read back from storage."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from aiohttp import web

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.model.tickets import Download
from bulkup.transport import HostRules, TransportOptions
from bulkup.transport.by_aiohttp.body_reader import BodyReader

CONTENT = bytes(range(256)) * 4096
SIGNATURE = "?Signature=very-secret-0001"


@pytest.fixture
async def storage() -> AsyncGenerator[str, None]:
    """Return the address of a server that has one object, and an answer of each status."""

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "object":
            return web.Response(body=CONTENT, headers={"X-Token": request.headers.get("X-Token", "")})
        return web.Response(status=int(name), headers={"Location": "/object"}, text=f"about {request.url}")

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def read(url: str, options: TransportOptions | None = None) -> tuple[bool, list[bytes]]:
    chunks: list[bytes] = []
    async with BodyReader(options or TransportOptions(4)) as reader:
        there = await reader.read(Download(SecretUrl(url), headers={"X-Token": Secret("t")}), chunks.append)
    return there, chunks


async def test_a_body_comes_in_pieces(storage: str) -> None:
    there, chunks = await read(f"{storage}/object{SIGNATURE}")
    assert there
    assert len(chunks) > 1
    assert b"".join(chunks) == CONTENT


@pytest.mark.parametrize("status", [404, 410])
async def test_an_object_that_storage_does_not_have(storage: str, status: int) -> None:
    assert await read(f"{storage}/{status}{SIGNATURE}") == (False, [])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, ProblemKind.FAILED),
        (307, ProblemKind.FAILED),
        (429, ProblemKind.THROTTLED),
        (500, ProblemKind.TRANSIENT),
        (503, ProblemKind.THROTTLED),
    ],
)
async def test_other_answers_are_problems_without_the_text_of_storage(
    storage: str, status: int, kind: ProblemKind
) -> None:
    """A redirect is not followed: the headers could reach another host."""
    with pytest.raises(ProblemError) as raised:
        await read(f"{storage}/{status}{SIGNATURE}")
    assert raised.value.problem.kind is kind
    assert "very-secret-0001" not in raised.value.problem.message


async def test_the_rules_for_hosts_apply(storage: str) -> None:
    rules = HostRules(("storage.example",), "api.example")
    with pytest.raises(ProblemError, match="allowed_hosts") as raised:
        await read(f"{storage}/object{SIGNATURE}", TransportOptions(4, hosts=rules))
    assert "very-secret-0001" not in raised.value.problem.message


async def test_a_host_that_cannot_be_reached() -> None:
    with pytest.raises(ProblemError) as raised:
        await read(f"http://127.0.0.1:9{SIGNATURE}")
    assert raised.value.problem.kind is ProblemKind.UNREACHABLE
    assert "very-secret-0001" not in raised.value.problem.message
