"""The exception by which the modules of the lean sender report a failed exchange to one another."""

from __future__ import annotations

from bulkup.transport.failures import FailureKind


class ExchangeError(Exception):
    """A failed exchange. `cause` is the error of the system or of TLS. The text never holds a URL.

    `stale` reports that a reused connection was closed before any byte of the answer. Servers may close an idle
    connection at any time, so the request can be repeated on a new one.
    """

    def __init__(self, kind: FailureKind, cause: BaseException | None = None, *, stale: bool = False) -> None:
        super().__init__(kind.name)
        self.kind = kind
        self.cause = cause
        self.stale = stale
