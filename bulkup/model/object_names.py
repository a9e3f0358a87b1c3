"""The object that an upload URL writes to, apart from the signature. Two files with one object overwrite each other."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from urllib.parse import unquote

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.tickets import Ticket

# Parameters of a signature, each with the separator after it. All others may name the object.
_SIGNATURE = (
    r"(?:X-(?:Amz|Goog|Obs|Oss)-|(?:(?:AWS|OSS)?AccessKeyId|GoogleAccessId|Expires|Signature|Policy|Key-Pair-Id"
    r"|Security-Token|X-Id)=)[^&]*"
)
_SIGNED = re.compile(rf"(?:{_SIGNATURE}(?:&|$))+", re.IGNORECASE)
_SIGNED_PART = re.compile(rf"(?:(?:{_SIGNATURE}|(?:partNumber|uploadId)=[^&]*)(?:&|$))+", re.IGNORECASE)
_DEFAULT_PORTS = {"http:": ":80", "https:": ":443"}


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
    """Return a URL without fragment and ignored parameters, its host in lower case, its path decoded."""
    place, _, query = url.reveal().partition("#")[0].partition("?")
    start = place.find("/", place.find("//") + 2)
    path = place[start:] if start >= 0 else "/"
    if "%" in path:
        path = unquote(path, errors="surrogateescape")
    rest = "&".join(_kept(query, ignored)) if query else ""
    return f"{_origin(place[:start] if start >= 0 else place)}{path}?{rest}"


def _kept(query: str, ignored: re.Pattern[str]) -> list[str]:
    if ignored.fullmatch(query):  # the usual case
        return []
    return [part for part in query.split("&") if part and not ignored.fullmatch(part)]


@functools.lru_cache(maxsize=256)  # a service's URLs have a handful of hosts
def _origin(text: str) -> str:
    scheme, _, host = text.lower().partition("//")
    return f"{scheme}//{host.removesuffix(_DEFAULT_PORTS.get(scheme, '')).removesuffix('.')}"
