"""The event loop of the command: uvloop if it is installed (`bulkup[speed]`), otherwise asyncio's own.

Users of the library choose their loop themselves.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

import anyio

from bulkup.helpers.descriptors import require_descriptors

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
_DESCRIPTORS = 8  # of a loop without a connection


def run(function: Callable[[*Arguments], Awaitable[T]], *arguments: *Arguments) -> T:
    """Run an async function to its end and return its result. Raises OSError if too few descriptors are left."""
    require_descriptors(_DESCRIPTORS)
    factory = _new_uvloop if importlib.util.find_spec("uvloop") is not None else None
    return anyio.run(function, *arguments, backend_options={"loop_factory": factory})


def _new_uvloop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415  # it may be missing

    class Loop(uvloop.Loop):
        """Looks names up in threads of Python: libuv aborts the process if it cannot start a thread."""

        async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
            look_up = functools.partial(socket.getaddrinfo, host, port, **options)
            return await self.run_in_executor(None, look_up)

    return Loop()
