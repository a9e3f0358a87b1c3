"""Problems: their messages are bounded."""

from __future__ import annotations

import dataclasses

from bulkup.model.problems import MESSAGE_LIMIT, Problem, ProblemError, ProblemKind


def test_a_message_is_bounded_whoever_wrote_it() -> None:
    problem = Problem(ProblemKind.FAILED, "x" * 60_000)
    changed = dataclasses.replace(problem, message="y" * 60_000)
    assert len(problem.message) == len(changed.message) == len(str(ProblemError(problem))) == MESSAGE_LIMIT
    assert problem.message.endswith("x…")


def test_an_ordinary_message_is_unchanged() -> None:
    assert Problem(ProblemKind.FAILED, "storage answered 400").message == "storage answered 400"
