"""A ticket as text and back: the one place, besides the wire, where a signed URL leaves its type.

The text goes to the journal's table of live tickets and nowhere else.
"""

from __future__ import annotations

from typing import Any

import orjson

from bulkup.messages import Ticket
from bulkup.secrets import Secret, SecretUrl


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
    """Return the ticket that `dump` wrote."""
    value = orjson.loads(text)
    form = value.get("form")  # journals of earlier versions have neither forms nor parts
    return Ticket(
        url=SecretUrl(value["url"]),
        remote_id=remote_id,
        expires_at=expires_at,
        method=value["method"],
        headers={name: _load_value(kept) for name, kept in value["headers"].items()},
        remote=value["remote"],
        content_md5=value["content_md5"],
        form=tuple((name, Secret(kept)) for name, kept in form) if form is not None else None,
        more_urls=tuple(SecretUrl(url) for url in value.get("more_urls", ())),
    )


def without_secrets(ticket: Ticket) -> Ticket:
    """Return what a closing call needs of a ticket that was used: which id it is, and what the service said of it."""
    return Ticket(SecretUrl(""), ticket.remote_id, ticket.expires_at, remote=ticket.remote)


def _dump_value(value: str | Secret) -> Any:
    return {"secret": value.reveal()} if isinstance(value, Secret) else value


def _load_value(kept: Any) -> str | Secret:
    return Secret(kept["secret"]) if isinstance(kept, dict) else str(kept)
