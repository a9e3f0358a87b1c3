"""Converts a ticket to text and back.

The text contains signed URLs in clear. It is stored in the journal's table of live tickets and nowhere else. Its last
key is a checksum over the ticket's row, so that a flipped bit is noticed before a request goes to a wrong URL. Earlier
versions wrote no checksum, and ignore it.
"""

from __future__ import annotations

import contextlib
import zlib
from typing import Any

import orjson

from bulkup.errors import JournalError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import DIGEST_BYTES
from bulkup.model.tickets import ChecksumHeader, PartPlan, Ticket

_CHECKSUM = ',"checksum":'
_FURTHER_KEYS = ("checksum_headers", "success", "proof", "parts")  # only of tickets that have them
_KEYS = frozenset({"url", "method", "headers", "remote", "content_md5", "form", "more_urls", *_FURTHER_KEYS})
_RESTORE = "restore it from a backup; or move it away, and every file is uploaded again"


class DamagedTicketError(JournalError):
    """A ticket in the journal differs from the one written. The message has nothing of its text."""

    def __init__(self) -> None:
        super().__init__("the journal is damaged: a ticket in it cannot be read", hint=_RESTORE)


def dump(ticket: Ticket) -> str:
    """Return the ticket as JSON text with its secrets in clear."""
    text = orjson.dumps(ticket_value(ticket))
    return f"{text[:-1].decode()}{_CHECKSUM}{_checksum(text, ticket.remote_id, ticket.expires_at)}}}"


def ticket_value(ticket: Ticket) -> dict[str, Any]:
    """Return the ticket as a JSON value with its secrets in clear, without its id and the end of its lease."""
    value = {
        "url": ticket.url.reveal(),
        "method": ticket.method,
        "headers": {name: _dump_value(value) for name, value in ticket.headers.items()},
        "remote": ticket.remote,
        "content_md5": ticket.content_md5,
        "form": [(name, value.reveal()) for name, value in ticket.form] if ticket.form is not None else None,
        "more_urls": [url.reveal() for url in ticket.more_urls],
    }
    if ticket.parts is not None:
        value["parts"] = (ticket.parts.size, ticket.parts.count, ticket.parts.object_id)
    if ticket.checksum_headers or ticket.success:
        value |= {"checksum_headers": [tuple(one) for one in ticket.checksum_headers], "success": ticket.success}
    if ticket.proof:
        value["proof"] = ticket.proof
    return value


def load(text: str | bytes, remote_id: str | bytes, expires_at: float | None) -> Ticket:
    """Return the ticket from the text of `dump`. Raises `DamagedTicketError` for any other text."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        as_bytes = text if isinstance(text, bytes) else text.encode()
        id_text = remote_id if isinstance(remote_id, str) else remote_id.decode()
        return ticket_from(_checked(as_bytes, id_text, expires_at), id_text, expires_at)
    # Raised outside the handler, because the decoder's error would be its context and contains the whole text.
    raise DamagedTicketError


def ticket_from(value: Any, remote_id: str, expires_at: float | None) -> Ticket:
    """Return the ticket from the value of `ticket_value`. Raises ValueError, KeyError, TypeError, AttributeError."""
    parts = value.get("parts")
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
        checksum_headers=tuple(_load_checksum_header(*header) for header in value.get("checksum_headers", ())),
        success=tuple(int(status) for status in value.get("success", ())),
        proof=_text(value.get("proof", "")),
        parts=None if parts is None else _plan(*parts),
    )


def without_secrets(ticket: Ticket) -> Ticket:
    """Return the part of a used ticket that the closing call needs: id, answer, and plan of parts."""
    return Ticket(SecretUrl(""), ticket.remote_id, ticket.expires_at, remote=ticket.remote, parts=ticket.parts)


def _plan(size: Any, count: Any, object_id: Any) -> PartPlan:
    if not (isinstance(size, int) and isinstance(count, int) and size > 0 and count > 0):
        raise ValueError
    return PartPlan(size, count, _text(object_id))


def _checked(text: bytes, remote_id: str, expires_at: float | None) -> Any:
    """Return the JSON value of a text whose checksum is right, or which has none. Raises ValueError."""
    value = orjson.loads(text)
    if not value.keys() <= _KEYS:  # written by this version, or damaged
        body, _, checksum = text.rpartition(_CHECKSUM.encode())
        if checksum != b"%d}" % _checksum(body + b"}", remote_id, expires_at):
            raise ValueError
    return value


def _checksum(text: bytes, remote_id: str, expires_at: float | None) -> int:
    end = expires_at if expires_at is None else float(expires_at)  # as SQLite returns it
    return zlib.crc32(text, zlib.crc32(f"{remote_id}\n{end}".encode()))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _load_checksum_header(name: Any, algorithm: Any, encoding: Any) -> ChecksumHeader:
    if algorithm not in DIGEST_BYTES or encoding not in ("base64", "hex"):
        raise ValueError
    return ChecksumHeader(_text(name), algorithm, encoding)


def _dump_value(value: str | Secret) -> Any:
    return {"secret": value.reveal()} if isinstance(value, Secret) else value


def _load_value(kept: Any) -> str | Secret:
    return Secret(_text(kept["secret"])) if isinstance(kept, dict) else _text(kept)
