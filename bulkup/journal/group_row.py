"""The row of a group: its files, their ids and leases, and their tickets, each as JSON text with a checksum.

The checksums are over the text and the numbers in the row, that of the tickets over the ids and leases as well. A text
that differs from the one written is damage.

Pure.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from bulkup.journal.digest_column import StoredDigest
from bulkup.journal.ticket_text import DamagedTicketError, ticket_from, ticket_value
from bulkup.model.files import Digest
from bulkup.model.items import Item
from bulkup.model.states import FileState
from bulkup.model.tickets import Ticket

_CHECKSUM_BYTES = 4


class RowNumbers(NamedTuple):
    """The numbers of a group's row, of its destination and of its run."""

    group: int
    destination: int
    run: int


class GroupedFile(NamedTuple):
    """A file as the row of its group describes it. `stat` has the five numbers of its identity, as the file has them.

    `remote_id` is None until the call is answered, and for a file that the service rejected.
    """

    source_id: int
    path: bytes
    stat: tuple[int, int, int, int, int]
    md5: StoredDigest
    attempts: int
    place: str | None
    state: FileState
    remote_id: str | None = None
    expires_at: float | None = None


def dump_files(row: RowNumbers, items: Sequence[Item]) -> bytes:
    """Return the text that describes the files of a group."""
    files = [
        (
            item.file.source.id,
            item.file.path.decode("latin-1"),  # a path need not be UTF-8
            tuple(item.file.identity),
            _digest_text(item.digest) if item.digest else None,
            item.history.attempts,
            item.place.name if item.place else None,
        )
        for item in items
    ]
    return _sealed(orjson.dumps(files), row)


def dump_answers(row: RowNumbers, tickets: Sequence[Ticket | None]) -> bytes:
    """Return the text of the ids and leases. It contains no secret."""
    leases = [None if ticket is None else (ticket.remote_id, ticket.expires_at) for ticket in tickets]
    return _sealed(orjson.dumps(leases), row)


def dump_tickets(row: RowNumbers, tickets: Sequence[Ticket | None], answers: bytes) -> bytes:
    """Return the text of the tickets, with their secrets in clear."""
    values = [None if ticket is None else ticket_value(ticket) for ticket in tickets]
    return _sealed(orjson.dumps(values), row, answers)


def load_files(row: RowNumbers, files: bytes, answers: bytes | None) -> list[GroupedFile]:
    """Return the files of a row. Raises `DamagedTicketError` for texts that were not written here."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        values = orjson.loads(_unsealed(files, row))
        if answers is None:
            return [_file(value, FileState.ASKED) for value in values]
        leases = orjson.loads(_unsealed(answers, row))
        return [_answered(value, lease) for value, lease in zip(values, leases, strict=True)]
    # Raised outside the handler, because the decoder's error would be its context and contains the text.
    raise DamagedTicketError


def load_tickets(row: RowNumbers, files: Sequence[GroupedFile], answers: bytes, tickets: bytes) -> list[Ticket | None]:
    """Return the tickets of a row, None for a file without one. Raises `DamagedTicketError`."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        values = orjson.loads(_unsealed(tickets, row, answers))
        return [
            None if file.remote_id is None else ticket_from(value, file.remote_id, file.expires_at)
            for file, value in zip(files, values, strict=True)
        ]
    raise DamagedTicketError


def _file(value: Any, state: FileState, remote_id: str | None = None, expires_at: float | None = None) -> GroupedFile:
    source_id, path, stat, md5, attempts, place = value
    digest = None if md5 is None else md5 if ":" in md5 else bytes.fromhex(md5)
    size, mtime_ns, ctime_ns, inode, device = stat
    identity = (size, mtime_ns, ctime_ns, inode, device)
    return GroupedFile(
        source_id, path.encode("latin-1"), identity, digest, attempts, place, state, remote_id, expires_at
    )


def _digest_text(digest: Digest) -> str:
    """Return the hex digits of an MD5, the only algorithm of earlier versions; other digests name their algorithm."""
    return digest.hex if digest.algorithm == "md5" else digest.text


def _answered(value: Any, lease: Any) -> GroupedFile:
    if lease is None:
        return _file(value, FileState.PENDING)
    remote_id, expires_at = lease
    return _file(value, FileState.TICKETED, remote_id, expires_at)


def _sealed(text: bytes, row: RowNumbers, context: bytes = b"") -> bytes:
    return text + _checksum(text, row, context)


def _unsealed(sealed: bytes, row: RowNumbers, context: bytes = b"") -> bytes:
    """Return the text without its checksum. Raises ValueError if it is not the one written."""
    text, checksum = sealed[:-_CHECKSUM_BYTES], sealed[-_CHECKSUM_BYTES:]
    if checksum != _checksum(text, row, context):
        raise ValueError
    return text


def _checksum(text: bytes, row: RowNumbers, context: bytes) -> bytes:
    return zlib.crc32(text, zlib.crc32(context, zlib.crc32(b"%d %d %d" % row))).to_bytes(_CHECKSUM_BYTES, "big")
