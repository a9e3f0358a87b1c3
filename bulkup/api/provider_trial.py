"""Sends one file with each step shown: the tool for describing a service (`bulkup provider try`).

It makes the calls of a run, once each and without a journal. Nothing that it shows holds a secret.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson

from bulkup.api import composition
from bulkup.api.masked_http import shown_body, shown_headers, shown_url
from bulkup.config import Settings, require_credentials
from bulkup.config.provider_declarations import HTTP
from bulkup.errors import ServiceError, UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import MASK, Secret
from bulkup.helpers.short_text import shortened
from bulkup.helpers.utf8_mode import path_text
from bulkup.model.bodies import Body
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import AlreadyThere, NeedsDigest, Receipt, Rejection, Ticket
from bulkup.pipeline.files.hashing import RunningDigests
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.policy.redaction import redact, secrets_of, without_secrets
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.providers import FileSpec, NotYet, Provider
from bulkup.transport import Transport, TransportOptions

_LONGEST_LINE = 4000
_CHUNK = 1024**2
_MOST_POLLS = 60
_FIRST_ERROR = 300  # of the statuses
_SHOWN_HEADERS = ("content-type", "etag", "retry-after", "x-request-id", "location")
_NEXT_STEPS = {
    ProblemKind.THROTTLED: "a run would pause, and try again",
    ProblemKind.EXPIRED: "a run would ask for a new URL",
    ProblemKind.GONE: "a run would ask for a new URL",
    ProblemKind.REFUSED: "a run would ask for a new URL, once",
    ProblemKind.MISMATCH: "a run would read and send the file again, once",
    ProblemKind.REJECTED: "a run would record the file as rejected",
    ProblemKind.FAILED: "a run would record the file as failed",
    ProblemKind.CHANGED: "a run would record the file as changed",
    ProblemKind.UNREADABLE: "a run would record the file as unreadable",
    ProblemKind.UNAUTHORIZED: "a run would end",
    ProblemKind.UNUSABLE: "a run would end",
    ProblemKind.MACHINE: "a run would end",
}
_AGAIN = "a run would try again"
_MISFIT = "the description does not fit this answer"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the trial: its title, and lines about it."""

    title: str
    lines: tuple[str, ...] = ()


Show = Callable[[Step], None]


async def try_provider(
    settings: Settings,
    file: str,
    *,
    root: str | None = None,
    profile: str | None,
    environ: Mapping[str, str],
    show: Show,
    clock: Clock | None = None,
) -> bool:
    """Send one file, and show each step. Return whether it is uploaded. Raises `BulkupError`.

    Its path begins after `root`: without one, after the innermost source that it is in, or else after its folder.
    """
    return await _Trial(settings, profile, environ, show, clock or SystemClock()).run(file, root)


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
        self._last_answer: ApiAnswer | None = None

    async def run(self, name: str, root: str | None) -> bool:
        settings, in_thread = self._settings, anyio.to_thread.run_sync
        file = await in_thread(_find, name, root, settings)
        sources = (file.source,)
        values = await in_thread(composition.provider_settings, settings, sources)
        fetch = functools.partial(require_credentials, settings, self._environ, profile=self._profile)
        secrets = await in_thread(fetch)
        base_url = composition.public_base_url(settings)
        self._provider = composition.build_provider(settings, base_url, secrets, values, self._clock)
        self._show("the file", [f"path: {path_text(file.path)}", f"within: {file.source.shown}"])
        with contextlib.closing(self._provider):
            async with self._transport() as transport:
                try:
                    return await self._upload(file, transport)
                except ProblemError as error:
                    problem = redact(error.problem, self._provider, self._ticket)
        self._show("it fails", [problem.message, self._consequence(problem)])
        return False

    def _consequence(self, problem: Problem) -> str:
        """Return the next step of a run, or that the description is at fault."""
        answer = self._last_answer
        misread = problem.kind is ProblemKind.TRANSIENT and problem.maybe_created
        if self._provider.name == HTTP and misread and answer is not None and answer.status < _FIRST_ERROR:
            return _MISFIT
        return _NEXT_STEPS.get(problem.kind, _AGAIN)

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
            self._last_answer = answer
            url = (request.base_url or calls.base_url) + request.path
            lines = [f"{request.method} {shown_url(url)}", *shown_headers(request.headers)]
            lines += [shown_body(request.body)] if request.body and _is_json(request) else []
            self._show(f"{name}: request", lines)
            if answer is not None:
                shown = {key: value for key, value in answer.headers.items() if key in _SHOWN_HEADERS}
                body = shown_body(answer.body) if answer.body else "(no body)"
                self._show(f"{name}: answer", [f"status {answer.status}", *shown_headers(shown), body])

    def _show_sending(self, ticket: Ticket, headers: Mapping[str, str], answer: StorageAnswer) -> None:
        self._ticket = ticket if self._ticket is None else self._ticket
        fields = [f"form field {name}: {MASK}" for name, _ in ticket.form or ()]
        lines = [f"{ticket.method} {ticket.url}", *shown_headers({**ticket.headers, **headers}), *fields]
        self._show("bytes: request", lines)
        shown = {
            key: value
            for key, value in answer.headers.items()
            if key in _SHOWN_HEADERS or "checksum" in key or "md5" in key
        }
        body = [shown_body(answer.body)] if answer.body else []
        self._show("bytes: answer", [f"status {answer.status}", *shown_headers(shown), *body])

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
            yield f"kept: {shown_body(orjson.dumps(kept))}"

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


def _find(name: str, root: str | None, settings: Settings) -> FoundFile:
    """Return the file as a run would find it: its path begins after the root, or the innermost source around it."""
    real = os.path.realpath(os.fsencode(name))
    try:
        found = os.stat(real)
    except OSError as error:
        raise UsageError(f"cannot use {name}: {error.strerror}", hint="check its spelling") from error
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"provider try sends one file, and {name} is none", hint="name a file, not a directory")
    folders = [os.path.realpath(os.fsencode(folder)) for folder in (settings.source if root is None else [root])]
    around = [folder for folder in folders if real.startswith(folder.rstrip(b"/") + b"/")]
    if root is not None and not around:
        raise UsageError(f"{name} is not in {root}", hint="name a folder around the file with --root")
    source = Source(max(around, key=len, default=os.path.dirname(real)))
    return FoundFile(source, os.path.relpath(real, source.root), Identity.of(found))
