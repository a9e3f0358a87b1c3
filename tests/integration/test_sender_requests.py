"""The bytes of requests of both senders: unchanged URLs, and no header that a signature could cover."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import pytest
from scripted_server import serving
from sender_helpers import BLOCK, BOTH, LEAN, FileBody, answered, next_works, outcome, using

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport

SIZES = pytest.mark.parametrize("times", [0, 1, 40], ids=["empty", "one piece", "many pieces"])
ANY_CLIENT = {"host", "user-agent", "accept", "accept-encoding", "content-length", "expect", "connection"}


async def put(transport: Transport, url: str) -> StorageAnswer:
    """Send to a URL, unchanged."""
    return await transport.send(Ticket(SecretUrl(url), "id"), FileBody(), {}, lambda _: None)


@BOTH
@SIZES
async def test_the_length_is_sent_and_the_body_is_complete(sender: str, times: int) -> None:
    """Never chunked, even if empty: storage refuses a PUT without a length."""
    async with serving() as server, using(sender) as transport:
        answer = await answered(transport, server.url, FileBody(BLOCK, times))
        await next_works(transport, server)
    request = server.requests[0]
    assert (answer.status, answer.headers["x-target"]) == (200, "/k")
    assert (request.method, request.headers["content-length"]) == ("PUT", str(times * len(BLOCK)))
    assert request.body == BLOCK * times
    assert len(server.connections) == 1


@BOTH
@SIZES
async def test_no_header_is_added_that_a_signature_could_cover(sender: str, times: int) -> None:
    """No Content-Type, Content-MD5 or cookie; only the usual headers, and the host with its port."""
    async with serving() as server, using(sender) as transport:
        await answered(transport, server.url, FileBody(BLOCK, times))
    headers = server.requests[0].headers
    assert set(headers) <= ANY_CLIENT
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["user-agent"].startswith("bulkup/")


@BOTH
@pytest.mark.parametrize(
    "target",
    [
        "/b/a%2Fb%20c+d/%C3%A9.mp4?Signature=a%2Bb%3D%3D&x-amz-security-token=I%2F%2B=&Expires=1&a=1;b",
        "/a/../b/./c//d?x=../y",
        "/%7Euser/~x/%41?A=%41&b",
        "/?a=b?c=d&&",
        "/x:y@z,(!$'*)[]?q=[]{}|^",
        "//double?x",
    ],
)
async def test_the_target_equals_that_of_the_url(sender: str, target: str) -> None:
    """Not decoded, encoded or normalized, because the signature covers it."""
    async with serving() as server, using(sender) as transport:
        await put(transport, f"http://127.0.0.1:{server.port}{target}")
    assert server.requests[0].head.split(b"\r\n")[0] == f"PUT {target} HTTP/1.1".encode()


@BOTH
async def test_a_url_without_a_path_requests_the_root(sender: str) -> None:
    async with serving() as server, using(sender) as transport:
        for ending in ("", "?a=b"):
            await put(transport, f"http://127.0.0.1:{server.port}{ending}")
    assert [request.target for request in server.requests] == ["/", "/?a=b"]


@LEAN
async def test_an_empty_query_keeps_its_question_mark(sender: str) -> None:
    """yarl, which the aiohttp sender uses, drops it. No service is known to sign one."""
    async with serving() as server, using(sender) as transport:
        await put(transport, f"{server.url}?")
    assert server.requests[0].target == "/k?"


@BOTH
async def test_a_fragment_is_not_sent(sender: str) -> None:
    """RFC 9110 7.1."""
    async with serving() as server, using(sender) as transport:
        await put(transport, f"{server.url}?a=b#part")
    assert server.requests[0].target == "/k?a=b"


@BOTH
async def test_header_values_are_sent_unchanged(sender: str) -> None:
    """Including secret ones; those of the ticket and the added ones."""
    headers: dict[str, str | Secret] = {
        "Content-Type": 'text/plain; charset="utf-8"',
        "x-amz-meta-Mixed-Case": "  ".join("a:b=c"),
        "X-Key": Secret("hidden, and=more"),
        "X-Utf-8": "\u00e9\u2603",
        "x-empty": "",
    }
    async with serving() as server, using(sender) as transport:
        ticket = Ticket(SecretUrl(server.url), "id", headers=headers)
        await transport.send(ticket, FileBody(), {"Content-MD5": "abc=="}, lambda _: None)
    head = server.requests[0].head
    for name, value in {**headers, "Content-MD5": "abc=="}.items():
        plain = value.reveal() if isinstance(value, Secret) else value
        assert re.search(rb"\r\n%s: ?%s\r\n" % (name.encode(), re.escape(plain.encode())), head), name


@BOTH
async def test_a_header_of_the_ticket_replaces_a_default_one(sender: str) -> None:
    """Each name is sent once."""
    headers = {"user-agent": "theirs", "ACCEPT": "text/xml", "host": "signed.example"}
    async with serving() as server, using(sender) as transport:
        await answered(transport, server.url, headers=headers)
    got = server.requests[0].headers  # h11's reader refuses a name that comes twice
    assert (got["user-agent"], got["accept"], got["host"]) == ("theirs", "text/xml", "signed.example")


@BOTH
@pytest.mark.parametrize(
    "headers",
    [
        *({"X-A": f"a{end}X-B: b"} for end in ("\r\n", "\n", "\r", "\0")),
        *({name: "a"} for name in ("X A", "X:A", "", "X\r\nB", "X\u00e9")),
        {"X-A": "a", "x-a": "b"},
    ],
)
async def test_headers_that_would_inject_others_are_refused(sender: str, headers: dict[str, str]) -> None:
    """Before anything is sent."""
    async with serving() as server, using(sender) as transport:
        problem = await outcome(transport, server.url, headers=headers)
        await next_works(transport, server)
    assert isinstance(problem, Problem)
    assert (problem.kind, len(server.requests)) == (ProblemKind.FAILED, 1)


@BOTH
@pytest.mark.parametrize("name", ["Content-Length", "content-length", "Transfer-Encoding"])
async def test_a_ticket_cannot_change_the_framing_of_the_body(sender: str, name: str) -> None:
    """It is refused, or the request has one correct length."""
    async with serving() as server, using(sender) as transport:
        await outcome(transport, server.url, headers={name: "chunked" if name[0] == "T" else "1"})
    for request in server.requests:
        assert request.headers["content-length"] == "5"
        assert "transfer-encoding" not in request.headers


@BOTH
@pytest.mark.parametrize("method", ["PUT /x HTTP/1.1\r\n\r\nGET", "P UT", "", "PUT\r\n", "P\u00dcT"])
async def test_an_invalid_method_is_refused(sender: str, method: str) -> None:
    """Before anything is sent."""
    async with serving() as server, using(sender) as transport:
        problem = await outcome(transport, server.url, method=method)
    assert isinstance(problem, Problem)
    assert (problem.kind, server.requests) == (ProblemKind.FAILED, [])


@BOTH
@SIZES
async def test_a_form_is_sent_like_any_body(sender: str, times: int) -> None:
    """Fields first and the file last, with a length. Progress counts only the file."""
    steps = list[int]()
    async with serving() as server, using(sender) as transport:
        fields = (("key", Secret("a/b")), ("policy", Secret("p")))
        ticket = Ticket(SecretUrl(server.url), "id", method="POST", form=fields)
        await transport.send(ticket, FileBody(BLOCK, times), {}, steps.append)
    (request,) = server.requests
    boundary = request.headers["content-type"].partition("multipart/form-data; boundary=")[2].encode()
    names = re.findall(rb' name="(\w+)"', request.body.replace(BLOCK, b""))
    assert (request.method, names) == ("POST", [b"key", b"policy", b"file"])
    assert request.body.endswith(b"\r\n\r\n" + BLOCK * times + b"\r\n--" + boundary + b"--\r\n")
    assert sum(steps) == times * len(BLOCK)


@BOTH
async def test_a_failing_body_is_never_complete(sender: str) -> None:
    """Its own error is raised, storage sees an incomplete body, and the next one uses a new connection."""
    changed = ProblemError(Problem(ProblemKind.CHANGED, "it changed while it was read"))

    async def fail() -> None:
        if body.taken > 20 * len(BLOCK):
            raise changed

    async with serving() as server, using(sender) as transport:
        body = FileBody(BLOCK, 40, before=fail)
        assert await outcome(transport, server.url, body) is changed.problem
        await next_works(transport, server)
    assert [request.target[:5] for request in server.requests if request.body] == ["/next"]
    assert server.connections[0].requests == server.requests[:1]


@BOTH
async def test_empty_pieces_do_no_harm(sender: str) -> None:
    """In a chunked body one would be the end."""

    class WithGaps(FileBody):
        async def chunks(self) -> AsyncGenerator[memoryview, None]:
            async for chunk in super().chunks():
                yield memoryview(b"")
                yield chunk
                yield memoryview(b"")

    async with serving() as server, using(sender) as transport:
        await answered(transport, server.url, WithGaps(b"abc", 3))
    assert server.requests[0].body == b"abc" * 3
