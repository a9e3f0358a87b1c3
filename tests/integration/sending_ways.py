"""The ways on which a file reaches storage: path, sender, and number of processes.

Tests of faults and interruptions run on several of them. All eight are run by `make test-all`. In the other runs a test
has two or four, chosen so that each pair of values meets, as the ways of `FOUR` do.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from bulkup.pipeline.files.opening import READING

STRAIGHT, GENERAL = "straight", "general"


class Way(NamedTuple):
    """One of the ways. Files on the straight path are read without an `await`; those on the general one are larger."""

    path: str
    sender: str
    processes: int

    @property
    def least(self) -> int:
        """Return the smallest size of a file that takes the path, in bytes."""
        return 0 if self.path == STRAIGHT else READING.cached + 1

    @property
    def size(self) -> int:
        """Return the size of a small file that takes the path, in bytes."""
        return self.least + 500

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings of a run on this way."""
        return {"sender": self.sender, "processes": self.processes}

    @property
    def options(self) -> list[str]:
        """Return the options of a command on this way."""
        return ["--sender", self.sender, "--processes", str(self.processes)]

    def __str__(self) -> str:
        return f"{self.path}-{self.sender}-{self.processes}"


EVERY = tuple(Way(*way) for way in itertools.product((STRAIGHT, GENERAL), ("lean", "aiohttp"), (1, 2)))
FOUR = (
    Way(STRAIGHT, "lean", 1),
    Way(STRAIGHT, "aiohttp", 2),
    Way(GENERAL, "lean", 2),
    Way(GENERAL, "aiohttp", 1),
)
_OPPOSITE = {STRAIGHT: GENERAL, GENERAL: STRAIGHT, "lean": "aiohttp", "aiohttp": "lean"}


def every(fast: Sequence[Way] = FOUR) -> list[Any]:
    """Return all ways as parameters. Those besides the fast ones are slow."""
    return [_param(way, fast=way in fast) for way in EVERY]


def two_of(values: Sequence[str]) -> list[Any]:
    """Return each value with all ways as parameters. For each value two opposite ways are not slow.

    Four values have all ways that are not slow among them.
    """
    found = []
    for number, value in enumerate(values):
        one = EVERY[number % 4]
        found += [_param(way, value, fast=way in (one, opposite(one))) for way in EVERY]
    return found


def opposite(way: Way) -> Way:
    """Return the way that shares no value with this one."""
    return Way(_OPPOSITE[way.path], _OPPOSITE[way.sender], 3 - way.processes)


def _param(way: Way, *before: str, fast: bool) -> Any:
    marks = [] if fast else [pytest.mark.slow]
    return pytest.param(*before, way, id="-".join([*before, str(way)]), marks=marks)
