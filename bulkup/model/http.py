"""HTTP requests and answers as plain values, exchanged by providers and transport.

A provider composes an `ApiRequest` and reads an `ApiAnswer`; it never sees a socket. Transport carries requests out and
knows nothing of services. So every adapter is tested with values alone, and neither layer imports the other.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson

from bulkup.helpers.secrets import Secret

T = TypeVar("T")


_AUTHORITY = re.compile(
    r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?=[^:]{1,253}(?::|$))[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?)(?::[0-9]{0,5})?",
    re.IGNORECASE,
)


Headers = Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call to a service's API. `path` (with its query, encoded) is added to the base URL.

    `body` is sent as it is, and its type is one of the `headers`; it may hold a password, so it does not print.
    `base_url` names another root than the service's own, as a service's token may come from elsewhere. `signed` makes
    headers from the Unix time at which the request goes out: a signature must not grow old in a queue.
    """

    method: str
    path: str
    headers: Headers = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    base_url: str | None = None
    signed: Callable[[float], Headers] | None = None


def json_request(method: str, path: str, headers: Headers, value: Any) -> ApiRequest:
    """Return a request whose body is `value` as JSON."""
    return ApiRequest(method, path, {**headers, "Content-Type": "application/json"}, orjson.dumps(value))


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the service's API answered. Header names are lower case; `sent_at` is when we asked, Unix time by our clock.

    Leases are counted from `sent_at`, the earliest moment the service can have counted from.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # it may hold signed URLs
    sent_at: float

    def json(self) -> Any:
        """Return the decoded body. Raises ValueError when it is not JSON."""
        return orjson.loads(self.body)

    def server_time(self) -> float:
        """Return the service's own time (header Date, Unix seconds), or ours where it sends none or nonsense."""
        return http_date(self.headers.get("date", ""), self.sent_at)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the other side asks us to wait, from `Retry-After` in seconds or as a date (RFC 9110 10.2.3).

    A date counts from the answer's own `Date` where there is one, so that a clock that is off does no harm. None where
    the header is missing or nonsense; never negative.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    then = http_date(value, None)
    return None if then is None else max(0.0, then - http_date(headers.get("date", ""), now))


def http_date(text: str, otherwise: T) -> float | T:
    """Return the Unix time of an HTTP date (RFC 9110 5.6.7), `otherwise` where it is nonsense."""
    moment = _http_date(text)
    return otherwise if moment is None else moment


@functools.lru_cache(maxsize=64)  # all answers of one second have the same
def _http_date(text: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
        # The oldest of the three forms names no zone; all of them are in UTC.
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def is_authority(text: str) -> bool:
    """Say whether what stands between a URL's scheme and path is a name or an address, and maybe a port.

    All readers of URLs agree on these. On what else may stand there by the letter of RFC 3986, or just stands there,
    they do not: `user@host`, `name[::1]`, or `s3.example&Signature=...`, whose signature would be printed as a host.
    """
    match = _AUTHORITY.fullmatch(text)
    try:
        return match is not None and (match["address"] is None or bool(ipaddress.IPv6Address(match["address"])))
    except ValueError:
        return False


class ApiCall(Protocol):
    """Carries out one API request. Raises `ProblemError` (transient) when no whole answer came back."""

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Return the answer, whatever its status."""
        ...


class StorageAnswer(NamedTuple):
    """What storage answered to the bytes. Header names are lower case; `body` is cut to the first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        # A body can quote the request, signature and all.
        return f"{type(self).__name__}(status={self.status}, headers={self.headers!r})"
