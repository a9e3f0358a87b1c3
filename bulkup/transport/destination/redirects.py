"""Where a redirect of storage may lead. Pure.

A redirect repeats the request, body and all, so only 307 and 308 are followed: the others would turn a PUT into a GET.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from yarl import URL

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import is_authority
from bulkup.model.problems import Problem, ProblemError, ProblemKind

WITH_BODY = frozenset({307, 308})
MOST = 3
_UNSAFE = re.compile(r"[^\x21-\x7e]|[<>\"{}|\\^`]")


def redirected(url: SecretUrl, location: str) -> SecretUrl:
    """Return where `location` leads from `url`.

    Raises `ProblemError` for what is no URL, one with a user part or with characters that a request line cannot have,
    another scheme than http and https, and http after https.
    """
    old, new = _parsed(url), _joined(url, location)
    if new is None:
        raise _refused("storage redirected to something that is no URL")
    if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
        raise _refused(f"storage redirected from {old.scheme} to {new.scheme[:16]}, which is refused")
    if not is_authority(new.raw_authority):
        raise _refused("storage redirected to a URL without a host, or with a user in it, which is refused")
    return SecretUrl(str(new))


def headers_for(new: SecretUrl, old: SecretUrl, headers: Mapping[str, str | Secret]) -> Mapping[str, str | Secret]:
    """Return the headers that may go along: to another origin none that is secret."""
    if _origin(new) == _origin(old):
        return headers
    return {name: value for name, value in headers.items() if not isinstance(value, Secret)}


def too_many() -> ProblemError:
    """Return the error for storage that redirects again and again."""
    return _refused(f"storage redirected more than {MOST} times")


def _joined(url: SecretUrl, location: str) -> URL | None:
    if _UNSAFE.search(location):
        return None
    try:
        new = _parsed(url).join(URL(location, encoded=True))
        return new if new.port != 0 else None  # asking for the port is what checks it
    except (ValueError, IndexError):  # the latter is a slip of the client's library, for "//[]@"
        return None


def _parsed(url: SecretUrl) -> URL:
    return URL(url.reveal(), encoded=True)


def _origin(url: SecretUrl) -> tuple[str, str, int | None]:
    parts = _parsed(url)
    return parts.scheme, (parts.raw_host or "").lower(), parts.port


def _refused(why: str) -> ProblemError:
    return ProblemError(Problem(ProblemKind.FAILED, why))
