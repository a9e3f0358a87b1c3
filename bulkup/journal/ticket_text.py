"""Converts a ticket to text and back.

The text contains signed URLs in clear. It is stored in the journal's table of live tickets and nowhere else.
"""

from __future__ import annotations

import contextlib
from typing import Any

import orjson

from bulkup.errors import JournalError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.tickets import Ticket


def dump(ticket: Ticket) -> str:
    """Return the ticket as JSON text with its secrets in clear."""
    return orjson.dumps(
        {
            "url": ticket.url.reveal(),
            "method": ticket.method,
            "headers": {name: _dump_value(value) for name, value in ticket.headers.items()},
            "remote": ticket.remote,
            "content_md5": ticket.content_md5,
            "form": [(name, value.reveal()) for name, value in ticket.form] if ticket.form is not None else None,
            "more_urls": [url.reveal() for url in ticket.more_urls],
        }
    ).decode()


def load(text: str, remote_id: str, expires_at: float | None) -> Ticket:
    """Return the ticket from the text of `dump`. Raises `JournalError` for any other text."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return _loaded(orjson.loads(text), remote_id, expires_at)
    # Raised outside the handler, because the decoder's error would be its context and contains the whole text.
    raise JournalError(
        "the journal is damaged: a ticket in it cannot be read",
        hint="restore it from a backup; or move it away, and every file is uploaded again",
    )


def without_secrets(ticket: Ticket) -> Ticket:
    """Return the part of a used ticket that the closing call needs: its id and the service's answer."""
    return Ticket(SecretUrl(""), ticket.remote_id, ticket.expires_at, remote=ticket.remote)


def _loaded(value: Any, remote_id: str, expires_at: float | None) -> Ticket:
    form = value.get("form")  # journals of earlier versions have no forms and no parts
    return Ticket(
        url=SecretUrl(_text(value["url"])),
        remote_id=remote_id,
        expires_at=expires_at,
        method=_text(value["method"]),
        headers={name: _load_value(kept) for name, kept in value["headers"].items()},
        remote=dict(value["remote"].items()),
        content_md5=bool(value["content_md5"]),
        form=tuple((_text(name), Secret(_text(kept))) for name, kept in form) if form is not None else None,
        more_urls=tuple(SecretUrl(_text(url)) for url in value.get("more_urls", ())),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _dump_value(value: str | Secret) -> Any:
    return {"secret": value.reveal()} if isinstance(value, Secret) else value


def _load_value(kept: Any) -> str | Secret:
    return Secret(_text(kept["secret"])) if isinstance(kept, dict) else _text(kept)
