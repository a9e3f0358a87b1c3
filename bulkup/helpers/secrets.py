"""Types for values that must never be printed: tokens, keys and signed URLs.

Their text is a mask, so that no log line, f-string, traceback or JSON text contains the value. Only `reveal()` returns
it. It is called where a request is built and where the journal stores a ticket.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn
from urllib.parse import urlsplit

from bulkup.helpers.lazy_pattern import lazy_pattern

MASK = "***"
_ORIGIN = lazy_pattern(r"(?P<scheme>[^:/?#]*://)(?:[^/?#@]*@)*(?P<host>[^/?#@]*)")


class Secret:
    """A token, key or password. Equality is by value. Its text is masked, and it cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, to be sent in a request or stored in the journal, and nowhere else."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.reveal() == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be pickled")

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self


class SecretUrl(Secret):
    """A presigned URL. It prints scheme, host and path; query, user part and fragment are masked."""

    __slots__ = ()

    @property
    def origin(self) -> str:
        """Scheme, host and port as written in the URL, without secrets; empty if it is no URL."""
        # Up to the path, where it ends; the whole URL differs for each file.
        text = self._value
        path = text.find("/", text.find("://") + 3)
        return _origin(text[:path]) if path > 0 else _origin_of(text)

    def __str__(self) -> str:
        try:
            parts = urlsplit(self._value)
            host, port = parts.hostname, parts.port
        except ValueError:
            return MASK
        if not host:
            return MASK
        where = f"[{host}]" if ":" in host else host
        where += f":{port}" if port else ""
        return f"{parts.scheme}://{where}{parts.path}" + (f"?{MASK}" if parts.query else "")


class SecretAddress(SecretUrl):
    """A URL whose path is a secret too, such as that of a webhook. It prints scheme and host."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self.origin}/{MASK}" if self.origin else MASK


def _origin_of(text: str) -> str:
    found = _ORIGIN.match(text)
    return found["scheme"] + found["host"] if found else ""


_origin = functools.lru_cache(maxsize=256)(_origin_of)  # a service's URLs have a handful of hosts
