"""No secret is disclosed: with faults, a stop, refused credentials, echoes and a crash, for every provider and way to
authenticate.
"""

from __future__ import annotations

import io
import json
import logging
import os
import traceback
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from conformance_world import EVERY, before_sending, conformance, meddle, tree
from pipeline_world import SERVICES, Need, World
from secret_search import found_in, made_up

from bulkup import Result
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.tickets import Ticket
from bulkup.reports.logs import configure_logging
from bulkup.transport import headers

# The sets of credentials: the secrets of each, beside the preferred ones, from the server's configuration.
WAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **{name: (name, ()) for name in EVERY},
    "metastudio, temporary keys": ("metastudio", ("security_token",)),
    "metastudio, iam": ("metastudio", ("iam_user", "iam_domain", "iam_password")),
    "xvid, oauth": ("xvid", ("client_id", "client_secret")),
}
INSTEAD = {"iam_user": ("access_key", "secret_key"), "client_id": ("token",)}
NAMES = (
    *("token", "api_key", "access_key", "secret_key", "security_token"),
    *("iam_user", "iam_domain", "iam_password", "client_id", "client_secret"),
)
FAULTS = ("expired-url=0.08", "status-503=0.08", "cut-body=0.08", "wrong-etag=0.08", "short-answer=0.08")
SEED = 17  # no five requests in a row meet a fault: after five, a service that never answered counts as no service
Say = Callable[[Mapping[str, str]], str]
_ON_THE_WIRE = ("authorization", "x-auth-token", "x-security-token")
_TOKENS = ("/v3/auth/tokens", "/v1/oauth2/token/")
_FIELDS = ("policy", "signature", "awsaccesskeyid")


@pytest.fixture
def log() -> io.StringIO:
    """Everything the program logs, at the finest level, as JSON lines."""
    stream = io.StringIO()
    configure_logging("json", "debug", stream)
    return stream


@dataclass
class Heard:
    """The secrets that were sent and must not appear anywhere else."""

    values: set[str] = field(default_factory=set)

    def ticket(self, ticket: Ticket) -> None:
        for url in (ticket.url, *ticket.more_urls):
            pairs = [pair.partition("=") for pair in url.reveal().partition("?")[2].split("&")]
            self.values |= {text for _, _, value in pairs if len(value) > 20 for text in (value, unquote(value))}
        self.values |= {value.reveal() for name, value in ticket.form or () if name.lower() in _FIELDS}

    def headers(self, headers: Mapping[str, str]) -> None:
        sent = [value for name, value in headers.items() if name.lower() in _ON_THE_WIRE]
        self.values |= {value.rpartition("Signature=")[2].removeprefix("Bearer ") for value in sent}

    def in_(self, text: str) -> list[str]:
        """Return the secrets in a text, in any encoding."""
        return found_in(text, self.values)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Record all secrets that the transport sends."""
    found = Heard()
    revealed = headers.reveal

    def listening(headers: Mapping[str, Any]) -> dict[str, str]:
        plain = revealed(headers)
        found.headers(plain)
        return plain

    async def seen(ticket: Ticket) -> None:
        found.ticket(ticket)

    monkeypatch.setattr(headers, "reveal", listening)
    before_sending(monkeypatch, seen)
    return found


@pytest.fixture(params=WAYS)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> AsyncGenerator[World, None]:
    provider, names = WAYS[request.param]
    made = {name: made_up() for name in NAMES}
    heard.values |= {*made.values()}
    # A URL of a list that storage calls expired fails its file.
    faults = FAULTS if SERVICES[provider].has(Need.RENEWAL) else FAULTS[1:]
    async with conformance(tmp_path, provider, monkeypatch, faults=faults, seed=SEED, **made) as running:
        instead = {other: None for name in names for other in INSTEAD.get(name, ())}
        running.settings = {**instead, **{name: made[name] for name in names}}
        yield running


def shown(error: BaseException) -> list[str]:
    """Return everything that a traceback of this error can show, including local variables of the program's frames."""
    texts = traceback.format_exception(error)
    inner: Sequence[BaseException | None] = getattr(error, "exceptions", ())
    for nested in (*inner, error.__cause__, error.__context__):
        if nested is not None:
            texts += shown(nested)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if f"{os.sep}bulkup{os.sep}" in frame.f_code.co_filename:
            texts += [repr(value) for value in frame.f_locals.values()]
    return texts


async def stopped_run(place: World) -> list[str]:
    said: list[str] = []
    async with place.uploader(concurrency=4, batch_size=10) as uploader:
        async for result in uploader.results():
            said.append(repr(result))
            if len(said) > 10:
                uploader.stop()
        said.append(repr(vars(uploader)))
    return [*said, repr(uploader.summary), repr(uploader.summary.as_dict())]


async def refused_run(place: World) -> list[str]:
    """Run while the server accepts other credentials."""
    place.write({"refused.mp4": b"refused"})
    names = ("token", "api_key", "secret_key", "iam_password", "client_secret")
    place.server.set_credentials(**{name: f"another-{name}" for name in names})
    summary = await place.run()
    place.server.set_credentials(**{name: getattr(place.config, name) for name in names})
    assert summary.exit_code == 4
    assert summary.error is not None
    return [repr(summary), str(summary.as_dict()), *shown(summary.error)]


async def crashed_run(place: World) -> list[str]:
    async def crash(_: Sequence[Result]) -> None:
        raise ArithmeticError

    async def run() -> None:
        async with place.uploader() as uploader:
            await uploader.run(crash)

    with pytest.raises(ExceptionGroup) as crashed:
        await run()
    return shown(crashed.value)


def quoting(plain: Mapping[str, str]) -> str:
    """Return a message of a service that quotes the request, in every encoding."""
    return " ".join(f"{name}: {value} {json.dumps(value)} {quote(value, safe='')}" for name, value in plain.items())


def quoting_late(plain: Mapping[str, str]) -> str:
    """Return a message of a service with a secret at the position where messages are cut."""
    sent = [value for name, value in plain.items() if name.lower() in _ON_THE_WIRE]
    return "x" * 215 + " ".join(sent).removeprefix("Bearer ")


async def echoing_run(place: World, monkeypatch: pytest.MonkeyPatch, say: Say, status: int) -> str:
    """Run against a service that quotes the request, and return how the run ended."""

    async def echo(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        if request.path.startswith(_TOKENS):
            return await call(request)
        text = say(headers.reveal(request.headers))
        body = {
            "message": text,
            "error_msg": text,
            "error": {"error_message": text},
            "errors": [{"errorType": "UnauthorizedException", "message": text}],
        }
        return ApiAnswer(status, {}, json.dumps(body).encode(), 0.0)

    place.write({"echo.mp4": b"echo"})
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "presign", echo)
        summary = await place.run()
    assert summary.exit_code == 4
    assert summary.error is not None
    return "\n".join([repr(summary), str(summary.error), *shown(summary.error)])


def files_in(folder: Path) -> Iterable[str]:
    return (entry.read_bytes().decode("latin-1") for entry in folder.iterdir())


async def test_no_secret_is_disclosed(
    place: World,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    log: io.StringIO,
) -> None:
    """No key, token, signature or form field is in a log line, error, traceback, report or journal."""
    caplog.set_level(logging.DEBUG)
    place.write(tree(40))
    said = await stopped_run(place)
    if place.service.has(Need.REFUSED_KEYS):
        said += await refused_run(place)
    said += await crashed_run(place)
    for say in (quoting, quoting_late) if place.service.has(Need.API) else ():
        said += [await echoing_run(place, monkeypatch, say, status) for status in (401, 403)]
    summary = await place.run()
    assert summary.exit_code == 0, summary.error
    place.assert_uploaded()
    said += [repr(summary), repr(place.manifest()), repr(place.orphans())]
    captured = capfd.readouterr()
    said += [caplog.text, captured.out, captured.err, log.getvalue()]
    assert len(heard.values) > len(NAMES)
    assert "attempt.failed" in log.getvalue()
    assert heard.in_("\n".join(said)) == []
    assert [found for text in files_in(place.journal.parent) for found in heard.in_(text)] == []
