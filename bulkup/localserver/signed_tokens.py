"""Tokens that carry their own proof, so that a server started again honours them and keeps no list."""

from __future__ import annotations

import base64
import hmac
import re
import secrets

_TOKEN = re.compile(r"([0-9a-f]{1,16})\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})")


class TokenSigner:
    """Issues the tokens of one API and knows them again.

    A token is bound to the credential it was given for, such as a password: when that changes, the token ends.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        self._key = hmac.digest(secret.encode(), f"token of {purpose}".encode(), "sha256")

    def issue(self, credential: str, expires: float) -> str:
        """Return a new token, good until `expires` (Unix time)."""
        body = f"{int(expires):x}.{secrets.token_hex(8)}"
        return f"{body}.{self._proof(body, credential)}"

    def holds(self, token: str, credential: str, now: float) -> bool:
        """Say whether the token is one of ours, for this credential, and has not ended at `now` (Unix time)."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return False
        expires, nonce, proof = parts.groups()
        return hmac.compare_digest(proof, self._proof(f"{expires}.{nonce}", credential)) and now < int(expires, 16)

    def _proof(self, body: str, credential: str) -> str:
        digest = hmac.digest(self._key, f"{body}\0{credential}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
