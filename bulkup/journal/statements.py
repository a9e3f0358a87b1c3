"""Every state change as SQL statements, made from items and outcomes. No connection, no I/O.

Theory of operation
===================

A row of the table `files` has one state. Its key is (destination, source, path). Only the holder of the lock writes,
and one thread carries out the statements of a run.

    pending ---> asked ---> ticketed ---> stored ---> uploaded | unverified
                               |                           ^
                               +---------------------------+   services without a closing call

    any state ---> pending | asked | failed | rejected | changed | unreadable

The second line is what a later run, or a retry, does to a row: a failed file is tried again, a file that changed is
uploaded again, and a ticket that cannot be used is replaced.

Rows are on disk before the step that depends on them:

- The claim of an exclusive place, and `asked`, before the presign call. A call that is cut off may have created ids.
- `ticketed`, with the ticket in the table `tickets`, before the first byte is sent.
- `stored`, with storage's receipt, before the closing call. From then on the ticket's row has no URL and no secret.
- `uploaded` or `unverified` before the file is counted or reported. A worker takes no other file until this row, or the
  `stored` row, is on disk. A kill therefore makes the next run send at most one file per worker again.
- For a service with a closing call, a file that is given up gets its terminal state before the service is informed.
  Otherwise the next run could resume with the ticket of an upload that the service has closed.

Invariants:

- A row in `ticketed` or `stored` has exactly one row in `tickets`. Rows in other states have none.
- A ticket that is erased without an upload leaves an orphan with its remote id, in the same transaction.
- `remote_id` is the id of the last finished upload. It stays while the file is uploaded again. When the new upload is
  done, the old id becomes a superseded orphan in the same transaction.
- `run_id` of a file that was not uploaded is the last run that found it. Pruning relies on this.
- A row stays `stored` if only the closing call failed and may succeed later.
- An entry that could not be examined (`UNKNOWN_IDENTITY`) never replaces `ticketed`, `stored`, `uploaded` or
  `unverified`.

Recovery, in the transaction that starts the next run (`Journal.begin_run`):

- `asked` becomes `pending`. Their number is recorded as unknown ids: the calls were cut off before their answer.
- Tickets whose lease has ended become orphans, and their rows `pending`. A `stored` row keeps its ticket.
- A live ticket is handed out again by `Lookup`. The run uses it only if the file and its place are the same.
- A `stored` row needs only the closing call.

The end of a finished run erases all remaining tickets but those of `stored` rows, so the file holds no signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from bulkup.journal.kept_rejections import kept
from bulkup.journal.ticket_text import dump, without_secrets
from bulkup.journal.writer import Statement
from bulkup.model.files import UNKNOWN_IDENTITY, Identity
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Ticket

_KEY = "destination_id = r.column1 AND source_id = r.column2 AND path = r.column3"

# `{rows}` stands for the rows: `(?, ?, ...), (?, ?, ...)`. Updates join them as the table r, whose first three columns
# are the key.

# An uploaded file that changed keeps its old remote id until it has a new one. Only `_DONE` replaces the id, after
# `_SUPERSEDED` has recorded the old one.
_UPSERT = """
INSERT INTO files (destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5,
                   attempts, error, run_id, place)
VALUES {rows}
ON CONFLICT DO UPDATE SET state = excluded.state, size = excluded.size, mtime_ns = excluded.mtime_ns,
    ctime_ns = excluded.ctime_ns, inode = excluded.inode, device = excluded.device, md5 = excluded.md5,
    attempts = excluded.attempts, error = excluded.error, run_id = excluded.run_id, place = excluded.place
"""
# An entry that could not be examined says nothing about the file that an earlier run recorded.
_UNSEEN = f"{_UPSERT} WHERE files.state NOT IN ('uploaded', 'unverified', 'ticketed', 'stored')"
_IDENTITY = """size = r.column4, mtime_ns = r.column5, ctime_ns = r.column6, inode = r.column7, device = r.column8"""
_TICKETED = f"UPDATE files SET state = 'ticketed' FROM (VALUES {{rows}}) AS r WHERE {_KEY}"
_UNCHANGED = f"UPDATE files SET {_IDENTITY} FROM (VALUES {{rows}}) AS r WHERE {_KEY}"
# A run that only makes the closing call has made no attempt, so the number of the run that sent the bytes stays.
_ATTEMPTS = "CASE r.column11 WHEN 0 THEN attempts ELSE r.column11 END"
_RECEIPT = f"""{_IDENTITY}, md5 = r.column9, etag = r.column10, attempts = {_ATTEMPTS}, uploaded_at = r.column12,
    verified = r.column13"""
_STORED = f"UPDATE files SET state = 'stored', {_RECEIPT} FROM (VALUES {{rows}}) AS r WHERE {_KEY}"
# The service's last answer about a file whose closing call is not finished.
_REMOTE = f"UPDATE files SET remote = r.column4 FROM (VALUES {{rows}}) AS r WHERE {_KEY} AND state = 'stored'"
_DONE = f"""
UPDATE files SET {_RECEIPT}, state = r.column14, kept_until = r.column15, remote_id = r.column16, remote = r.column17,
    run_id = r.column18, error = NULL
FROM (VALUES {{rows}}) AS r WHERE {_KEY}
"""
_SUPERSEDED = """
INSERT INTO orphans (destination_id, source_id, path, remote_id, kept_until, superseded_by, count, reason, created_at,
                     run_id)
SELECT f.destination_id, f.source_id, f.path, f.remote_id, f.kept_until, r.column4, 1, 'its file was uploaded again',
       r.column5, r.column6
FROM (VALUES {rows}) AS r CROSS JOIN files AS f
    ON f.destination_id = r.column1 AND f.source_id = r.column2 AND f.path = r.column3
WHERE f.remote_id <> r.column4
"""
_KEEP_TICKET = """
INSERT OR REPLACE INTO tickets (destination_id, source_id, path, remote_id, expires_at, ticket) VALUES {rows}
"""
# This reads the whole table. It is small: a run has a live ticket only for each file in flight.
_ERASE_TICKET = "DELETE FROM tickets WHERE (destination_id, source_id, path) IN (VALUES {rows})"
_ORPHAN = """
INSERT INTO orphans (destination_id, source_id, path, remote_id, count, reason, created_at, run_id) VALUES {rows}
"""


_UNUSABLE = "its ticket could not be used"
KeptUntil = Callable[[float], float | None]


class Statements:
    """The statements of one run, with the numbers of the destination and the run filled in."""

    def __init__(self, destination_id: int, run_id: int, kept_until: KeptUntil, settings_digest: str = "") -> None:
        self._destination = destination_id
        self._run = run_id
        self._kept_until = kept_until
        self._settings_digest = settings_digest

    def pending(self, items: Sequence[Item], replaced: Sequence[tuple[Item, Ticket]], now: float) -> list[Statement]:
        """Return the rows of files with no call under way, with the digests of those hashed in advance."""
        return [*self.orphaned(replaced, _UNUSABLE, now), self._upsert(items, FileState.PENDING)]

    def asked(self, group: Group, replaced: Sequence[tuple[Item, Ticket]], now: float) -> list[Statement]:
        """Return the intent of a presign call. Tickets that it replaces become orphans."""
        return [*self.orphaned(replaced, _UNUSABLE, now), self._upsert(group.items, FileState.ASKED)]

    def ticketed(self, group: Group, answers: Sequence[Ticket | None]) -> list[Statement]:
        """Return the tickets of a group."""
        pairs = [(item, ticket) for item, ticket in zip(group.items, answers, strict=True) if ticket is not None]
        tickets = [(*self._key(item), *_ticket_row(ticket)) for item, ticket in pairs]
        return [Statement(_KEEP_TICKET, tickets), Statement(_TICKETED, [self._key(item) for item, _ in pairs])]

    def stored(self, items: Iterable[Item]) -> list[Statement]:
        """Return the rows of storage's receipts. The ticket is replaced by the part that the closing call needs."""
        stored = list(items)
        bare = [(*self._key(item), *_ticket_row(without_secrets(item.ticket))) for item in stored if item.ticket]
        return [Statement(_STORED, [self._stored_row(item) for item in stored]), Statement(_KEEP_TICKET, bare)]

    def orphaned(self, tickets: Iterable[tuple[Item, Ticket]], reason: str, now: float) -> list[Statement]:
        """Return the rows of remote ids that will receive no bytes, and erase their tickets."""
        pairs = list(tickets)
        rows = [
            (self._destination, item.file.source.id, item.file.path, ticket.remote_id, 1, reason, now, self._run)
            for item, ticket in pairs
        ]
        return [
            Statement(_ORPHAN, rows),
            Statement(_ERASE_TICKET, [self._key(item) for item, _ in pairs]),
        ]

    def unknown_ids(self, count: int, reason: str, now: float) -> list[Statement]:
        """Return the row for up to `count` remote ids that a call may have created and that no answer named."""
        return [Statement(_ORPHAN, [(self._destination, None, None, None, count, reason, now, self._run)])]

    def settled(self, outcomes: Sequence[Outcome], now: float) -> list[Statement]:
        """Return the rows of terminal states and of items that are given back.

        Tickets of settled files are erased. Remote ids that are no longer needed become orphans.
        """
        done = [o for o in outcomes if o.state in DONE and not o.unchanged]
        unchanged = [o for o in outcomes if o.unchanged]
        unended = [o for o in outcomes if o.state is None and o.item.receipt is not None and o.remote]
        given_back = [o.item for o in outcomes if o.state is None and o.item.ticket is None and not _unread(o.item)]
        ended = [o for o in outcomes if o.state is not None and o.state not in DONE]
        of_their_own = [o for o in ended if not _unread(o.item) and not o.unconfirmed]
        unused = [(o.item, o.item.ticket) for o in of_their_own if o.item.ticket is not None]
        by_state = [
            self._upsert(
                [o.item],
                o.state,
                self._error(o),
                sql=_UNSEEN if o.item.file.identity == UNKNOWN_IDENTITY else _UPSERT,
            )
            for o in of_their_own
            if o.state
        ]
        return [
            Statement(_SUPERSEDED, [self._newer_row(o.item, now) for o in done]),
            Statement(_DONE, [self._done_row(o) for o in done]),
            Statement(_ERASE_TICKET, [self._key(o.item) for o in done]),
            Statement(_UNCHANGED, [self._unchanged_row(o.item) for o in unchanged]),
            Statement(_REMOTE, [(*self._key(o.item), _remote(o)) for o in unended]),
            *([self._upsert(given_back, FileState.PENDING)] if given_back else []),
            *by_state,
            *self.orphaned(unused, "its file could not be uploaded", now),
        ]

    def _error(self, outcome: Outcome) -> str | None:
        if outcome.problem is None:
            return None
        reason = outcome.problem.message
        return kept(reason, self._settings_digest) if outcome.by_service and self._settings_digest else reason

    def _upsert(
        self, items: Iterable[Item], state: FileState, error: str | None = None, sql: str = _UPSERT
    ) -> Statement:
        return Statement(
            sql,
            [
                (
                    *self._key(item),
                    state,
                    *_identity(item.file.identity),
                    item.digest.md5 if item.digest else None,
                    item.history.attempts,
                    error,
                    self._run,
                    item.place.name if item.place else None,
                )
                for item in items
            ],
        )

    def _stored_row(self, item: Item) -> tuple[Any, ...]:
        receipt = item.receipt
        assert receipt is not None
        return (
            *self._key(item),
            *_identity(receipt.identity),
            receipt.digest.md5 if receipt.digest else None,
            receipt.etag,
            item.history.attempts,
            receipt.stored_at,
            receipt.verified,
        )

    def _done_row(self, outcome: Outcome) -> tuple[Any, ...]:
        item, receipt, ticket = outcome.item, outcome.item.receipt, outcome.item.ticket
        assert receipt is not None
        assert ticket is not None
        kept_until = self._kept_until(receipt.stored_at)
        return (*self._stored_row(item), outcome.state, kept_until, ticket.remote_id, _remote(outcome), self._run)

    def _newer_row(self, item: Item, now: float) -> tuple[Any, ...]:
        assert item.ticket is not None
        return (*self._key(item), item.ticket.remote_id, now, self._run)

    def _unchanged_row(self, item: Item) -> tuple[Any, ...]:
        # The row may be that of another source that contains the same file.
        source_id, path = item.known_at or (item.file.source.id, item.file.path)
        return (self._destination, source_id, path, *_identity(item.file.identity))

    def _key(self, item: Item) -> tuple[int, int, bytes]:
        return self._destination, item.file.source.id, item.file.path


def _unread(item: Item) -> bool:
    """Say whether an item was not hashed again although it should have been: its row describes an earlier upload."""
    return item.known_digest is not None and item.digest is None


def _ticket_row(ticket: Ticket) -> tuple[str, float | None, str]:
    return ticket.remote_id, ticket.expires_at, dump(ticket)


def _remote(outcome: Outcome) -> str:
    ticket = outcome.item.ticket
    assert ticket is not None
    return orjson.dumps({**ticket.remote, **(outcome.remote or {})}).decode()


def _identity(identity: Identity) -> tuple[int, int, int, int, int]:
    return identity.size, identity.mtime_ns, identity.ctime_ns, _signed(identity.inode), _signed(identity.device)


def _signed(number: int) -> int:
    """Convert an unsigned 64-bit number to SQLite's signed range; `Lookup` converts it back."""
    return number - (1 << 64) if number >= 1 << 63 else number
