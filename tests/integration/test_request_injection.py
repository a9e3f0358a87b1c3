"""Any file name and any answer: each request is well-formed and goes to the host of its URL, or is not sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pipeline_world import SERVICES

from bulkup import FileState, Settings
from bulkup.api import composition
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, Identity
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import ProblemError
from bulkup.model.tickets import Receipt, Ticket
from bulkup.providers import FileSpec, Provider
from bulkup.providers.base import valid_text
from bulkup.transport import HostRules, Transport, TransportOptions

FEW = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
BODY = b"the bytes of a file\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
ODD = "\r\n\0\t\x0b\x7f \"'<>{}|\\^`%#?&=/:@;,.~-_!$()*+[]aZ09\u00e9\u2028\u202e\u2603\U0001f600"
TEXT = st.text(ODD, max_size=24)
NAMES = st.binary(max_size=24).map(lambda name: name.decode("utf-8", "surrogateescape")) | TEXT
STARTS = st.sampled_from(["/", "?", "#", "@", "\\", "/\r\n", ":@", " "])
ENDINGS = st.builds(lambda first, rest: first + rest, STARTS, TEXT)
LATE = "2999-01-01T00:00:00Z"
POLICY = "eyJleHBpcmF0aW9uIjoiMjk5OS0wMS0wMVQwMDowMDowMFoifQ=="  # which ends then
SPLITTING = "/a HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /b"
LINE = re.compile(rb"(GET|PUT|POST) (/[\x21-\x7e]*) HTTP/1\.1")
FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00\r\n]*")


@dataclass
class Wire:
    """A server that records the bytes of each connection. It sends `answers`, then 200."""

    port: int = 0
    taken: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    open: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = b""
        try:
            data = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", data)
            data += await reader.readexactly(int(length[1]) if length else 0)
            head = self.answers.pop(0) if self.answers else b"HTTP/1.1 200 OK\r\n"
            writer.write(head + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            data += await reader.read()  # what else the client has to say
        except asyncio.IncompleteReadError as error:
            data += error.partial  # nothing, where a request was refused once the connection stood
        finally:
            self.taken += [data] if data else []
            writer.close()

    async def drained(self) -> list[bytes]:
        """Return the received bytes after all connections have ended."""
        await asyncio.gather(*self.open, return_exceptions=True)
        taken, self.taken = self.taken, []
        return taken


@contextlib.asynccontextmanager
async def recording() -> AsyncGenerator[Wire, None]:
    wire = Wire()

    def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(wire.serve(reader, writer))
        wire.open.add(task)
        task.add_done_callback(wire.open.discard)

    listener = await asyncio.start_server(keep, "127.0.0.1", 0)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listener.close()
        await wire.drained()


@dataclass
class Setting:
    """An event loop with the wire and a transport that all examples of a test share."""

    runner: asyncio.Runner
    wire: Wire
    transport: Transport


@pytest.fixture(scope="module")
def here() -> Iterator[Setting]:
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin() -> Setting:
            wire = await stack.enter_async_context(recording())
            options = TransportOptions(4, 10.0, 10.0, hosts=HostRules(("127.0.0.1",)))
            return Setting(runner, wire, await stack.enter_async_context(Transport(options, SystemClock())))

        yield runner.run(begin())
        runner.run(stack.aclose())


def check(raw: bytes, host: str) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Assert that the bytes are one well-formed request to a host. Return its target, headers and body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    line = LINE.fullmatch(first)
    assert line, first
    assert all(FIELD.fullmatch(each) for each in fields), fields
    names = [each.partition(b":")[0].lower() for each in fields]
    assert len(set(names)) == len(names), names
    headers = dict(zip(names, (each.partition(b": ")[2] for each in fields), strict=True))
    assert headers[b"host"] == host.encode()
    assert int(headers.get(b"content-length", b"0")) == len(body)
    assert b"transfer-encoding" not in headers
    return line[2], headers, body


def check_form(headers: Mapping[bytes, bytes], body: bytes, fields: int) -> None:
    """Assert that a body is a form of this many fields, followed by the file."""
    boundary = b"--" + headers[b"content-type"].partition(b"boundary=")[2]
    first, *parts, last = body.split(boundary)
    assert (first, last) == (b"", b"--\r\n")
    heads = [part.partition(b"\r\n\r\n")[0].split(b"\r\n") for part in parts]
    assert [len(lines) for lines in heads] == [*[2] * fields, 3]
    form = re.compile(rb'Content-Disposition: form-data; name="[^"\r\n\x00]+"')
    assert all(form.fullmatch(lines[1]) for lines in heads[:-1])
    assert parts[-1].partition(b"\r\n\r\n")[2] == BODY + b"\r\n"


class Bytes:
    """The bytes of a file."""

    data = BODY
    size = len(BODY)
    failure = None

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        yield memoryview(BODY)


WITH_API = [name for name in SERVICES if name != "urls"]  # which has its URLs from a list
ANSWERED = [name for name in WITH_API if name not in ("s3", "git-lfs")]  # those with an answer below
RECEIPT = Receipt(Digest(b"0" * 16), Identity(len(BODY), 0, 0, 0, 0), None, True, 0.0)


def provider_of(name: str, base_url: str, **changes: Any) -> Provider:
    service = SERVICES[name]
    adapter = "http" if service.described_as else name
    given: dict[str, Any] = {"project_id": "project-1"} if name.endswith("metastudio") else {}
    given |= {**service.settings, **changes}
    chosen = Settings(source=("/s",), provider=adapter, base_url=base_url, **given)
    needed = PROVIDER_DECLARATIONS[adapter].credentials[-1] or ("token", "auth_token")
    secrets = {one: Secret(f"secret-{one}") for one in needed}
    return composition.build_provider(
        chosen, base_url, secrets, composition.provider_settings(chosen, ()), SystemClock()
    )


def answering(place: Setting, answers: Iterator[ApiAnswer]) -> ApiCall:
    """Return a call that uses the real transport and returns the next of the answers."""

    async def call(request: ApiRequest) -> ApiAnswer:
        await place.transport.call(f"http://{place.wire.host}", request)
        return next(answers)

    return call


def json_answer(value: Any, **headers: str) -> ApiAnswer:
    return ApiAnswer(200, {"content-type": "application/json", **headers}, json.dumps(value).encode(), 1_900_000_000.0)


def spec(name: str, extension: str = "mp4") -> FileSpec:
    return FileSpec(name, f"d/{name}", extension, len(BODY), RECEIPT.digest, 0.0)


async def upload(place: Setting, provider: Provider, file: FileSpec, *answers: ApiAnswer) -> list[Ticket]:
    """Presign, send and close. Return the used tickets, none if something was refused."""
    if provider.reject(file) is not None:
        return []
    call = answering(place, iter(answers))
    used = []
    with contextlib.suppress(ProblemError, StopIteration, RuntimeError):
        for ticket in await provider.presign([file], call):
            assert isinstance(ticket, Ticket)
            used.append(ticket)
            await place.transport.send(ticket, Bytes(), {}, lambda _: None)
            if provider.capabilities.confirms:
                await provider.confirm(ticket, RECEIPT, call, again=False)
                await provider.poll(ticket, call)
            if provider.capabilities.abandons:
                await provider.abandon(ticket, FileState.FAILED, call)
    return used


def checked(place: Setting, provider: Provider, file: FileSpec, *answers: ApiAnswer) -> list[Ticket]:
    """Upload, and check every byte that was sent."""
    tickets = place.runner.run(upload(place, provider, file, *answers))
    for raw in place.runner.run(place.wire.drained()):
        _, headers, body = check(raw, place.wire.host)
        if headers.get(b"content-type", b"").startswith(b"multipart/"):
            check_form(headers, body, len(tickets[0].form or ()))
    return tickets


@pytest.mark.unmeasured
@given(name=NAMES, extension=NAMES)
@example("a\r\nX-Evil: 1.mp4", "mp4")
@example('a"; filename="b', "m\x00p")
@FEW
@pytest.mark.parametrize("service", WITH_API)
def test_file_names(here: Setting, service: str, name: str, extension: str) -> None:
    """In queries, bodies, headers and forms."""
    provider = provider_of(service, f"http://{here.wire.host}")
    checked(here, provider, spec(name, extension), *[json_answer({})] * 3)
    key, url = valid_text(f"uploads/d/{name}"), f"http://{here.wire.host}/bucket/"
    form = {"key": key, "policy": POLICY, "name": valid_text(name)}
    session = {"upload": {"id": "x1", "form_post_url": url, "form_post_params": form, "status": "COMPLETED"}}
    if service == "xvid":
        checked(here, provider, spec(name, extension), *[json_answer(session)] * 3)


@pytest.mark.unmeasured
@given(ending=ENDINGS, told=TEXT, header=TEXT)
@example("/k?X-Amz-Signature=a%2Fb", "x1", "x")
@example(SPLITTING, "x1", "x")
@example("@evil.example/", "../../x", "x\r\ny")
@FEW
@pytest.mark.parametrize("service", ANSWERED)
def test_urls_and_ids(here: Setting, service: str, ending: str, told: str, header: str) -> None:
    """URLs that would end the request line, ids that would change a later call's path, and headers."""
    url = f"http://{here.wire.host}{ending}"
    form = {"key": "k", "policy": POLICY}
    answers: Mapping[str, Any] = {
        "magic-hour": {"items": [{"upload_url": url, "file_path": f"{told}.mp4", "expires_at": LATE}]},
        "move-ugc": {"data": {"f0": {"id": told, "presignedUrl": url}}},
        "metastudio": {"file_id": told, "upload_url": url},
        "xvid": {"upload": {"id": told, "form_post_url": url, "form_post_params": form, "status": "COMPLETED"}},
        "local": {"tickets": [{"id": told, "url": url, "expires_in": 60}]},
    }
    token = {"access_token": "t", "expires_in": "7200"}
    body = token | answers[service.removeprefix("http as ")] | {"token": {"expires_at": LATE}}
    answer = json_answer(body, **{"x-request-id": header, "x-subject-token": "t"})
    checked(here, provider_of(service, f"http://{here.wire.host}"), spec("a.mp4"), *[answer] * 8)


@given(params=st.dictionaries(TEXT, TEXT | st.integers(), max_size=4), value=TEXT)
@example({'a"; filename="x': "1", "b\r\nX: y": "2"}, "--\r\n\r\n")
@FEW
def test_form_fields(here: Setting, params: dict[str, Any], value: str) -> None:
    """Names and values that would end a field or the form."""
    form = {**params, "key": value, "policy": POLICY}
    told = {"id": "x1", "form_post_url": f"http://{here.wire.host}/b/", "form_post_params": form, "status": "COMPLETED"}
    answer = json_answer({"upload": told, "access_token": "t", "expires_in": "7200"})
    checked(here, provider_of("xvid", f"http://{here.wire.host}"), spec("a.mp4"), *[answer] * 5)


DESCRIBED = {
    "batch_size": 1,
    "presign": {
        "path": "/v1/{path}?name={name}&{stem}",
        "headers": {"X-Name": "{path}", "X-Ext": "a{ext}b"},
        "item": {"name": "{name}", "{odd}": "{path}"},
    },
    "answer": {"url": "url", "id": "id", "headers": "headers"},
    "put": {"headers": {"X-Path": "{path}"}},
    "confirm": {
        "path": "/c/{id}/{name}?id={id}",
        "headers": {"X-Id": "{id}"},
        "body": {"id": "{id}", "name": "{name}"},
    },
}


@given(name=NAMES, ending=ENDINGS)
@example("a\r\nX-Evil: 1.mp4", SPLITTING)
@FEW
def test_described_calls(here: Setting, name: str, ending: str) -> None:
    """File names and ids in paths, queries, headers and bodies of calls that a profile describes."""
    provider = provider_of("http as magic-hour", f"http://{here.wire.host}", http=DESCRIBED)
    answer = {"url": f"http://{here.wire.host}/put", "id": f"x{ending}", "headers": {"X-Said": ending}}
    checked(here, provider, spec(name), *[json_answer(answer)] * 3)


@given(name=NAMES)
@example("a\r\nX-Evil: 1.mp4")
@FEW
def test_urls_without_a_call(here: Setting, name: str) -> None:
    description = {
        "url": f"http://{here.wire.host}/dav/{{path}}?name={{name}}&{{sas}}",
        "secrets": {"sas": "a=1"},
        "put": {"headers": {"X-Name": "{name}", "X-Dir": "{dir}"}},
    }
    provider = provider_of("http as magic-hour", f"http://{here.wire.host}", http=description)
    for ticket in checked(here, provider, spec(name)):
        assert ticket.url.reveal().startswith(f"http://{here.wire.host}/dav/d/")


@given(token=TEXT)
@example("t\r\nX-Evil: 1")
@FEW
@pytest.mark.parametrize("service", ["metastudio", "xvid"])
def test_fetched_tokens(here: Setting, service: str, token: str) -> None:
    """They are sent in a header of the next call."""
    body = {"access_token": token, "expires_in": "7200", "token": {"expires_at": LATE}}
    answer = json_answer(body, **{"x-subject-token": token})
    checked(here, provider_of(service, f"http://{here.wire.host}"), spec("a.mp4"), *[answer] * 3)


@given(template=st.text(ODD, max_size=12))
@FEW
def test_object_key_templates(here: Setting, template: str) -> None:
    """The template is checked when it is loaded; the object key becomes part of a query."""
    with contextlib.suppress(ValueError):
        provider = provider_of("xvid", f"http://{here.wire.host}", object_key=f"{{name}}{template}")
        checked(here, provider, spec("a b.mp4"), *[json_answer({"access_token": "t", "expires_in": "7200"})] * 2)


@given(location=st.text(ODD.replace("\r", "").replace("\n", ""), min_size=1, max_size=24), absolute=st.booleans())
@example(location="/a HTTP/1.1", absolute=True)
@FEW
def test_redirects(here: Setting, location: str, absolute: bool) -> None:
    where = (f"http://{here.wire.host}/" if absolute else "") + location
    here.wire.answers = [b"HTTP/1.1 307 X\r\nLocation: " + where.encode() + b"\r\n"]
    ticket = Ticket(SecretUrl(f"http://{here.wire.host}/first"), "id")
    with contextlib.suppress(ProblemError):
        here.runner.run(here.transport.send(ticket, Bytes(), {}, lambda _: None))
    taken = here.runner.run(here.wire.drained())
    here.wire.answers = []
    assert [check(raw, here.wire.host)[2] for raw in taken] == [BODY] * len(taken)
    assert 1 <= len(taken) <= 2


@given(name=st.sampled_from(["Content-Type", "X-Amz-Meta-A", "X Y", "A:", ""]), value=TEXT)
@example("Content-Type", "a\r\nX-Evil: 1")
@example("Content-Type", "a\nX-Evil: 1")
@FEW
def test_headers_of_tickets(here: Setting, name: str, value: str) -> None:
    """Those in a journal are as untrusted as those of a service."""
    ticket = Ticket(SecretUrl(f"http://{here.wire.host}/k"), "id", headers={name: Secret(value)})
    with contextlib.suppress(ProblemError):
        here.runner.run(here.transport.send(ticket, Bytes(), {}, lambda _: None))
    for raw in here.runner.run(here.wire.drained()):
        assert check(raw, here.wire.host)[2] == BODY


@given(method=TEXT | st.sampled_from(["PUT", "POST", "PUT /x HTTP/1.1\r\nA: b\r\n\r\nGET"]))
@FEW
def test_methods_of_tickets(here: Setting, method: str) -> None:
    """A method must be a token."""
    ticket = Ticket(SecretUrl(f"http://{here.wire.host}/k"), "id", method=method)
    with contextlib.suppress(ProblemError):
        here.runner.run(here.transport.send(ticket, Bytes(), {}, lambda _: None))
    for raw in here.runner.run(here.wire.drained()):
        head = raw.partition(b"\r\n")[0]
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ /k HTTP/1\.1", head), head
