"""`Authorization: Basic <user and password>` (RFC 7617) as a header value that hides its text when printed."""

from __future__ import annotations

import base64

from bulkup.helpers.secrets import Secret


class BasicHeader(Secret):
    """The header value for a user and a password. `encoded` is its secret part."""

    __slots__ = ()

    def __init__(self, user: str, password: Secret) -> None:
        pair = f"{user}:{password.reveal()}".encode("utf-8", "surrogateescape")
        super().__init__("Basic " + base64.b64encode(pair).decode("ascii"))

    @property
    def encoded(self) -> Secret:
        """User and password in Base64, as a server may quote them."""
        return Secret(self.reveal().removeprefix("Basic "))
