"""`Authorization: Bearer <token>` (RFC 6750) as a header value that hides its text when printed."""

from __future__ import annotations

from bulkup.helpers.secrets import Secret


class BearerHeader(Secret):
    """The header value for a token."""

    __slots__ = ()

    def __init__(self, token: Secret) -> None:
        super().__init__("Bearer " + token.reveal())
