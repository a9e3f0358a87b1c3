"""Fixtures of the embedded server's tests: a server on an empty store, its clock, and an HTTP client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from bulkup.localserver import LocalServer, ServerConfig
from localserver.world import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncGenerator[LocalServer, None]:
    async with LocalServer(ServerConfig(store=str(tmp_path)), clock) as running:
        yield running


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with aiohttp.ClientSession() as session:
        yield session
