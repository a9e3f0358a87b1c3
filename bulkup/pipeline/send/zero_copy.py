"""Which files may be sent by `sendfile`: the system copies them to the socket. Pure.

The system reads the file a second time, after it was hashed. So only storage's answer can prove the bytes, and whether
a host's answers do is learned from its first large file, which is streamed.
"""

from __future__ import annotations

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.items import Item
from bulkup.model.tickets import Ticket
from bulkup.pipeline.send.verification import Verification


class ZeroCopy:
    """Knows which hosts prove the bytes that they receive. `least` is the size of files that `sendfile` may send."""

    def __init__(self, least: int, *, hashed: bool = True) -> None:
        self._least = least
        self._hashed = hashed
        self._proves: dict[str, bool] = {}  # by origin

    def allows(self, item: Item, ticket: Ticket) -> bool:
        """Return whether `sendfile` may send a file: it is large, the whole body, and can be proven or need not be."""
        if item.size < self._least or ticket.form is not None or ticket.more_urls:
            return False
        # After a mismatch the file is streamed: then the bytes that are sent are those that were hashed.
        return not item.history.mismatches and (not self._hashed or self._proves.get(ticket.url.origin, False))

    def learn(self, url: SecretUrl, proven: Verification) -> None:
        """Learn from the verification of a host's answer to a large file.

        After one answer that proved nothing, the host counts as one without proof until the end of the run.
        """
        if proven is Verification.NONE:
            self._proves[url.origin] = False
        elif proven is Verification.MATCH:
            self._proves.setdefault(url.origin, True)
