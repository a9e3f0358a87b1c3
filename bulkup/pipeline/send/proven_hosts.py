"""The storage hosts whose answers have proven stored bytes. Pure."""

from __future__ import annotations

from bulkup.helpers.secrets import SecretUrl
from bulkup.pipeline.send.verification import Verification

_MOST = 10_000  # hosts; a service that names a new one for each file would fill the memory


class ProvenHosts:
    """The hosts whose latest answer with or without proof was one with proof."""

    def __init__(self) -> None:
        self._origins: set[str] = set()

    def __contains__(self, url: SecretUrl) -> bool:
        return url.origin in self._origins

    def learn(self, url: SecretUrl, verification: Verification) -> None:
        """Learn from the verification of an answer of this URL's host. A mismatch says nothing about the host."""
        if verification is Verification.MATCH:
            if (origin := url.origin) in self._origins:
                return
            if len(self._origins) >= _MOST:
                self._origins.clear()
            self._origins.add(origin)
        elif verification is Verification.NONE:
            self._origins.discard(url.origin)
