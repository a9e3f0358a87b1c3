"""The number of cores, from the texts of the system's files."""

from __future__ import annotations

import pytest

from bulkup.pipeline.tuning.cores import Ticks, granted_by, ticks_of

STAT = """cpu  100 0 100 800 0 0 0 0 0 0
cpu0 10 0 10 30 10 1 2 3 50 50
cpu1 1 1 1 1 1 1 1 1
cpu10 5 0 0 5 0 0 0 0 0 0
intr 1 2 3
"""


def test_ticks_of_cores() -> None:
    """Waiting for a disk is idle, time of guests is counted once, and only the given cores count."""
    assert ticks_of(STAT, {0}) == Ticks(40, 66)
    assert ticks_of(STAT, {1, 10}) == Ticks(7, 18)
    assert ticks_of(STAT, {7}) is None
    assert ticks_of("", {0}) is None


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("50000 100000", 0.5), ("", None), ("1 0", None), ("x y", None)],
)
def test_cores_granted_to_a_control_group(text: str, cores: float | None) -> None:
    assert granted_by(text) == cores
