"""A small file passes the modules that docs/architecture.md lists, and no others."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from architecture_page import modules_of_a_small_file, shapes_of_a_small_file
from pipeline_world import world

# They define shapes: their functions are constructors and properties.
DEFINING = ("bulkup.model.", "bulkup.providers.base")


def dotted(path: str) -> str:
    return "bulkup." + path.removesuffix(".py").replace("/", ".")


SHAPES = tuple(getattr(importlib.import_module(dotted(path)), name) for name, path in shapes_of_a_small_file())


def holds_shape(value: Any) -> bool:
    """Return whether a value is a shape of a file, or a collection of shapes."""
    if isinstance(value, SHAPES):
        return True
    return type(value) in (list, tuple) and any(isinstance(part, SHAPES) for part in value)


@contextmanager
def modules_with_shapes() -> Iterator[set[str]]:
    """Collect the modules of bulkup whose functions receive or return a shape, in this thread and in new ones."""
    found: set[str] = set()

    def profile(frame: FrameType, event: str, result: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("bulkup."):
            return
        values = frame.f_locals.values() if event == "call" else [result]
        if event in {"call", "return"} and any(map(holds_shape, values)):
            found.add(module)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def test_a_small_file_passes_only_the_listed_modules(tmp_path: Path) -> None:
    with modules_with_shapes() as passed:  # before any thread is started
        async with world(tmp_path, "local") as place:
            place.write({"a.bin": b"some bytes"})
            summary = await place.run()
    assert summary.exit_code == 0
    listed = set(map(dotted, modules_of_a_small_file()))
    assert {module for module in passed if not module.startswith(DEFINING)} <= listed
    assert {"bulkup.pipeline.scan.walk", "bulkup.pipeline.ready", "bulkup.journal.statements"} <= passed
