"""How the parts of the sender tell one another that an exchange failed."""

from __future__ import annotations

from bulkup.transport.failures import FailureKind


class ExchangeError(Exception):
    """An exchange that failed. `cause` is the system's or TLS's error; no text of this holds a URL.

    `stale` says that a kept connection turned out to be closed before any of the answer had come, as servers may close
    one at any time.
    """

    def __init__(self, trouble: FailureKind, cause: BaseException | None = None, *, stale: bool = False) -> None:
        super().__init__(trouble.name)
        self.trouble = trouble
        self.cause = cause
        self.stale = stale
