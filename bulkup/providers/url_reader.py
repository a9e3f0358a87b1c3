"""Reads the upload URLs of one answer. What they have in common is read once.

All URLs of a call are nearly always signed with version 4, by one signer and at one time. Then they differ only by
their path and by their signature, the last parameter. Their host, their end, and what the signature covers follow from
the rest. Every other URL is read on its own, with the same result.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import ApiAnswer
from bulkup.providers.answer_parsing import (
    MAX_TEXT,
    has_only_safe_characters,
    lease_from,
    lease_of_url,
    takes_content_md5,
    unix_time,
    upload_url,
)

_LAST_PARAMETER = "&X-Amz-Signature="


class UploadUrl(NamedTuple):
    """A presigned URL, the end of its lease by the local clock, and whether a request to it may have a Content-MD5."""

    url: SecretUrl
    lease: float | None
    content_md5: bool


class UrlReader:
    """Reads the URLs and times of one answer of a service, with the functions of `answer_parsing`."""

    def __init__(self, answer: ApiAnswer, base_url: str, service: str) -> None:
        self._answer = answer
        self._base_url = base_url
        self._service = service
        self._leases: dict[str, float | None] = {}
        # By origin, and query without the signature.
        self._known: dict[tuple[str, str], tuple[float | None, bool]] = {}

    def read(self, text: str) -> UploadUrl:
        """Return a presigned URL that is safe to use, and its properties. Raises `ProblemError`."""
        path, query = text.find("/", 8), text.find("?")
        end = text.rfind("=") + 1
        usual = 8 < path < query and text.endswith(_LAST_PARAMETER, query, end)
        known = self._known.get((text[:path], text[query:end])) if usual and len(text) <= MAX_TEXT else None
        if known is not None and has_only_safe_characters(text):
            return UploadUrl(SecretUrl(text), *known)
        url = upload_url(text, self._base_url, self._service)
        lease, content_md5 = lease_of_url(url, self._answer), takes_content_md5(url)
        if usual and "&" not in text[end:] and "#" not in text:
            self._known[text[:path], text[query:end]] = lease, content_md5
        return UploadUrl(url, lease, content_md5)

    def lease_until(self, text: str) -> float | None:
        """Return the end of a lease by the local clock, from its end by the service's clock. None if it is no time."""
        if text not in self._leases:
            expires_at = unix_time(text)
            self._leases[text] = None if expires_at is None else lease_from(expires_at, self._answer)
        return self._leases[text]
