"""The remote ids and objects of all tickets of a run, and the file of each.

Only fingerprints are kept, in a bounded number: eight bytes for an id or object. A false alarm costs a call, and occurs
about once in a hundred runs of a million files.
"""

from __future__ import annotations

from bulkup.model.files import Digest
from bulkup.model.object_names import object_of
from bulkup.model.tickets import Ticket

_BUCKETS = 1 << 16
_NAME, _FILE = 5, 3  # bytes of a fingerprint that stand for the name and for its file
_SIZE = _NAME + _FILE
_NAME_MASK, _FILE_MASK = (1 << 8 * _NAME) - 1, (1 << 8 * _FILE) - 1


class IssuedTickets:
    """Keeps the newest ids and objects, at most `most` of them; that bounds the memory to eight bytes for each.

    With `by_content`, files with equal bytes may share an id and an object.
    """

    def __init__(self, most: int = 4_000_000, *, by_content: bool = False) -> None:
        self._by_content = by_content
        self._room = max(1, most // _BUCKETS) * _SIZE
        self._buckets: list[bytes] = [b""] * _BUCKETS

    def clash(self, ticket: Ticket, file: bytes, digest: Digest | None = None) -> str | None:
        """Return "an id" or "a URL" if the ticket shares it with another file's; if it shares neither, keep both.

        `digest` is that of the file, if it is known.
        """
        owner = digest.value if self._by_content and digest is not None else file
        if not self._is_of(("id", ticket.remote_id), owner):
            return "an id"
        return None if self._is_of(("URL", object_of(ticket)), owner) else "a URL"

    def _is_of(self, name: tuple[str, str], file: bytes) -> bool:
        """Return whether a name belongs to a file; one that is not known belongs to it from now on."""
        number = hash(name)
        place = number % _BUCKETS
        key, bucket = (number >> 16 & _NAME_MASK).to_bytes(_NAME), self._buckets[place]
        fingerprint = key + (hash(file) & _FILE_MASK).to_bytes(_FILE)
        at = bucket.find(key)
        while at >= 0:
            if at % _SIZE == 0:
                return bucket.startswith(fingerprint, at)
            at = bucket.find(key, at + 1)
        bucket += fingerprint
        self._buckets[place] = bucket if len(bucket) <= self._room else bucket[-self._room :]
        return True
