"""HTTP requests and answers as plain values, exchanged by providers and transport.

A provider creates an `ApiRequest` and reads an `ApiAnswer`. Transport sends requests and is independent of services. So
adapters are tested with values alone, and neither layer imports the other.
"""

from __future__ import annotations

import codecs
import datetime as dt
import functools
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, NamedTuple, Protocol, TypeVar

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret

T = TypeVar("T")
_AUTHORITY = lazy_pattern(
    r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?=[^:]{1,253}(?::|$))[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?)(?::[0-9]{0,5})?",
    re.IGNORECASE,
)
# The beginning of a web page, which the server of a wrong address may send with any content type.
_PAGE = lazy_pattern(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)<(?:!doctype\s+)?html\b", re.IGNORECASE | re.DOTALL
)
Headers = Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call to a service's API. `path`, encoded and with its query, is appended to the base URL.

    `path` and `body` are not printed, because they may contain a key or password. The body's type is in `headers`.
    `base_url` replaces the service's own, for tokens that another host issues. `signed` returns headers for the Unix
    time at which the request is sent, so that a signature does not grow old in a queue. `urls` is the number of upload
    URLs that the answer may hold; it bounds the answer. With `secret_path` messages name the host alone.
    """

    method: str
    path: str = field(repr=False)
    headers: Headers = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    base_url: str | None = None
    signed: Callable[[float], Headers] | None = None
    urls: int = 1
    secret_path: bool = False


def json_request(method: str, path: str, headers: Headers, value: Any, *, urls: int = 1) -> ApiRequest:
    """Return a request whose body is `value` as JSON."""
    import orjson  # noqa: PLC0415  # it imports json, uuid and datetime, and a sending process makes no API calls

    body = orjson.dumps(value)
    return ApiRequest(method, path, {**headers, "Content-Type": "application/json"}, body, urls=urls)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer of the service's API. Header names are lower case. `sent_at` is the Unix time of the request.

    Leases are counted from `sent_at`, the earliest time from which the service can have counted.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # it may hold signed URLs
    sent_at: float

    def json(self) -> Any:
        """Return the decoded body, with or without a byte order mark. Raises ValueError if it is not JSON."""
        import orjson  # noqa: PLC0415  # the same

        return orjson.loads(self.body.removeprefix(codecs.BOM_UTF8))

    def server_time(self) -> float:
        """Return the service's Unix time from the header `Date`, or `sent_at` if the header is missing or invalid."""
        return http_date(self.headers.get("date", ""), self.sent_at)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return the delay in the header `Retry-After`, given in seconds or as a date (RFC 9110 10.2.3).

    A date is compared with the answer's `Date`, if it has one, so a wrong clock does not matter. The result is None if
    the header is missing or invalid, and never negative.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    then = http_date(value, None)
    return None if then is None else max(0.0, then - http_date(headers.get("date", ""), now))


def http_date(text: str, otherwise: T) -> float | T:
    """Return the Unix time of an HTTP date (RFC 9110 5.6.7), or `otherwise` if it is invalid."""
    moment = _http_date(text)
    return otherwise if moment is None else moment


@functools.lru_cache(maxsize=64)  # all answers within one second have the same date
def _http_date(text: str) -> float | None:
    import email.utils  # noqa: PLC0415  # a sending process seldom reads a date

    try:
        moment = email.utils.parsedate_to_datetime(text)
        # The oldest of the three formats has no time zone; all of them are in UTC.
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def is_web_page(content_type: str, body: bytes) -> bool:
    """Return whether an answer is a web page, by its content type or by its first element."""
    return "text/html" in content_type.lower() or _PAGE.match(body) is not None


def is_authority(text: str) -> bool:
    """Return whether the authority of a URL is a host name or address, with an optional port.

    All URL parsers agree on these. They disagree on other authorities, valid by RFC 3986 or not: `user@host`,
    `name[::1]`, or `s3.example&Signature=...`, whose signature would be printed as part of the host.
    """
    match = _AUTHORITY.fullmatch(text)
    try:
        return match is not None and (match["address"] is None or bool(ipaddress.IPv6Address(match["address"])))
    except ValueError:
        return False


class ApiCall(Protocol):
    """Carries out one API request. Raises `ProblemError` (transient) without a complete answer."""

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Return the answer, whatever its status."""
        ...


class StorageAnswer(NamedTuple):
    """Storage's answer to an upload. Header names are lower case; `body` is cut to the first 64 KiB.

    `early` says that some of the request had not left this machine when the head of the answer arrived.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    early: bool = False

    def __repr__(self) -> str:
        # A body can quote the request with its signature.
        return f"{type(self).__name__}(status={self.status}, headers={self.headers!r})"
