"""Plain values that signatures are computed from: the key, the request, and encoded paths and queries."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property, lru_cache
from urllib.parse import quote, unquote_plus

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs URLs. Both ids share the secret. `session_token` belongs to the temporary id.

    `ended` are the tokens of sessions that are over.
    """

    permanent_id: str  # AKIA..., in URLs of version 4
    temporary_id: str  # ASIA..., in URLs of version 2
    secret: str = field(repr=False)
    session_token: str = field(repr=False)
    ended: frozenset[str] = field(default=frozenset(), repr=False)

    def knows(self, access_key_id: str) -> bool:
        """Return whether the id is one of this key's two ids."""
        given = access_key_id.encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, known.encode()) for known in (self.permanent_id, self.temporary_id)]
        return any(matches)

    def has_ended(self, session_token: str) -> bool:
        """Return whether a token is that of a session that is over."""
        given = session_token.encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, ended.encode()) for ended in self.ended]
        return any(matches)


@dataclass(frozen=True)
class ReceivedRequest:
    """A request without its body. `raw_path` is still encoded, header names are lower case.

    The values of a repeated header are joined by commas (RFC 9110).
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded names and values of the query, in order."""
        pairs = (pair.partition("=") for pair in self.raw_query.split("&") if pair)
        return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query as a mapping. The last value of a repeated name wins."""
        return dict(self.query)


@dataclass(frozen=True, slots=True)
class ServerOrigin:
    """Scheme and host of this server as the client sees them. `host` is the client's Host header."""

    scheme: str
    host: str

    def url(self, path: str, query: str = "") -> str:
        """Return an absolute URL from an encoded path and query."""
        return f"{self.scheme}://{self.host}{path}?{query}" if query else f"{self.scheme}://{self.host}{path}"


def encoded_path(key: str) -> str:
    """Return the path of a key. All bytes except the unreserved ones and `/` are percent-encoded."""
    return "/" + quote(key, safe="/~")


def encoded_query(pairs: Mapping[str, str] | tuple[tuple[str, str], ...]) -> str:
    """Return the query in the same encoding. The order is kept."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in items)


@lru_cache(maxsize=1024)
def _encoded(text: str) -> str:
    # Most names and values are the same in all signed URLs. Without the cache, encoding took a sixth of a PUT's time.
    return quote(text, safe="~")
