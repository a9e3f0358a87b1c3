"""The exit code of a run."""

from __future__ import annotations

from typing import Any

import pytest
from counters_world import counters
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ExitCode
from bulkup.model.counters import Counters
from bulkup.reports.exit_code import PRECEDENCE, exit_code, exit_code_text

REASONS = st.sets(st.sampled_from([2, 4, 5, 6, 7, 129, 130, 143]))


@given(counters(), REASONS, st.booleans())
def test_the_first_code_in_the_precedence_is_used(figures: Any, reasons: set[int], lost: bool) -> None:
    code = exit_code(figures, reasons=reasons, lost_source=lost)
    left_out = figures.changed or figures.unreadable or figures.rejected or figures.remaining or lost
    rank = [2, 5, 130, 143, 129, 7, 4, 6, 1, 3, 0]
    holds = reasons | ({1} if figures.failed else set()) | ({3} if left_out else set()) | {0}
    assert code == min(holds, key=rank.index)
    assert type(code) is int


@given(counters(), REASONS, st.sampled_from([2, 4, 5, 6, 7, 129, 130, 143]))
def test_another_reason_never_lowers_the_precedence(figures: Any, reasons: set[int], more: int) -> None:
    rank = list(map(int, PRECEDENCE)).index
    assert rank(exit_code(figures, reasons=reasons | {more})) <= rank(exit_code(figures, reasons=reasons))


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ({}, 0),
        ({"found": 2, "uploaded": 1, "skipped": 1}, 0),
        ({"found": 1, "failed": 1}, 1),
        ({"found": 2, "failed": 1, "changed": 1}, 1),
        ({"found": 1, "rejected": 1}, 3),
        ({"found": 1, "changed": 1}, 3),
        ({"found": 1, "unreadable": 1}, 3),
        ({"found": 1}, 3),
    ],
)
def test_the_exit_codes_of_files(figures: Any, code: int) -> None:
    assert exit_code(Counters(**figures)) == code


def test_a_lost_mount_is_incomplete_and_an_unknown_reason_an_error() -> None:
    assert exit_code(Counters(), lost_source=True) == ExitCode.INCOMPLETE
    with pytest.raises(ValueError, match="99"):
        exit_code(Counters(), reasons=[99])


def test_every_code_has_a_text() -> None:
    assert all(not exit_code_text(code).startswith("exit code") for code in PRECEDENCE)
    assert exit_code_text(99) == "exit code 99"
