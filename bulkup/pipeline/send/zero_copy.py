"""Which files may go by their descriptor, copied by the system and unseen by us (`sendfile`). Pure.

The digest is then made by a second read of the file, so such bytes are only proven by storage's answer. Whether it
proves anything is learned of each host: the first large file goes streamed.
"""

from __future__ import annotations

from typing import Literal

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.items import Item
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files.large import RANGE
from bulkup.pipeline.send.verification import Verification


class ZeroCopy:
    """What is known of the hosts of a run."""

    def __init__(self, checksum: Literal["md5", "none"]) -> None:
        self._unhashed = checksum == "none"
        self._proves: dict[str, bool] = {}  # by origin

    def allows(self, item: Item, ticket: Ticket) -> bool:
        """Say whether the file may be lent: large, a body by itself, and proven afterwards, or not to be proven."""
        if item.file.identity.size < RANGE or ticket.form is not None or ticket.more_urls:
            return False
        # What once arrived otherwise than it was read, is read and sent in one.
        return not item.history.mismatches and (self._unhashed or self._proves.get(ticket.url.origin, False))

    def learn(self, url: SecretUrl, proven: Verification) -> None:
        """Take in what a host's answer to a large file proved. Once it was nothing, the host counts as one that does
        not prove, until the end of the run.
        """
        if proven is Verification.NONE:
            self._proves[url.origin] = False
        elif proven is Verification.MATCH:
            self._proves.setdefault(url.origin, True)
