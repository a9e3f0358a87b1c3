"""Errors that end the run: message, hint and exit code."""

from __future__ import annotations

import pytest

from bulkup.errors import ExitCode
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.policy.fatal import fatal


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (ProblemKind.UNREACHABLE, "check base_url and the network"),
        (ProblemKind.TRANSIENT, "the service fails repeatedly, or gives unusable answers"),
        (ProblemKind.THROTTLED, "the service accepts no requests for now (see retry_for, retry_after_max)"),
        (ProblemKind.UNAUTHORIZED, "check the credentials; with valid ones"),
        (ProblemKind.UNUSABLE, "fix the cause"),
    ],
)
def test_the_hint_fits_the_problem(kind: ProblemKind, hint: str) -> None:
    """An unusable answer proves that the service was reached, so its hint does not mention the network."""
    text = fatal(Problem(kind, "no")).hint
    assert text is not None
    assert text.startswith(hint)


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_hint_says_how_to_resume(kind: ProblemKind) -> None:
    assert "the same command resumes this run" in (fatal(Problem(kind, "no")).hint or "")


def test_an_outage_is_reported_with_its_length() -> None:
    """Only problems of a host count: an outage causes no machine fault and no refused credentials."""
    errors = {kind: fatal(Problem(kind, "no"), 900.4) for kind in ProblemKind}
    outages = {kind for kind, error in errors.items() if "no other request was answered for 900 s" in error.message}
    assert outages == {ProblemKind.TRANSIENT, ProblemKind.THROTTLED, ProblemKind.UNREACHABLE}
    assert errors[ProblemKind.MACHINE].exit_code == ExitCode.MACHINE


def test_refused_credentials_are_named_in_the_message() -> None:
    error = fatal(Problem(ProblemKind.UNAUTHORIZED, "401 from the service"))
    assert error.message == "the credentials are refused: 401 from the service"
    assert error.exit_code == ExitCode.SERVICE
