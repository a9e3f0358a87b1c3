"""One round trip to the service: it proves the address, the clock and the credentials (`bulkup config check --online`).

A provider that lists unfinished uploads lists them, since it may sign its URLs without a call. Any other one asks for
the upload URL of one small file, which is not used. A service that creates an id with each URL keeps an unused one.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from bulkup.api import composition
from bulkup.api.remote_provider import remote_provider
from bulkup.config import Settings, require_provider
from bulkup.config.provider_declarations import HTTP
from bulkup.config.provider_plugins import declaration_of
from bulkup.errors import ServiceError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.model.files import Digest
from bulkup.model.http import ApiCall
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Rejection, Ticket
from bulkup.pipeline.files.hashing import RunningDigests
from bulkup.pipeline.policy.redaction import redact
from bulkup.providers import FileSpec, Provider
from bulkup.transport import Transport
from bulkup.transport.clock_skew import MAX_SKEW, ClockSkewCheck, ServiceClock, skew_text

_NAME = "bulkup-online-check"
_EXTENSION = "bin"  # of a service that takes every file


async def check_online(
    settings: Settings, *, profile: str | None, environ: Mapping[str, str], clock: Clock | None = None
) -> Sequence[str]:
    """Make the round trip, and return what it showed, a line for each finding.

    Raises `UsageError` for settings that are missing, and `ServiceError` if the service cannot be used.
    """
    clock = clock or SystemClock()
    name = require_provider(settings)
    if composition.uses_embedded_server(settings):
        return ("the embedded server needs no account",)
    if not declaration_of(name).has_api:
        return (f"{name} makes no API call",)
    service_clock, begun = ServiceClock(clock), clock.monotonic()
    sources = await anyio.to_thread.run_sync(composition.resolve_sources, settings)
    building = remote_provider(settings, profile, environ, clock, sources=sources, service_time=service_clock.now)
    with contextlib.closing(await building) as provider:
        return await _checked(provider, settings, service_clock, begun)


async def _checked(provider: Provider, settings: Settings, service_clock: ServiceClock, begun: float) -> Sequence[str]:
    clock = service_clock.local
    async with Transport(composition.transport_options(settings), clock) as transport:
        call = ClockSkewCheck(functools.partial(transport.call, provider.config.base_url), service_clock)
        try:
            found = await _round_trip(provider, call, clock)
        except ProblemError as error:
            raise ServiceError(
                redact(error.problem, provider).message, hint=_hint(error.problem.kind, service_clock, settings)
            ) from None
    return (f"{found}, after {clock.monotonic() - begun:.2f} s", _about(service_clock))


async def _round_trip(provider: Provider, call: ApiCall, clock: Clock) -> str:
    """Make the call, and return what it proves. Raises `ProblemError`."""
    if provider.capabilities.lists_unfinished:
        await provider.unfinished(call)
        return "the store accepts the credentials"
    (answer,) = await provider.presign([trial_file(provider, clock.now())], call)
    if isinstance(answer, Problem):
        raise ProblemError(answer)
    if isinstance(answer, Rejection):
        return f"the service answers; it does not take the trial file: {answer.reason}"
    if not isinstance(answer, Ticket):
        return "the service answers"
    if provider.capabilities.abandons:
        await provider.abandon(answer, FileState.PENDING, call)
    host = urlsplit(answer.url.reveal()).hostname
    valid = "" if answer.expires_at is None else f" for {max(0.0, answer.expires_at - clock.now()):.0f} s"
    return f"the service issued an upload URL of the host {host}, valid{valid}; it is not used"


def trial_file(provider: Provider, now: float) -> FileSpec:
    """Return the description of the smallest file that the provider accepts."""
    limits = provider.capabilities
    extension = min(limits.extensions) if limits.extensions else _EXTENSION
    name, size = f"{_NAME}.{extension}", max(1, limits.min_size)
    digest: Digest | None = None
    if limits.checksum_first is not None:
        running = RunningDigests((limits.checksum_first,))
        running.update(bytes(size))
        (digest,) = running.digests()
    return FileSpec(name, name, extension, size, digest, now)


def _about(clock: ServiceClock) -> str:
    if clock.skew is None:
        return "its answer has no time to compare the clock with"
    if abs(clock.skew) < MAX_SKEW:
        return "the clock of this machine agrees with its own"
    return f"the clock of this machine is {skew_text(clock.skew)} its own: set the clock"


def _hint(kind: ProblemKind, clock: ServiceClock, settings: Settings) -> str:
    if clock.skew is not None and abs(clock.skew) >= MAX_SKEW:
        return f"the clock of this machine is {skew_text(clock.skew)} that of the service; set it first"
    if settings.provider == HTTP and kind is not ProblemKind.UNREACHABLE:
        trial = "`bulkup provider try FILE --profile NAME` shows the request and the answer"
        return f"check the credentials and the description; {trial}"
    doctor = "`bulkup doctor` looks at the network, the proxy and the clock"
    return f"check the credentials; {doctor}" if kind is ProblemKind.UNAUTHORIZED else doctor
