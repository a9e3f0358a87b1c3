"""`Authorization: Bearer <token>` (RFC 6750) as a header value that does not print."""

from __future__ import annotations

from bulkup.helpers.secrets import Secret


class Bearer(Secret):
    """The header value made of a token."""

    __slots__ = ()

    def __init__(self, token: Secret) -> None:
        super().__init__("Bearer " + token.reveal())
