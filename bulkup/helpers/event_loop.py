"""The event loop of the command: uvloop if it is installed (`bulkup[speed]`), otherwise asyncio's own.

Users of the library choose their loop themselves.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import anyio

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


def run(function: Callable[[*Arguments], Awaitable[T]], *arguments: *Arguments) -> T:
    """Run an async function to its end and return its result."""
    options = {"use_uvloop": importlib.util.find_spec("uvloop") is not None}
    return anyio.run(function, *arguments, backend_options=options)
