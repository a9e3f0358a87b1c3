"""The service that uploads went to, for questions about them: the provider, and calls that are repeated."""

from __future__ import annotations

import contextlib
import functools
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field
from typing import TypeVar

import anyio
import anyio.to_thread

from bulkup.api import composition
from bulkup.api.remote_provider import remote_provider
from bulkup.config import Settings, require_provider
from bulkup.errors import ServiceError
from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Destination
from bulkup.model.http import ApiCall
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemError, ProblemKind
from bulkup.pipeline import RetryPolicy
from bulkup.pipeline.policy.redaction import redact
from bulkup.providers import PROVIDER_CLASSES, Provider
from bulkup.transport import Transport
from bulkup.transport.by_aiohttp.body_reader import BodyReader
from bulkup.transport.rate_limit import RateLimitedCall

T = TypeVar("T")
_FATAL = OF_THE_HOST | {ProblemKind.UNAUTHORIZED, ProblemKind.UNUSABLE, ProblemKind.MACHINE}


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """The provider with its account, and how its calls are made. `reader` reads bodies from storage."""

    provider: Provider
    destination: Destination
    call: ApiCall
    reader: BodyReader
    retry: RetryPolicy
    calls_at_once: int
    random: random.Random = field(default_factory=random.Random)

    async def repeated(self, make: Callable[[], Awaitable[T]]) -> T | Problem:
        """Return the result of a call, repeated while the service is busy or not reachable.

        A problem of a single upload is returned. Raises `ServiceError` if the service refuses all calls or cannot be
        reached.
        """
        tries = 0
        while True:
            try:
                return await make()
            except ProblemError as error:
                problem = redact(error.problem, self.provider, None)
            tries += 1
            if problem.kind not in OF_THE_HOST or tries >= self.retry.attempts:
                break
            await anyio.sleep(pause_before(tries, problem.retry_after, self.retry, self.random.random()))
        if problem.kind in _FATAL:
            raise ServiceError(problem.message, hint="with --local, files are only compared with the disk")
        return problem


def pause_before(tries: int, retry_after: float | None, policy: RetryPolicy, chance: float) -> float:
    """Return the seconds before a call is repeated after `tries` failures. `chance` is from 0 to 1."""
    longest = min(policy.cap, policy.base * 2.0**tries)
    return max(longest * chance, min(retry_after or 0.0, policy.retry_after_max))


def tells_stored(settings: Settings) -> bool:
    """Return whether the provider of these settings can tell what the service has."""
    return PROVIDER_CLASSES[require_provider(settings)].stored is not Provider.stored


@asynccontextmanager
async def open_store(
    settings: Settings, profile: str | None, environ: Mapping[str, str] | None, clock: Clock
) -> AsyncGenerator[StoreAccess, None]:
    """Set up the provider, and close it at the end. Raises `BulkupError` for unusable settings."""
    environ = os.environ if environ is None else environ
    async with contextlib.AsyncExitStack() as stack:
        if composition.uses_embedded_server(settings):
            provider, destination = await _local(settings, environ, clock, stack)
        else:
            provider, destination = await _remote(settings, profile, environ, clock, stack)
        transport = await stack.enter_async_context(Transport(composition.transport_options(settings), clock))
        reader = await stack.enter_async_context(BodyReader(composition.transport_options(settings)))
        call: ApiCall = functools.partial(transport.call, provider.config.base_url)
        limit = composition.rate_limit(settings, provider)
        if limit is not None:
            call = RateLimitedCall(call, limit, clock)
        retry = RetryPolicy(attempts=settings.attempts, retry_after_max=settings.retry_after_max)
        at_once = settings.calls_in_flight or provider.capabilities.calls_in_flight
        yield StoreAccess(provider, destination, call, reader, retry, at_once)


async def _local(
    settings: Settings, environ: Mapping[str, str], clock: Clock, stack: contextlib.AsyncExitStack
) -> tuple[Provider, Destination]:
    from bulkup.localserver import ServerProcess  # noqa: PLC0415  # runs with a remote service start without it

    config = composition.local_server_config(settings, environ)
    server = await stack.enter_async_context(ServerProcess(config))
    token = {"token": composition.local_token(config)}
    provider = composition.build_provider(settings, server.url, token, {}, clock)
    return provider, composition.destination(settings, provider, "file://" + config.store)


async def _remote(
    settings: Settings,
    profile: str | None,
    environ: Mapping[str, str],
    clock: Clock,
    stack: contextlib.AsyncExitStack,
) -> tuple[Provider, Destination]:
    provider = await remote_provider(settings, profile, environ, clock)
    stack.callback(provider.close)
    return provider, composition.destination(settings, provider, provider.config.base_url)
