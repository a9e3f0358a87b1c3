"""Parses and validates API answers: statuses, JSON, presigned URLs and their leases.

Adapters read a service's answers only with these functions. A malformed or hostile answer becomes a `Problem` with a
clear message. It never assigns a URL to the wrong file, or sends a request to another host.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import SecretUrl
from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiAnswer, http_date, is_authority, retry_after_seconds
from bulkup.model.object_names import share_a_part
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.model.url_ends import UrlEnd, end_of_url

# The meaning of a status that the service itself does not explain.
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
# The service is restarting or too busy. The request is not at fault, even if the body says so.
_UNAVAILABLE = frozenset({502, 503, 504})
_HINTS = {
    402: "the account needs a payment or another plan",
    403: "the account's plan or permissions do not allow this",
    404: "is base_url the root of this service?",
    405: "is base_url the root of this service?",
    501: "is base_url the root of this service?",
}
MESSAGE_LIMIT = 256  # characters of a service's own message
MAX_TEXT = 8192  # characters; real URLs and tokens have less than half, and servers accept no longer ones
_MAX_TIME = 64  # characters
_NOT_JSON: Any = object()
_V4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
_SIGNED_V4 = lazy_pattern(rf"[?&]{_V4}(?:&|$)")
_ID = lazy_pattern(r"[A-Za-z0-9_-]{1,128}")
_REQUEST_ID = lazy_pattern(r"[A-Za-z0-9._:/+=-]{1,128}")
_ORIGIN = lazy_pattern(r"[^/?#]*(?://[^/?#]*)?")
# The characters of a URL, and some more that are harmless in one.
_SAFE_IN_URL = bytes(set(range(0x21, 0x7F)) - set(b'<>"{}|\\^`'))


def malformed(service: str, what: str) -> ProblemError:
    """Return the error for a malformed answer. The service may have created ids nevertheless."""
    return ProblemError(Problem(ProblemKind.TRANSIENT, f"{service} answered {what}", maybe_created=True))


def raise_for_status(
    answer: ApiAnswer, service: str, message: str, *, kind: ProblemKind | None = None, hint: str | None = None
) -> None:
    """Raise `ProblemError` unless the status is 200 or 201.

    `message` is the service's own, and may be empty. `kind` and `hint` override those of the status, for a service
    whose answer is more specific.
    """
    status = answer.status
    if status in (200, 201):
        return
    if hint is None and kind is None:
        hint = _HINTS.get(status, "a redirect: is base_url right?" if 300 <= status < 400 else "")
    if status in _UNAVAILABLE:
        kind = ProblemKind.UNREACHABLE
    kind = kind or _STATUSES.get(status, ProblemKind.TRANSIENT if status >= 500 else ProblemKind.UNUSABLE)
    text = f"{service} answered {status}" + (f": {shortened(message, MESSAGE_LIMIT)}" if message else "")
    wait = retry_after_seconds(answer.headers, answer.sent_at)
    # After a gateway's 5xx the service may still have done its work.
    maybe_created = kind in (ProblemKind.TRANSIENT, ProblemKind.UNREACHABLE) and status != 503
    raise ProblemError(Problem(kind, text + (f" ({hint})" if hint else "") + _request_id(answer), wait, maybe_created))


def _request_id(answer: ApiAnswer) -> str:
    """Return the id that a service's support asks for. Its quotes mark it as a detail (`common_refusals.alike`)."""
    found = _REQUEST_ID.fullmatch(answer.headers.get("x-request-id", ""))
    return f' [X-Request-Id "{found[0]}"]' if found is not None else ""


def json_object(answer: ApiAnswer, service: str) -> dict[str, Any]:
    """Return the body as a JSON object. Raises `ProblemError` for anything else."""
    value = json_document(answer, service)
    if not isinstance(value, dict):
        raise malformed(service, "JSON that is not an object")
    return value


def json_document(answer: ApiAnswer, service: str) -> Any:
    """Return the body as a value of JSON. Raises `ProblemError` for anything else."""
    value = _NOT_JSON
    with contextlib.suppress(ValueError):  # an error raised in an except block would hold the whole body as its context
        value = answer.json()
    if value is _NOT_JSON:
        kind = answer.headers.get("content-type", "no content type").split(";")[0][:64]
        raise malformed(service, f"{kind}, not JSON; is base_url the root of this service?")
    return value


def error_message(answer: ApiAnswer) -> str:
    """Return the message of an error body {"message": "..."}, empty if there is none."""
    try:
        value = answer.json()
    except ValueError:
        return ""
    message = value.get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else ""


def text_field(item: object, key: str, service: str) -> str:
    """Return a required text of a JSON object. Raises `ProblemError` if it is missing, empty or too long."""
    value = item.get(key) if isinstance(item, dict) else None
    if type(value) is str and 0 < len(value) <= MAX_TEXT:  # nearly always
        return value
    if not isinstance(value, str) or not value:
        raise malformed(service, f"an item without {key!r}")
    if len(value) > MAX_TEXT:
        raise malformed(service, f"an item whose {key!r} has {len(value)} characters")
    return value


def upload_url(value: str, base_url: str, service: str, what: str = "an upload URL") -> SecretUrl:
    """Return a presigned URL that is safe to use. Raises `ProblemError`.

    Refused are schemes other than http and https, http if the API uses https, a user part, an invalid host, and
    characters that could break a request line. `what` names the URL in messages.
    """
    if len(value) > MAX_TEXT:
        raise malformed(service, f"{what} of {len(value)} characters")
    if not has_only_safe_characters(value):
        raise malformed(service, f"{what} with characters that a URL must not have")
    fault = _fault_of_origin(_origin(value), base_url.startswith("https:"))
    if fault is not None:
        raise malformed(service, f"{what} {fault}")
    return SecretUrl(value)


def _origin(url: str) -> str:
    """Return the part of a URL before its path, query or fragment."""
    path = url.find("/", url.find("://") + 3)
    if path > 3:
        url = url[:path]  # the rest need not be read
    origin = _ORIGIN.match(url)
    assert origin is not None  # it may be empty
    return origin[0]


def has_only_safe_characters(url: str) -> bool:
    """Return whether a URL has only characters that are harmless in a request."""
    return url.isascii() and not url.encode().translate(None, _SAFE_IN_URL)


@functools.lru_cache(maxsize=256)  # a service's URLs have a handful of hosts
def _fault_of_origin(origin: str, over_tls: bool) -> str | None:
    """Return the fault in the part of a URL before its path, or None. The text holds no secret."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return "that is not valid"
    if port == 0:
        return "that is not valid"
    if not is_authority(parts.netloc):
        return "with parts that a URL must not have"
    if parts.scheme not in ("http", "https"):
        return f"for the scheme {parts.scheme[:16]!r}"
    return "over plain http, although its API is https" if over_tls and parts.scheme == "http" else None


def check_distinct_tickets(tickets: Sequence[Ticket], service: str) -> None:
    """Raise `ProblemError` if two files have the same id or URL: one would overwrite the other.

    The pipeline compares the objects of all calls (`policy.issued_tickets`).
    """
    if len({t.remote_id for t in tickets}) < len(tickets) or len({t.url for t in tickets}) < len(tickets):
        raise malformed(service, "the same id or URL for two files")


def check_distinct_urls(urls: Sequence[SecretUrl], service: str) -> None:
    """Raise `ProblemError` if two parts of a file have the same URL."""
    if share_a_part(urls):
        raise malformed(service, "the same URL for two parts")


def remote_id_field(item: object, key: str, service: str) -> str:
    """Return an id that is safe in the path of a later call. Raises `ProblemError`."""
    value = text_field(item, key, service)
    if not _ID.fullmatch(value):
        raise malformed(service, f"an invalid {key}")
    return value


def lease_from(expires_at: float, answer: ApiAnswer) -> float:
    """Return the end of a lease by the local clock, given its end by the service's clock.

    The time left is computed by the service's clock (its Date header), and counted from the time of the request. So a
    local clock that is hours off does no harm.

    A lease that is over by the answer's own Date counts by the local clock instead: the two times in the answer are of
    different clocks, and the URL may still be good.
    """
    return _local_end(expires_at, answer.sent_at, answer.headers.get("date", ""))


def lease_of_url(url: SecretUrl, answer: ApiAnswer) -> float | None:
    """Return when a presigned URL expires by the local clock, None if it does not state that.

    Its lifetime counts from the request. A URL that was signed earlier, as by a service that keeps its answers, ends
    earlier: hence the smaller of both times (docs/contracts.md section 5).
    """
    return _lease_of_end(end_of_url(url), answer.sent_at, answer.headers.get("date", ""))


@functools.lru_cache(maxsize=256)  # all URLs of an answer have the same end
def _lease_of_end(end: UrlEnd, sent_at: float, date: str) -> float | None:
    by_lifetime = None if end.lifetime is None else sent_at + end.lifetime
    by_end = None if end.at is None else _local_end(end.at, sent_at, date)
    if by_lifetime is None or by_end is None:
        return by_lifetime if by_end is None else by_end
    return min(by_lifetime, by_end)


@functools.lru_cache(maxsize=256)  # the same
def _local_end(expires_at: float, sent_at: float, date: str) -> float:
    left = expires_at - http_date(date, sent_at)
    return sent_at + left if left > 0 else expires_at


def takes_content_md5(url: SecretUrl) -> bool:
    """Return whether a request to this URL may have a Content-MD5. A v4 signature covers only the headers it names."""
    text = url.reveal()
    at = text.find(_V4, max(0, text.find("?")))
    if at > 0 and text[at - 1] in "?&" and text.startswith("&", at + len(_V4)):
        return True  # the usual URL
    return at > 0 and _SIGNED_V4.search(text, at - 1) is not None


@functools.lru_cache(maxsize=256)  # all items of an answer have the same time
def unix_time(text: str) -> float | None:
    """Return the Unix time of an RFC 3339 text, with or without fractions of a second. None if it is invalid.

    `t` and `z` may be in lower case (RFC 3339 5.6).
    """
    if len(text) > _MAX_TIME:
        return None
    try:
        moment = dt.datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None
