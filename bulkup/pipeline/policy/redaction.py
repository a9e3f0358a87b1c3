"""Takes secrets out of messages that come from a service or from storage."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Iterator
from html import escape
from urllib.parse import parse_qsl, quote, urlsplit

from bulkup.helpers.secrets import MASK, Secret
from bulkup.model.problems import Problem
from bulkup.model.tickets import Ticket
from bulkup.providers import Provider

# As much of a secret's beginning, in characters, is enough to take the rest for the secret.
_RECOGNISED = 8


# A question mark with something behind it, whatever that is: a value need not follow a name, and escapes hide the "=".
_QUERY = re.compile(r"(\?|%3f|\\u003f)[^\s<>\"')]+", re.IGNORECASE)


# Of what a ticket holds: shorter values prove nothing, and these stand in many messages.
_SHORTEST_PROOF = 16


_NO_PROOF = re.compile(r"key|name|filename|acl|.*(expires|date|algorithm|signedheaders)", re.IGNORECASE)


def redact(problem: Problem, provider: Provider, ticket: Ticket | None = None) -> Problem:
    """Return the problem without secrets: what the other side says may quote the key or the ticket that we sent."""
    text = _QUERY.sub(rf"\1{MASK}", problem.message)
    for secret in (*provider.secrets, *(_secrets_of(ticket) if ticket is not None else ())):
        for written in _ways_to_write(secret.reveal()) - {""}:
            text = _masked(text, written)
    return dataclasses.replace(problem, message=text)


def _secrets_of(ticket: Ticket) -> Iterator[Secret]:
    """Yield what proves that a request may be made: values of the URL's query, and of the form's fields."""
    pairs = [pair for url in (ticket.url, *ticket.more_urls) for pair in parse_qsl(urlsplit(url.reveal()).query)]
    pairs += [(name, value.reveal()) for name, value in ticket.form or ()]
    for name, value in pairs:
        if len(value) >= _SHORTEST_PROOF and not _NO_PROOF.fullmatch(name):
            yield Secret(value)


def _ways_to_write(secret: str) -> set[str]:
    quoted = json.dumps(secret, ensure_ascii=False)[1:-1]
    percent = {quote(secret), quote(secret, safe="")}
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in percent}
    data = secret.encode("utf-8", "surrogateescape")
    base64s = {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}
    return {secret, quoted, escape(secret), escape(secret, quote=False), repr(secret)[1:-1]} | percent | lower | base64s


def _masked(text: str, secret: str) -> str:
    """Take a secret out of a text, also where the text was cut in the middle of it."""
    start = secret[:_RECOGNISED]
    at = text.find(start)
    while at >= 0:
        text = text[:at] + MASK + text[at + _common_length(text[at:], secret) :]
        at = text.find(start, at + len(MASK))
    return text


def _common_length(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (left, right) in pairs if left != right), min(len(one), len(other)))
