"""A service's root URL, checked and normalised, because it is part of a journal key."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, quote, urlsplit

from bulkup.helpers.lazy_pattern import lazy_pattern

EXPECTED = "an http or https URL of a service's root, such as https://api.example.com"

_PORTS = {"http": 80, "https": 443}
_HOST = lazy_pattern(r"[a-z0-9._-]+")
# The old and the new IDNA standard map these to different hosts; a guess could send the key to the wrong one.
_AMBIGUOUS = frozenset("\u00df\u03c2\u200c\u200d")
_PATH_SAFE = "/%:@!$&'()*+,;=~"


def normalise_base_url(value: str) -> str:
    """Return the URL in one form, which is the same for every spelling of one root.

    Scheme and host become lower case, and the host takes its ASCII (IDNA) form. A default port and trailing slashes are
    dropped. Raises ValueError. Its text never contains `value`, because a wrong URL may contain a password.
    """
    if not value.isprintable() or " " in value or "\\" in value:
        raise _wrong("it contains a space, a backslash or a character that cannot be printed")
    if "?" in value or "#" in value:
        raise _wrong("a query or fragment is not allowed")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        # Not chained: its text repeats parts of the value, which may contain a password.
        raise _wrong("its host or port cannot be read") from None
    return _assembled(parts, port)


def _assembled(parts: SplitResult, port: int | None) -> str:
    if parts.scheme not in _PORTS:
        raise _wrong("the scheme must be http or https")
    if "@" in parts.netloc:
        raise _wrong("user and password are not allowed")
    if port == 0:
        raise _wrong("port 0 is not a port")
    suffix = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    path = quote(parts.path, safe=_PATH_SAFE).rstrip("/")
    return f"{parts.scheme}://{_host(parts)}{suffix}{path}"


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        return _ipv6(host)
    if _AMBIGUOUS.intersection(host):
        raise _wrong("its host can be read as two different names; write it in its xn-- form")
    try:
        ascii_host = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _wrong("its host is not a valid name") from error
    if not _HOST.fullmatch(ascii_host):
        raise _wrong("its host is missing or not a valid name")
    return ascii_host


def _ipv6(host: str) -> str:
    if "%" in host:
        raise _wrong("an IPv6 zone is only valid on one machine")
    try:
        return f"[{ipaddress.IPv6Address(host).compressed}]"
    except ValueError as error:
        raise _wrong("its host is not a valid IPv6 address") from error


def _wrong(why: str) -> ValueError:
    return ValueError(f"expected {EXPECTED}: {why}")
