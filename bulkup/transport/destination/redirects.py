"""Redirects by storage: which ones are followed, and with which headers. Pure.

Only 307 and 308 are followed, because they repeat the request with its body. Other redirects turn a PUT into a GET.
"""

from __future__ import annotations

from yarl import URL

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import Headers, is_authority
from bulkup.model.problems import Problem, ProblemError, ProblemKind

REPEATING_STATUSES = frozenset({307, 308})
MAX_REDIRECTS = 3
_MAX_LENGTH = 8192  # characters, as of the URLs of a service
_UNSAFE = lazy_pattern(r"[^\x21-\x7e]|[<>\"{}|\\^`]")


def redirected(url: SecretUrl, location: str) -> SecretUrl:
    """Return the URL that `location` leads to from `url`.

    Raises `ProblemError` for an invalid or very long URL, a user part, characters that a request line cannot hold, a
    scheme other than http and https, and a redirect from https to http.
    """
    if len(location) > _MAX_LENGTH:
        raise _refused(f"storage redirected to a URL of {len(location):,} characters, which is refused")
    old, new = _parsed(url), _joined(url, location)
    if new is None:
        raise _refused("storage redirected to an invalid URL")
    if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
        raise _refused(f"storage redirected from {old.scheme} to {new.scheme[:16]}, which is refused")
    if not is_authority(new.raw_authority):
        raise _refused("storage redirected to a URL without a host, or with a user in it, which is refused")
    return SecretUrl(str(new))


def headers_for(new: SecretUrl, old: SecretUrl, headers: Headers) -> Headers:
    """Return the headers for the new URL. Secret ones are left out if the origin differs."""
    if _origin(new) == _origin(old):
        return headers
    return {name: value for name, value in headers.items() if not isinstance(value, Secret)}


def too_many_redirects() -> ProblemError:
    """Return the error for too many redirects in a row."""
    return _refused(f"storage redirected more than {MAX_REDIRECTS} times")


def _joined(url: SecretUrl, location: str) -> URL | None:
    if _UNSAFE.search(location):
        return None
    try:
        new = _parsed(url).join(URL(location, encoded=True))
        return new if new.port != 0 else None  # reading the port validates it
    except (ValueError, IndexError):  # yarl raises IndexError for "//[]@"
        return None


def _parsed(url: SecretUrl) -> URL:
    return URL(url.reveal(), encoded=True)


def _origin(url: SecretUrl) -> tuple[str, str, int | None]:
    parts = _parsed(url)
    return parts.scheme, (parts.raw_host or "").lower(), parts.port


def _refused(why: str) -> ProblemError:
    return ProblemError(Problem(ProblemKind.FAILED, why))
