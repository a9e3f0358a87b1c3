"""Refusals of URLs that have expired, distinguished from others by the URL's own end."""

from __future__ import annotations

import email.utils

import pytest

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.send.expired_urls import judge_by_end

SIGNED = 1767323045.0  # 2026-01-02T03:04:05Z
END = SIGNED + 900
V4 = SecretUrl("https://s.example/b/k?X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-Signature=0")
V2 = SecretUrl(f"https://s.example/b/k?Expires={END:.0f}&Signature=0")
PLAIN = SecretUrl("https://s.example/b/k")
REFUSED = Problem(ProblemKind.REFUSED, "storage answered 403 AccessDenied")
FAR = 1e6  # the local clock is wrong by this


def answer(theirs: float | None = None, status: int = 403) -> StorageAnswer:
    headers = {} if theirs is None else {"date": email.utils.formatdate(theirs, usegmt=True)}
    return StorageAnswer(status, headers, b"")


def expired(
    url: SecretUrl, answered: StorageAnswer, now: float, lasted: float = 0.1, expires_at: float | None = None
) -> bool:
    judged = judge_by_end(REFUSED, answered, Ticket(url, "id", expires_at), now, lasted)
    assert judged.kind in (ProblemKind.REFUSED, ProblemKind.EXPIRED)
    assert (judged.kind is ProblemKind.EXPIRED) == ("expired" in judged.message)
    return judged.kind is ProblemKind.EXPIRED


@pytest.mark.parametrize("url", [V4, V2])
@pytest.mark.parametrize("ours", [END - FAR, END, END + FAR])
def test_the_clock_of_storage_decides(url: SecretUrl, ours: float) -> None:
    """However wrong the local clock is."""
    assert expired(url, answer(END), ours)
    assert not expired(url, answer(END - 1), ours)


def test_without_a_date_the_local_clock_decides() -> None:
    assert expired(V4, answer(), END)
    assert not expired(V4, answer(), END - 1)


def test_a_url_without_an_end_has_that_of_its_ticket() -> None:
    """A form's policy states it, or the service's answer. It is by the local clock."""
    assert expired(PLAIN, answer(0), END, expires_at=END)
    assert not expired(PLAIN, answer(END + FAR), END - 1, expires_at=END)
    assert not expired(PLAIN, answer(END), END)


def test_the_start_of_a_long_request_decides() -> None:
    """Storage looks at the end when the request arrives."""
    assert not expired(V4, answer(END + 3600), END, lasted=3700)
    assert expired(V4, answer(END + 3600), END, lasted=3600)
    assert expired(V4, answer(END + 5), END, lasted=10)


@pytest.mark.parametrize(
    ("kind", "status"), [(ProblemKind.REFUSED, 404), (ProblemKind.FAILED, 403), (ProblemKind.TRANSIENT, 500)]
)
def test_other_problems_stay(kind: ProblemKind, status: int) -> None:
    """A missing bucket, or a wrong signature, is not mended by a new URL."""
    problem = Problem(kind, "storage answered")
    assert judge_by_end(problem, answer(END, status), Ticket(V4, "id"), END, 0.1) is problem


def test_a_form_is_judged_by_its_policy() -> None:
    ticket = Ticket(PLAIN, "id", END, form=(("policy", Secret("p")),))
    assert judge_by_end(REFUSED, answer(), ticket, END, 0.1).kind is ProblemKind.EXPIRED
