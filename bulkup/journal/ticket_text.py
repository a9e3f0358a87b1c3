"""A ticket as text and back: the one place, besides the wire, where a signed URL leaves its type.

The text goes to the journal's table of live tickets and nowhere else.
"""

from __future__ import annotations

import contextlib
from typing import Any

import orjson

from bulkup.errors import JournalError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.tickets import Ticket


def dump(ticket: Ticket) -> str:
    """Return the ticket as JSON text, secrets in clear."""
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
    """Return the ticket that `dump` wrote. Raises `JournalError` for a text that it did not write."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return _loaded(orjson.loads(text), remote_id, expires_at)
    # Outside the handler: the decoder's error holds the whole text, and so the signature.
    raise JournalError(
        "the journal is damaged: a ticket in it cannot be read",
        hint="restore it from a backup; or move it away, and every file goes up again",
    )


def without_secrets(ticket: Ticket) -> Ticket:
    """Return what a closing call needs of a ticket that was used: which id it is, and what the service said of it."""
    return Ticket(SecretUrl(""), ticket.remote_id, ticket.expires_at, remote=ticket.remote)


def _loaded(value: Any, remote_id: str, expires_at: float | None) -> Ticket:
    form = value.get("form")  # journals of earlier versions have neither forms nor parts
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
