"""Helpers of the conformance suite, in addition to `pipeline_world`: every provider in one event loop, and calls with
manipulated answers. The suite runs the whole pipeline with every provider against the embedded server. A new provider
joins it with one more line in `pipeline_world.SERVICES`. A test that not every service can run names what it needs:
`having(Need.API)` are the services with it. `test_conformance_coverage.py` states which modules leave which out.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import QUICK_RETRIES, SERVICES, Need, World, world

from bulkup import FileState
from bulkup.api import composition
from bulkup.config.provider_declarations import LOCAL, PROVIDER_DECLARATIONS, ProviderDeclaration
from bulkup.helpers.clock import SystemClock
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.tickets import Ticket
from bulkup.providers import PROVIDER_CLASSES
from bulkup.transport import Transport

EVERY = tuple(SERVICES)
EXTENSIONS = ("mp4", "mov", "jpg", "png", "wav", "mp3")  # which every service takes

Act = Callable[[ApiCall, ApiRequest], Awaitable[ApiAnswer]]
Change = Callable[[ApiAnswer], ApiAnswer]


def having(*needs: Need) -> tuple[str, ...]:
    """Return the services that have what a test needs."""
    return tuple(name for name, service in SERVICES.items() if all(map(service.has, needs)))


CLOSING = having(Need.CLOSING)


@asynccontextmanager
async def conformance(
    folder: Path, provider: str, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncGenerator[World, None]:
    """Start a world with short retry delays. `local` runs against a server in this event loop."""
    if provider == LOCAL:
        monkeypatch.setattr(composition, "uses_embedded_server", lambda settings: False)
        monkeypatch.setitem(PROVIDER_DECLARATIONS, LOCAL, ProviderDeclaration(None, (("token",),)))
    async with world(folder, provider, tunables=QUICK_RETRIES, **options) as place:
        yield place


class MovableClock(SystemClock):
    """The system clocks, moved ahead by `ahead` seconds."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def tree(count: int) -> dict[str | bytes, bytes]:
    """Return files of many sizes and extensions in a few folders, each with different content."""
    names = [f"d{number % 5}/{number:03}.{EXTENSIONS[number % len(EXTENSIONS)]}" for number in range(count)]
    return {name: name.encode() + os.urandom(1 + 997 * number) for number, name in enumerate(names)}


def recorded_calls(monkeypatch: pytest.MonkeyPatch) -> list[ApiRequest]:
    """Return a list to which all API calls from now on are added."""
    made: list[ApiRequest] = []
    call = Transport.call

    async def recorded(self: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
        made.append(request)
        return await call(self, base_url, request)

    monkeypatch.setattr(Transport, "call", recorded)
    return made


def is_closing(request: ApiRequest) -> bool:
    """Return whether a call is a closing call or a poll."""
    return request.method in ("PUT", "GET") or request.path.endswith(("/complete", "/verify"))


def adapter_of(service: str) -> str:
    """Return the provider that a service of the suite is used with."""
    return "http" if SERVICES[service].described_as else service


def meddle(monkeypatch: pytest.MonkeyPatch, provider: str, method: str, act: Act) -> None:
    """Replace the API calls inside `presign`, `confirm` or `poll` of a provider by `act`."""
    kind = PROVIDER_CLASSES[adapter_of(provider)]
    original = getattr(kind, method)

    async def meddled(self: object, *values: Any, **named: Any) -> Any:
        *given, call = values
        return await original(self, *given, functools.partial(act, call), **named)

    monkeypatch.setattr(kind, method, meddled)


def change_first(count: int, change: Change) -> Act:
    """Return an act that makes the call and changes the first answers."""
    changed = 0

    async def act(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        nonlocal changed
        answer = await call(request)
        changed += 1
        return change(answer) if changed <= count else answer

    return act


def before_sending(monkeypatch: pytest.MonkeyPatch, act: Callable[[Ticket], Awaitable[object]]) -> None:
    """Await `act` before each attempt to send."""
    send = Transport.send

    async def sent(self: Transport, ticket: Ticket, *values: Any) -> Any:
        await act(ticket)
        return await send(self, ticket, *values)

    monkeypatch.setattr(Transport, "send", sent)


def uploaded(place: World) -> int:
    """Return the number of files that the journal has as uploaded."""
    return sum(state is FileState.UPLOADED for state in place.states().values())
