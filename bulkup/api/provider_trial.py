"""Sends one file with each step shown: the tool for describing a service (`bulkup provider try`).

It makes the calls of a run, once each and without a journal. Nothing that it shows holds a secret.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson

from bulkup.api import composition
from bulkup.config import Settings, require_credentials
from bulkup.config.template_text import holds_secrets
from bulkup.errors import ServiceError, UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import MASK, Secret, SecretUrl
from bulkup.helpers.short_text import shortened
from bulkup.model.bodies import Body
from bulkup.model.files import Digest, FoundFile, Identity
from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemError
from bulkup.model.tickets import AlreadyThere, NeedsDigest, Receipt, Rejection, Ticket
from bulkup.pipeline.files.hashing import RunningDigests
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.policy.redaction import redact, secrets_of, without_secrets
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.providers import FileSpec, NotYet, Provider
from bulkup.transport import Transport, TransportOptions

_LONGEST_TEXT = 300  # characters of one value of an answer
_LONGEST_LINE = 4000
_CHUNK = 1024**2
_MOST_POLLS = 60
_SHOWN_HEADERS = ("content-type", "etag", "retry-after", "x-request-id", "location")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the trial: its title, and lines about it."""

    title: str
    lines: tuple[str, ...] = ()


Show = Callable[[Step], None]


async def try_provider(
    settings: Settings, *, profile: str | None, environ: Mapping[str, str], show: Show, clock: Clock | None = None
) -> bool:
    """Send the only source, a file, and show each step. Return whether it is uploaded. Raises `BulkupError`."""
    return await _Trial(settings, profile, environ, show, clock or SystemClock()).run()


class _TracedTransport(Transport):
    """Shows the requests that carry bytes to storage, and its answers."""

    show: Callable[[Ticket, Mapping[str, str], StorageAnswer], None]

    async def send(
        self, ticket: Ticket, body: Body, headers: Mapping[str, str], *values: Any, **named: Any
    ) -> StorageAnswer:
        answer = await super().send(ticket, body, headers, *values, **named)
        self.show(ticket, headers, answer)
        return answer


class _Trial:
    def __init__(
        self, settings: Settings, profile: str | None, environ: Mapping[str, str], show: Show, clock: Clock
    ) -> None:
        self._settings = settings
        self._profile = profile
        self._environ = environ
        self._show_step = show
        self._clock = clock
        self._provider: Provider
        self._ticket: Ticket | None = None

    async def run(self) -> bool:
        settings, in_thread = self._settings, anyio.to_thread.run_sync
        sources = composition.resolve_sources(settings)
        source = sources[0]
        if len(sources) != 1 or source.only is None:
            raise UsageError("provider try sends one file", hint="name a file, not a directory")
        values = await in_thread(composition.provider_settings, settings, sources)
        fetch = functools.partial(require_credentials, settings, self._environ, profile=self._profile)
        secrets = await in_thread(fetch)
        base_url = composition.public_base_url(settings)
        self._provider = composition.build_provider(settings, base_url, secrets, values, self._clock)
        file = FoundFile(source, source.only, Identity.of(await in_thread(os.stat, source.root + b"/" + source.only)))
        async with self._transport() as transport:
            try:
                return await self._upload(file, transport)
            except ProblemError as error:
                problem = redact(error.problem, self._provider, self._ticket)
                self._show("it fails", [f"{problem.kind.value}: {problem.message}"])
                return False

    @asynccontextmanager
    async def _transport(self) -> AsyncGenerator[_TracedTransport, None]:
        options: TransportOptions = composition.transport_options(self._settings)
        transport = _TracedTransport(options, self._clock)
        transport.show = self._show_sending
        async with transport:
            yield transport

    async def _upload(self, file: FoundFile, transport: _TracedTransport) -> bool:
        provider = self._provider
        algorithms = composition.algorithms(self._settings, provider)
        first = provider.capabilities.checksum_first
        digest = await anyio.to_thread.run_sync(_hashed, file, first) if first is not None else None
        if digest is not None:
            self._show("the file is hashed", [f"{first}: {digest.hex}"])
        spec = FileSpec.of(file, digest)
        rejection = provider.reject(spec)
        if rejection is not None:
            self._show("the file is refused before any call", [rejection.reason])
            return False
        calls = _Calls(functools.partial(transport.call, provider.config.base_url), provider.config.base_url)
        try:
            (answer,) = await provider.presign([spec], calls)
        finally:
            self._show_calls(calls, "presign call")
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        if not isinstance(answer, Ticket):
            return self._without_ticket(answer)
        self._ticket = answer
        self._show("what was read", list(self._of_ticket(answer)))
        sender = LocalSender(transport, provider, self._clock, SendOptions(algorithms=algorithms))
        receipt = await sender.send(Ticketed(Item(file, answer, digest), answer), lambda _count: None)
        if isinstance(receipt, Problem):
            raise ProblemError(receipt)
        verified = "its answer proves the bytes" if receipt.verified else "its answer proves nothing: unverified"
        self._show("storage has the bytes", [verified])
        if provider.capabilities.confirms:
            await self._close(answer, receipt, calls)
        self._show("the file is uploaded", [f"id: {answer.remote_id}"])
        return True

    def _without_ticket(self, answer: Rejection | AlreadyThere | NeedsDigest) -> bool:
        if isinstance(answer, NeedsDigest):
            self._show("the service may have the file already", ["a run compares the checksums"])
            return False
        if isinstance(answer, Rejection):
            self._show("the service refuses the file", [answer.reason])
            return False
        self._show("the service has the file already", [f"id: {answer.remote_id}"])
        return True

    async def _close(self, ticket: Ticket, receipt: Receipt, calls: _Calls) -> None:
        try:
            result = await self._provider.confirm(ticket, receipt, calls, again=False)
        finally:
            self._show_calls(calls, "closing call")
        for _ in range(_MOST_POLLS):
            if not isinstance(result, NotYet):
                return
            await anyio.sleep(result.seconds)
            try:
                result = await self._provider.poll(ticket, calls)
            finally:
                self._show_calls(calls, "poll")
        raise ServiceError(f"the upload is not complete after {_MOST_POLLS} polls")

    def _show_calls(self, calls: _Calls, name: str) -> None:
        """Show the calls since the last time; one to a token endpoint keeps its body to itself."""
        for request, answer in calls.take():
            url = (request.base_url or calls.base_url) + request.path
            lines = [f"{request.method} {_shown_url(url)}", *_shown_headers(request.headers)]
            lines += [_shown_body(request.body)] if request.body and _is_json(request) else []
            self._show(f"{name}: request", lines)
            if answer is not None:
                shown = {key: value for key, value in answer.headers.items() if key in _SHOWN_HEADERS}
                body = _shown_body(answer.body) if answer.body else "(no body)"
                self._show(f"{name}: answer", [f"status {answer.status}", *_shown_headers(shown), body])

    def _show_sending(self, ticket: Ticket, headers: Mapping[str, str], answer: StorageAnswer) -> None:
        self._ticket = ticket if self._ticket is None else self._ticket
        fields = [f"form field {name}: {MASK}" for name, _ in ticket.form or ()]
        lines = [f"{ticket.method} {ticket.url}", *_shown_headers({**ticket.headers, **headers}), *fields]
        self._show("bytes: request", lines)
        shown = {
            key: value
            for key, value in answer.headers.items()
            if key in _SHOWN_HEADERS or "checksum" in key or "md5" in key
        }
        body = [_shown_body(answer.body)] if answer.body else []
        self._show("bytes: answer", [f"status {answer.status}", *_shown_headers(shown), *body])

    def _of_ticket(self, ticket: Ticket) -> Iterator[str]:
        yield f"id: {ticket.remote_id}"
        yield f"url: {ticket.url}" + (f", and {len(ticket.more_urls)} more parts" if ticket.more_urls else "")
        if ticket.expires_at is not None:
            yield f"expires: in {ticket.expires_at - self._clock.now():.0f} s"
        yield f"method: {ticket.method}"
        if ticket.headers:
            yield f"headers: {', '.join(ticket.headers)}"
        if ticket.form is not None:
            yield f"form fields: {', '.join(name for name, _ in ticket.form)}"
        kept = {name: value for name, value in ticket.remote.items() if name != "id"}
        if kept:
            yield f"kept: {_shown_body(orjson.dumps(kept))}"

    def _show(self, title: str, lines: Sequence[str]) -> None:
        secrets: list[Secret] = [secret for secret in self._provider.secrets if secret]
        secrets += secrets_of(self._ticket) if self._ticket is not None else ()
        self._show_step(Step(title, tuple(without_secrets(shortened(line, _LONGEST_LINE), secrets) for line in lines)))


class _Calls:
    """Makes API calls and keeps them with their answers, None for a call without one."""

    def __init__(self, call: Callable[[ApiRequest], Any], base_url: str) -> None:
        self._call = call
        self.base_url = base_url
        self._made: list[tuple[ApiRequest, ApiAnswer | None]] = []

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        self._made.append((request, None))
        answer: ApiAnswer = await self._call(request)
        self._made[-1] = (request, answer)
        return answer

    def take(self) -> list[tuple[ApiRequest, ApiAnswer | None]]:
        made, self._made = self._made, []
        return made


def _hashed(file: FoundFile, algorithm: Any) -> Digest:
    running = RunningDigests((algorithm,))
    with open(file.full_path, "rb") as opened:
        while chunk := opened.read(_CHUNK):
            running.update(chunk)
    (digest,) = running.digests()
    return digest


def _is_json(request: ApiRequest) -> bool:
    kind = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")
    return "json" in str(kind)


def _shown_headers(headers: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {MASK if holds_secrets(name) else shortened(str(value), _LONGEST_TEXT)}"
        for name, value in headers.items()
    ]


def _shown_url(url: str) -> str:
    """Return a URL with its query; the values of parameters whose names are those of secrets are masked."""
    place, mark, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")] if mark else []
    shown = [
        f"{name}={MASK}" if equals and holds_secrets(name) else f"{name}{equals}{value}"
        for name, equals, value in pairs
    ]
    return f"{place}{mark}{'&'.join(shown)}"


def _shown_body(body: bytes) -> str:
    """Return a body for people: JSON with URLs and values of secret names masked, else its length."""
    with contextlib.suppress(ValueError):
        return orjson.dumps(_masked(orjson.loads(body)), option=orjson.OPT_INDENT_2).decode()
    return f"({len(body)} bytes, not JSON)"


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, name) for part in value]
    if not isinstance(value, str):
        return value
    if holds_secrets(name) or name.lower() in ("policy", "x-amz-signature", "x-amz-credential"):
        return MASK
    if "://" in value[:12]:
        return str(SecretUrl(value))
    return shortened(value.partition("?")[0] + ("?" + MASK if "?" in value and "=" in value else ""), _LONGEST_TEXT)
