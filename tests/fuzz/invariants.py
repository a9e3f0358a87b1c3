"""Conditions that every result of a parser must meet. The fuzzer reports an AssertionError as a finding."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from yarl import URL

from bulkup.helpers.gitignore import Part
from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import ticket_text
from bulkup.model.problems import Problem
from bulkup.model.tickets import AlreadyThere, Rejection, Ticket

LONGEST_MESSAGE = 2048  # characters, for a terminal, a log line and a row of the journal
LONGEST_REMOTE = 64 << 10  # bytes of JSON, for a row of the journal and a line of the manifest
LARGEST_DOCUMENT = 64 * 1024  # bytes of an answer's body that are read
LARGEST_FORM = 20 * 1024  # bytes, S3's limit (docs/contracts.md section 4)


def holds_of_problem(problem: Problem) -> None:
    """A problem has a short message, and a waiting time that is a valid number."""
    assert 0 < len(problem.message) <= LONGEST_MESSAGE, "a message that is empty or without end"
    problem.message.encode()
    assert problem.retry_after is None or problem.retry_after >= 0, "a wait into the past"


def holds_of_url(url: SecretUrl, base_url: str) -> None:
    """A URL is http or https, and https if the API's URL is. The HTTP client reads the same host in it as bulkup."""
    text = url.reveal()
    parts = urlsplit(text)
    assert not re.search(r"[^\x21-\x7e]", text), "a URL that breaks a request line"
    assert parts.scheme in ("http", "https"), "a URL of another scheme"
    assert parts.scheme == "https" or not base_url.startswith("https:"), "plain http beside an https API"
    assert parts.hostname, "a URL without a host"
    assert parts.username is None, "a URL with a user"
    sent = URL(text, encoded=True)
    assert (sent.raw_host or "").lower() == parts.hostname, f"two hosts: {sent.raw_host!r} and {parts.hostname!r}"
    assert not set(parts.hostname) & set("&=%;,+!*'()"), f"something else in the place of the host: {parts.hostname!r}"
    assert sent.scheme == parts.scheme
    assert sent.port == (parts.port or {"http": 80, "https": 443}[parts.scheme])
    assert (sent.user, sent.password) == (None, None)
    assert str(url).partition("?")[2] in ("", "***"), "a query that prints"


def holds_of_tickets(given: Sequence[object], base_url: str, asked: int) -> None:
    """There is one answer for each file. Tickets differ, and each survives a round trip through the journal."""
    assert len(given) == asked, "another number of tickets than files"
    tickets_ = [ticket for ticket in given if isinstance(ticket, Ticket)]
    assert all(isinstance(one, Ticket | Rejection | AlreadyThere | Problem) for one in given), "another kind of answer"
    assert len({ticket.remote_id for ticket in tickets_}) == len(tickets_), "one id for two files"
    assert len({ticket.url for ticket in tickets_}) == len(tickets_), "one URL for two files"
    for ticket in tickets_:
        _holds_of_ticket(ticket, base_url)
    for problem in given:
        if isinstance(problem, Problem):
            holds_of_problem(problem)


def _holds_of_ticket(ticket: Ticket, base_url: str) -> None:
    for url in (ticket.url, *ticket.more_urls, *([ticket.closing.url] if ticket.closing is not None else [])):
        holds_of_url(url, base_url)
    assert ticket.remote_id, "a ticket without an id"
    assert ticket.method in ("PUT", "POST")
    assert ticket.expires_at is None or math.isfinite(ticket.expires_at), "a lease that ends at no time"
    assert len(orjson.dumps(ticket.remote)) <= LONGEST_REMOTE, "more about one file than a journal should hold"
    size = sum(len(name.encode()) + len(value.reveal().encode()) for name, value in ticket.form or ())
    assert size <= LARGEST_FORM, "a form that storage refuses"
    loaded = ticket_text.load(ticket_text.dump(ticket), ticket.remote_id, ticket.expires_at)
    assert loaded == ticket._replace(closing=None)  # which a later run asks for again


# The parser of regular expressions has no stub, and no public name.
_EXPRESSIONS: Any = importlib.import_module("re._parser")
_KINDS: Any = importlib.import_module("re._constants")
_FIXED = {_KINDS.LITERAL, _KINDS.NOT_LITERAL, _KINDS.IN, _KINDS.ANY}


def holds_of_steps(part: Part) -> None:
    """The steps of a part of a pattern are at most the product of its length and that of a name.

    Its expression is a text of fixed length, then for each star an atomic group that is tried from left to right once,
    at last one star with a text of fixed length. Only that star is tried with several lengths.
    """
    expression = getattr(getattr(part, "__self__", None), "pattern", None)
    if expression is None:
        return  # a comparison with a text
    stars = 0
    for kind, what in _EXPRESSIONS.parse(expression, re.DOTALL):
        if kind is _KINDS.ATOMIC_GROUP:
            (star, *text) = what
            assert star[0] is _KINDS.MIN_REPEAT
            assert _is_fixed(text), "a star within a star"
        elif kind is _KINDS.MAX_REPEAT:
            stars += 1
        else:
            assert _is_fixed([(kind, what)])
    assert stars <= 1, "two stars that are tried with several lengths"


def _is_fixed(parsed: Sequence[Any]) -> bool:
    return all(kind in _FIXED for kind, _ in parsed)
