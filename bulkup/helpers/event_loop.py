"""The event loop of a process of ours: uvloop where it is installed (`bulkup[speed]`), asyncio's own otherwise.

A library's user runs whatever loop he likes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import anyio

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


def run(function: Callable[[*Arguments], Awaitable[T]], *arguments: *Arguments) -> T:
    """Run an async function to its end and return what it returns."""
    options = {"use_uvloop": importlib.util.find_spec("uvloop") is not None}
    return anyio.run(function, *arguments, backend_options=options)
