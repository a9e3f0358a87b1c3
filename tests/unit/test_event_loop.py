"""The choice of the event loop."""

from __future__ import annotations

import asyncio
import importlib.util

import pytest
import uvloop

from bulkup.helpers import event_loop


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_uvloop_is_used_if_it_is_installed() -> None:
    assert isinstance(event_loop.run(running), uvloop.Loop)


def test_asyncio_is_used_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not isinstance(event_loop.run(running), uvloop.Loop)
