"""Reading API answers: what a status means, JSON of the right shape, presigned URLs that may be used, and their leases.

Everything an adapter takes from a service goes through here, so that a malformed or hostile answer becomes a `Problem`
with a clear message, and never a shifted assignment or a request to somewhere else.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import ApiAnswer, is_authority, retry_after_seconds
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket

# What a call that was answered with an error can have left behind: nothing, as far as these statuses tell.
_STATUSES = {
    401: ProblemKind.UNAUTHORIZED,
    402: ProblemKind.UNUSABLE,
    403: ProblemKind.UNUSABLE,
    404: ProblemKind.UNUSABLE,
    400: ProblemKind.REJECTED,
    408: ProblemKind.TRANSIENT,
    413: ProblemKind.REJECTED,
    422: ProblemKind.REJECTED,
    425: ProblemKind.TRANSIENT,
    429: ProblemKind.THROTTLED,
    501: ProblemKind.UNUSABLE,
}
# A service that is being restarted, or is too busy: no fault of what was asked, whatever the body says.
_AWAY = frozenset({502, 503, 504})
_HINTS = {
    402: "the account has to be paid for, or its plan changed",
    403: "the account's plan or rights do not allow this",
    404: "is base_url the root of this service?",
    501: "is base_url the root of this service?",
}
_MESSAGE_LIMIT = 256
_LONGEST_TEXT = 8192  # characters; real URLs and tokens have less than half of it, and servers take no longer ones
_NOT_JSON: Any = object()
_LEASE = re.compile(r"[?&](?P<relative>X-Amz-)?Expires=(?P<number>[0-9]{1,12})(?:&|$)")
_V4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
_SIGNED_V4 = re.compile(rf"[?&]{_V4}(?:&|$)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ORIGIN = re.compile(r"[^/?#]*(?://[^/?#]*)?")
# What may stand in a URL, and some more that does no harm there.
_SAFE_IN_URL = bytes(set(range(0x21, 0x7F)) - set(b'<>"{}|\\^`'))


def malformed(service: str, what: str) -> ProblemError:
    """Return the error for an answer of the wrong shape; ids may have been created behind it."""
    return ProblemError(Problem(ProblemKind.TRANSIENT, f"{service} answered {what}", maybe_created=True))


def raise_for_status(
    answer: ApiAnswer, service: str, said: str, *, kind: ProblemKind | None = None, hint: str | None = None
) -> None:
    """Raise `ProblemError` unless the status is 200 or 201.

    `said` is the service's own message, may be empty. `kind` and `hint` are for a service whose answer says more than
    its status does.
    """
    status = answer.status
    if status in (200, 201):
        return
    if hint is None and kind is None:
        hint = _HINTS.get(status, "a redirect: is base_url right?" if 300 <= status < 400 else "")
    if status in _AWAY:
        kind = ProblemKind.UNREACHABLE
    kind = kind or _STATUSES.get(status, ProblemKind.TRANSIENT if status >= 500 else ProblemKind.UNUSABLE)
    text = f"{service} answered {status}" + (f": {said[:_MESSAGE_LIMIT]}" if said else "")
    wait = retry_after_seconds(answer.headers, answer.sent_at)
    # A gateway's 5xx may stand before a service that did its work.
    maybe_created = kind in (ProblemKind.TRANSIENT, ProblemKind.UNREACHABLE) and status != 503
    raise ProblemError(Problem(kind, text + (f" ({hint})" if hint else ""), wait, maybe_created))


def json_object(answer: ApiAnswer, service: str) -> dict[str, Any]:
    """Return the body as a JSON object. Raises `ProblemError` for anything else."""
    value = _NOT_JSON
    with contextlib.suppress(ValueError):  # an error raised in a handler would hold the whole body as its context
        value = answer.json()
    if value is _NOT_JSON:
        kind = answer.headers.get("content-type", "no content type").split(";")[0][:64]
        raise malformed(service, f"{kind}, not JSON; is base_url the root of this service?")
    if not isinstance(value, dict):
        raise malformed(service, "JSON that is not an object")
    return value


def message_of(answer: ApiAnswer) -> str:
    """Return the `message` of an error body of the form {"message": "..."}; empty where there is none."""
    try:
        value = answer.json()
    except ValueError:
        return ""
    said = value.get("message") if isinstance(value, dict) else None
    return said if isinstance(said, str) else ""


def text_of(item: object, key: str, service: str) -> str:
    """Return a text of a JSON object that must be there, not be empty and not be endless. Raises `ProblemError`."""
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, str) or not value:
        raise malformed(service, f"an item without {key!r}")
    if len(value) > _LONGEST_TEXT:
        raise malformed(service, f"an item whose {key!r} has {len(value)} characters")
    return value


def upload_url(value: str, base_url: str, service: str) -> SecretUrl:
    """Return a presigned URL that is safe to send to.

    Refused: another scheme than http or https, http where the API itself is https, a user part, a host that is neither
    name nor address, characters that could break a request line.
    """
    if len(value) > _LONGEST_TEXT:
        raise malformed(service, f"an upload URL of {len(value)} characters")
    if not _all_safe(value):
        raise malformed(service, "an upload URL with characters that a URL must not have")
    origin = _ORIGIN.match(value)
    assert origin is not None  # it may be empty
    fault = _fault_of_origin(origin[0], base_url.startswith("https:"))
    if fault is not None:
        raise malformed(service, f"an upload URL {fault}")
    return SecretUrl(value)


def _all_safe(url: str) -> bool:
    return url.isascii() and not url.encode().translate(None, _SAFE_IN_URL)


@functools.lru_cache(maxsize=256)  # a service's URLs lead to a handful of hosts
def _fault_of_origin(origin: str, over_tls: bool) -> str | None:
    """Return what is wrong with the part of a URL before its path, None where nothing is. No secret is in it."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return "that is not one"
    if port == 0:
        return "that is not one"
    if not is_authority(parts.netloc):
        return "with parts that a URL must not have"
    if parts.scheme not in ("http", "https"):
        return f"for the scheme {parts.scheme[:16]!r}"
    return "over plain http, although its API is https" if over_tls and parts.scheme == "http" else None


def distinct(tickets: Sequence[Ticket], service: str) -> None:
    """Raise `ProblemError` when two files were given the same id or URL: one would overwrite the other."""
    if len({t.remote_id for t in tickets}) < len(tickets) or len({t.url for t in tickets}) < len(tickets):
        raise malformed(service, "the same id or URL for two files")


def distinct_urls(urls: Sequence[SecretUrl], service: str) -> None:
    """Raise `ProblemError` when two parts of a file were given the same URL."""
    if len(set(urls)) < len(urls):
        raise malformed(service, "the same URL for two parts")


def remote_id_of(item: object, key: str, service: str) -> str:
    """Return an id that may be put into the path of a later call. Raises `ProblemError`."""
    value = text_of(item, key, service)
    if not _ID.fullmatch(value):
        raise malformed(service, f"a {key} that is none")
    return value


def lease_from(expires_at: float, answer: ApiAnswer) -> float:
    """Return when a lease ends by our clock, given its end by the service's.

    What counts is the time left by the service's own clock (its header Date), counted from when we asked: a clock that
    is off by hours does no harm.
    """
    return answer.sent_at + (expires_at - answer.server_time())


def lease_of_url(url: SecretUrl, answer: ApiAnswer) -> float | None:
    """Return when a presigned URL runs out by our clock, None where it does not tell.

    Signature v4: `X-Amz-Expires` seconds, relative and so preferred. Version 2: `Expires`, Unix time
    (docs/contracts.md section 5).
    """
    text = url.reveal()
    # The pattern is slow on what is before, and most of a URL is.
    at = text.find("Expires=")
    found = _LEASE.search(text, max(0, at - len("?X-Amz-"))) if at >= 0 else None
    if found is None:
        return None
    number = float(found["number"])
    return answer.sent_at + number if found["relative"] else lease_from(number, answer)


def takes_content_md5(url: SecretUrl) -> bool:
    """Say whether a Content-MD5 may be added to this URL: a v4 signature covers only the headers that it names."""
    text = url.reveal()
    at = text.find(_V4)
    return at > 0 and _SIGNED_V4.search(text, at - 1) is not None


@functools.lru_cache(maxsize=256)  # all items of an answer tell the same time
def unix_time(text: str) -> float | None:
    """Return the Unix time of an RFC 3339 text with or without fractions of a second, None when it is not one."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None
