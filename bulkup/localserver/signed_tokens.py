"""Signed tokens. The server keeps no list of them, and accepts them after a restart."""

from __future__ import annotations

import base64
import hmac
import re
import secrets

_TOKEN = re.compile(r"([0-9a-f]{1,16})\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})")


class TokenSigner:
    """Issues and verifies the tokens of one API.

    A token belongs to the credential that it was issued for, such as a password. It ends when the credential changes.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        self._key = hmac.digest(secret.encode(), f"token of {purpose}".encode(), "sha256")

    def issue(self, credential: str, expires: float) -> str:
        """Return a new token, valid until `expires` (Unix time)."""
        body = f"{int(expires):x}.{secrets.token_hex(8)}"
        return f"{body}.{self._signature(body, credential)}"

    def is_valid(self, token: str, credential: str, now: float) -> bool:
        """Return whether the token was issued here for this credential and is not over at `now` (Unix time)."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return False
        expires, nonce, signature = parts.groups()
        expected = self._signature(f"{expires}.{nonce}", credential)
        return hmac.compare_digest(signature, expected) and now < int(expires, 16)

    def _signature(self, body: str, credential: str) -> str:
        digest = hmac.digest(self._key, f"{body}\0{credential}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
