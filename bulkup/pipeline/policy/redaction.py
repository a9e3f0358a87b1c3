"""Takes secrets out of messages that come from a service or from storage."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, urlsplit

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import MASK, Secret
from bulkup.model.problems import Problem
from bulkup.model.tickets import Ticket
from bulkup.providers import Provider

# A text that begins like a secret, in this many characters, is taken for it.
_RECOGNISED = 8
# A question mark and the text behind it: a value need not follow a name, and escapes can hide the "=".
_QUERY = lazy_pattern(r"(\?|%3f|\\u003f)[^\s<>\"')]+", re.IGNORECASE)
# Values of a ticket that are no secrets: short ones, and these, which occur in many messages.
_SHORTEST_SECRET = 16
_SHORTEST_IN_HEADERS = 8
_NOT_SECRET = lazy_pattern(r"key|name|filename|acl|.*(expires|date|algorithm|signedheaders)", re.IGNORECASE)


def redact(problem: Problem, provider: Provider, ticket: Ticket | None = None) -> Problem:
    """Return the problem without secrets: a message may quote the credentials or the ticket of the request."""
    secrets = (*provider.secrets, *(secrets_of(ticket) if ticket is not None else ()))
    return dataclasses.replace(problem, message=without_secrets(_QUERY.sub(rf"\1{MASK}", problem.message), secrets))


def without_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text in which secrets are masked, however they are written there."""
    for secret in secrets:
        for written in _ways_to_write(secret.reveal()) - {""}:
            text = _masked(text, written)
    return text


def secrets_of(ticket: Ticket) -> Iterator[Secret]:
    """Yield the values of a ticket that authorize a request: of its headers, of queries, and of the form's fields.

    A value that is also the file's id, or is kept for the manifest, is none.
    """
    closing, shown = ticket.closing, {ticket.remote_id, *_kept(ticket)}
    urls = [ticket.url, *ticket.more_urls, *([closing.url] if closing is not None else [])]
    pairs = [pair for url in urls for pair in parse_qsl(urlsplit(url.reveal()).query)]
    pairs += [(name, value.reveal()) for name, value in ticket.form or ()]
    for name, value in pairs:
        if len(value) >= _SHORTEST_SECRET and not _NOT_SECRET.fullmatch(name) and value not in shown:
            yield Secret(value)
    for headers in (ticket.headers, closing.headers if closing is not None else {}):
        for header in headers.values():
            # `Bearer x` and `Basic x`: a message may quote the part behind the scheme.
            parts = (header.reveal(), header.reveal().rpartition(" ")[2]) if isinstance(header, Secret) else ()
            # A short one, such as a length, occurs in many messages.
            yield from (Secret(part) for part in parts if len(part) >= _SHORTEST_IN_HEADERS and part not in shown)


def _kept(ticket: Ticket) -> Iterator[str]:
    """Yield the values that the manifest shows, apart from those whose names are of secrets."""
    from bulkup.config.template_text import holds_secrets  # noqa: PLC0415  # a run without problems redacts nothing

    for name, value in ticket.remote.items():
        if isinstance(value, str) and not holds_secrets(name):
            yield value


def _ways_to_write(secret: str) -> set[str]:
    """Return the secret in the encodings that a message may use: JSON, percent, HTML, Python and Base64."""
    from html import escape  # noqa: PLC0415  # a run without problems redacts nothing

    quoted = json.dumps(secret, ensure_ascii=False)[1:-1]
    percent = {quote(secret), quote(secret, safe="")}
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in percent}
    data = secret.encode("utf-8", "surrogateescape")
    base64s = {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}
    return {secret, quoted, escape(secret), escape(secret, quote=False), repr(secret)[1:-1]} | percent | lower | base64s


def _masked(text: str, secret: str) -> str:
    """Mask a secret in a text, also where the text ends within the secret."""
    start = secret[:_RECOGNISED]
    at = text.find(start)
    while at >= 0:
        text = text[:at] + MASK + text[at + _common_length(text[at:], secret) :]
        at = text.find(start, at + len(MASK))
    return text


def _common_length(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (left, right) in pairs if left != right), min(len(one), len(other)))
