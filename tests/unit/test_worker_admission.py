"""Versions and clocks of workers."""

from __future__ import annotations

import pytest

from bulkup import UsageError
from bulkup.cluster.worker_admission import check_clock, check_versions, our_versions

OURS = {"bulkup": "1.2.3", "python": "3.11.7", "distributed": "2025.1.0"}


def test_a_worker_of_the_same_versions_is_admitted() -> None:
    check_versions("w", OURS, OURS)
    check_versions("w", {**OURS, "python": "3.11.9"}, OURS)
    check_versions("w", our_versions(), our_versions())


@pytest.mark.parametrize(
    ("name", "version"), [("bulkup", "1.2.4"), ("python", "3.12.7"), ("python", "3.1.1"), ("distributed", "2025.2.0")]
)
def test_another_version_is_named_with_what_to_do(name: str, version: str) -> None:
    with pytest.raises(
        UsageError, match=f"worker w has (?i:{name}) {version}, and this machine has {OURS[name]}"
    ) as it:
        check_versions("w", {**OURS, name: version}, OURS)
    assert OURS[name] in it.value.hint


@pytest.mark.parametrize("theirs", [96.0, 104.9, 109.0])
def test_a_clock_that_agrees_is_accepted(theirs: float) -> None:
    """It was read at some time between the question and the answer."""
    check_clock("w", theirs, 100.0, 105.0, 5.0)


@pytest.mark.parametrize("theirs", [94.9, 110.1])
def test_another_clock_is_refused(theirs: float) -> None:
    with pytest.raises(UsageError, match="the clock of worker w differs"):
        check_clock("w", theirs, 100.0, 105.0, 5.0)
