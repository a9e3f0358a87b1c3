"""The object that an upload URL writes to, apart from the signature. Two files with one object overwrite each other."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from urllib.parse import unquote

from bulkup.helpers.address_literals import literal
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.tickets import Ticket

# Parameters of a signature, each with the separator after it. All others may name the object.
_SIGNATURE = (
    r"(?:X-(?:Amz|Goog|Obs|Oss)-|(?:(?:AWS|OSS)?AccessKeyId|GoogleAccessId|Expires|Signature|Policy|Key-Pair-Id"
    r"|Security-Token|X-Id)=)[^&]*"
)
_SIGNED = lazy_pattern(rf"(?:{_SIGNATURE}(?:&|$))+", re.IGNORECASE)
_SIGNED_PART = lazy_pattern(rf"(?:(?:{_SIGNATURE}|(?:partNumber|uploadId)=[^&]*)(?:&|$))+", re.IGNORECASE)
_V4 = lazy_pattern(r"(?:X-Amz-[^&]*(?:&|$))+")  # most URLs; each of these is in both patterns above, which take longer
_LAST_OF_V4 = "&X-Amz-Signature="
_DEFAULT_PORTS = {"http:": "80", "https:": "443"}
_PORT = lazy_pattern(r":([0-9]*)$")


def object_of(ticket: Ticket) -> str:
    """Return the object that a ticket writes to. It may contain a secret, so it is never printed.

    The URL of a form names only the bucket; the key is a field of the form.
    """
    address = _address(ticket.url, _SIGNED_PART if ticket.more_urls else _SIGNED)
    if ticket.form is None:
        return address
    return "\n".join([address, *(value.reveal() for name, value in ticket.form if name.lower() == "key")])


def share_a_part(urls: Sequence[SecretUrl]) -> bool:
    """Return whether two of these URLs write the same part of an object."""
    return len({_address(url, _SIGNED) for url in urls}) < len(urls)


def _address(url: SecretUrl, ignored: re.Pattern[str]) -> str:
    """Return a URL without fragment and ignored parameters, with the rest in one spelling."""
    text = url.reveal()
    place, _, query = (text.partition("#")[0] if "#" in text else text).partition("?")
    start = place.find("/", place.find("//") + 2)
    path = _decoded(place[start:]) if start >= 0 else "/"
    if "/." in path:
        path = _without_dots(path)
    # The signature is nearly always the last parameter, and the same parameters are before it in all URLs of a call.
    signed = query.rfind(_LAST_OF_V4)
    usual = signed >= 0 and _has_only_v4(query[:signed]) and "&" not in query[signed + 1 :]
    rest = "" if usual or not query else "&".join(_kept(query, ignored))
    return f"{_origin(place[:start] if start >= 0 else place)}{path}?{rest}"


@functools.lru_cache(maxsize=256)
def _has_only_v4(query: str) -> bool:
    return _V4.fullmatch(query) is not None


def _kept(query: str, ignored: re.Pattern[str]) -> list[str]:
    if _V4.fullmatch(query) or ignored.fullmatch(query):  # nearly always
        return []
    return sorted(_decoded(part) for part in query.split("&") if part and not ignored.fullmatch(part))


def _decoded(text: str) -> str:
    return unquote(text, errors="surrogateescape") if "%" in text else text


def _without_dots(path: str) -> str:
    """Return a path without the parts `.` and `..`, which many servers and proxies remove (RFC 3986 5.2.4)."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[max(1, len(kept) - 1) :]
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


@functools.lru_cache(maxsize=256)  # a service's URLs have a handful of hosts
def _origin(text: str) -> str:
    """Return scheme, host and port in one spelling; an address has many."""
    scheme, _, authority = text.lower().partition("//")
    found = _PORT.search(authority)
    port = found[1].lstrip("0") if found is not None else ""
    host = authority[: found.start()] if found is not None else authority
    if port == _DEFAULT_PORTS.get(scheme):
        port = ""
    address = literal(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return f"{scheme}//{host.removesuffix('.') if mapped is None else mapped}:{port}"
