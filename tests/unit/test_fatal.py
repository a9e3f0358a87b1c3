"""Errors that end the run: message, hint and exit code."""

from __future__ import annotations

import pytest

from bulkup.errors import ExitCode
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.policy.fatal import fatal, tickets_over


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (ProblemKind.UNREACHABLE, "check base_url, the network, and whether the service is up"),
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


@pytest.mark.parametrize("kind", [ProblemKind.UNREACHABLE, ProblemKind.TRANSIENT, ProblemKind.THROTTLED])
@pytest.mark.parametrize("outage", [None, 900.0])
def test_a_storage_host_is_not_described_as_the_service(kind: ProblemKind, outage: float | None) -> None:
    """Its address is the service's choice, and not a setting."""
    hint = fatal(Problem(kind, "no"), outage, of_storage=True).hint or ""
    assert "storage" in hint
    assert "base_url" not in hint
    assert "the same command resumes this run" in hint


def test_a_service_that_never_answered_over_http_may_expect_https() -> None:
    problem = Problem(ProblemKind.TRANSIENT, "the connection broke")
    assert "does the service expect https://?" in (fatal(problem, plain_http=True).hint or "")
    assert "https" not in (fatal(problem).hint or "")


def test_refused_credentials_are_named_in_the_message() -> None:
    error = fatal(Problem(ProblemKind.UNAUTHORIZED, "401 from the service"))
    assert error.message == "the credentials are refused: 401 from the service"
    assert error.exit_code == ExitCode.SERVICE


@pytest.mark.parametrize(
    ("skew", "cause"),
    [
        (5 * 3600.0, "the service's is 5 hours ahead of this machine's"),
        (-600.0, "the service's is 10 minutes behind this machine's"),
        (2.0, "agrees with this machine's"),
        (None, "the clock of the service, or that of this machine"),
    ],
)
def test_useless_tickets_are_explained_by_the_clocks(skew: float | None, cause: str) -> None:
    error = tickets_over(3 * 86_400.0, skew)
    assert error.exit_code == ExitCode.SERVICE
    assert error.message == "every upload URL has expired when it arrives, 3 days ago"
    assert cause in (error.hint or "")


def test_urls_that_storage_alone_calls_expired_are_described_so() -> None:
    assert tickets_over(None, None).message == "storage calls every new upload URL expired"
