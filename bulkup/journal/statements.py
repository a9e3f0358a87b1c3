"""Every state change as SQL statements, made from items and outcomes. No connection, no I/O.

Theory of operation
===================

A file has one state. Its key is (destination, source, path). Only the holder of the lock writes, and one thread carries
out the statements of a run.

    pending ---> asked ---> ticketed ---> stored ---> uploaded | unverified
                               |                           ^
                               +---------------------------+   services without a closing call

    any state ---> pending | asked | failed | rejected | changed | unreadable

The second line is what a later run, or a retry, does to a file: a failed file is tried again, a file that changed is
uploaded again, and a ticket that cannot be used is replaced.

`asked` and `ticketed` are states of a group, the files of one presign call. A group has one row in `presign_groups`: it
is written with the intent, and once more with the answer. A file gets a row of its own in `files` when it settles. From
then on its group says nothing about it. The row of a group is deleted with the last file that settles. Until then it
has the tickets of all its files. Every row in `files` has the number of the last group before it, so it is known which
of the two is newer. If a file is in two groups, the later one counts.

Rows are on disk before the step that depends on them:

- The claim of an exclusive place, and the group's intent, before the presign call. A call that is cut off may have
  created ids.
- The group's tickets, before the first byte is sent.
- `stored`, with storage's receipt, before the closing call. The file leaves its group, and its ticket has a row in
  `tickets` without a URL and a secret.
- `uploaded` or `unverified` before the file is counted or reported. A worker takes no other file until this row, or the
  `stored` row, is on disk. A kill therefore makes the next run send at most one file per worker again.
- For a service with a closing call, a file that is given up gets its terminal state before the service is informed.
  Otherwise the next run could resume with the ticket of an upload that the service has closed.

Invariants:

- A file that is ticketed or stored has exactly one valid ticket, in its group or in `tickets`. Others have none.
- A ticket that is erased without an upload leaves an orphan with its remote id, in the same transaction.
- `remote_id` is the id of the last finished upload. It stays while the file is uploaded again. When the new upload is
  done, the old id becomes a superseded orphan in the same transaction.
- `run_id` of a file that was not uploaded is the last run that found it. Pruning relies on this.
- A row stays `stored` if only the closing call failed and may succeed later.
- An entry that could not be examined (`UNKNOWN_IDENTITY`) never replaces `asked`, `ticketed`, `stored`, `uploaded` or
  `unverified`.

Groups are unfolded when a journal is closed, and after a kill in the transaction that starts the next run
(`Journal.begin_run`). Each file that has not settled gets a row of its own, `asked` or `ticketed`, and its ticket gets
a row in `tickets`. The same transaction of the next run recovers from the kill:

- `asked` becomes `pending`. Their number is recorded as unknown ids: the calls were cut off before their answer.
- Tickets whose lease has ended become orphans, and their rows `pending`. A `stored` row keeps its ticket.
- A live ticket is handed out again by `Lookup`. The run uses it only if the file and its place are the same.
- A `stored` row needs only the closing call.

So all groups are those of the run that holds the lock, and its lookups need not know them: a run meets each file once.

The end of a finished run erases all remaining tickets but those of `stored` rows, so the file holds no signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from bulkup.journal.digest_column import stored_digest
from bulkup.journal.group_row import RowNumbers, dump_answers, dump_files, dump_tickets
from bulkup.journal.kept_rejections import kept
from bulkup.journal.open_groups import OpenGroups
from bulkup.journal.part_rows import erasing_statement, sent_statement
from bulkup.journal.stat_columns import signed_stat
from bulkup.journal.ticket_text import dump, without_secrets
from bulkup.journal.writer import Statement
from bulkup.model.files import UNKNOWN_IDENTITY
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import SentPart, Ticket

_KEY = "destination_id = r.column1 AND source_id = r.column2 AND path = r.column3"

# `{rows}` stands for the rows: `(?, ?, ...), (?, ?, ...)`. Updates join them as the table r, whose first three columns
# are the key.

_ASK = "INSERT INTO presign_groups (id, destination_id, run_id, files) VALUES (?, ?, ?, ?)"
_ANSWER = "UPDATE presign_groups SET answers = ?, tickets = ? WHERE id = ?"
_CLOSE_GROUP = "DELETE FROM presign_groups WHERE id = ?"
# An uploaded file that changed keeps its old remote id until it has a new one. Only `_DONE` replaces the id, after
# `_SUPERSEDED` has recorded the old one.
_COLUMNS = """destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5, attempts, error,
    run_id, place, after_group"""
_UPSERT = f"""
INSERT INTO files ({_COLUMNS})
VALUES {{rows}}
ON CONFLICT DO UPDATE SET state = excluded.state, size = excluded.size, mtime_ns = excluded.mtime_ns,
    ctime_ns = excluded.ctime_ns, inode = excluded.inode, device = excluded.device, md5 = excluded.md5,
    attempts = excluded.attempts, error = excluded.error, run_id = excluded.run_id, place = excluded.place,
    after_group = excluded.after_group
"""
# An entry that could not be examined says nothing about the file that an earlier run recorded.
_UNSEEN = f"{_UPSERT} WHERE files.state NOT IN ('uploaded', 'unverified', 'ticketed', 'stored')"
_UNCHANGED = f"""
UPDATE files SET size = r.column4, mtime_ns = r.column5, ctime_ns = r.column6, inode = r.column7, device = r.column8
FROM (VALUES {{rows}}) AS r WHERE {_KEY}
"""
_RECEIPT = f"""
INSERT INTO files ({_COLUMNS}, etag, uploaded_at, verified{{more}})
VALUES {{rows}}
ON CONFLICT DO UPDATE SET state = excluded.state, size = excluded.size, mtime_ns = excluded.mtime_ns,
    ctime_ns = excluded.ctime_ns, inode = excluded.inode, device = excluded.device, md5 = excluded.md5,
    attempts = {{attempts}}, error = excluded.error, run_id = excluded.run_id, place = excluded.place,
    after_group = excluded.after_group, etag = excluded.etag, uploaded_at = excluded.uploaded_at,
    verified = excluded.verified{{update}}
"""
# A run that only makes the closing call has made no attempt, so the number of the run that sent the bytes stays.
_ATTEMPTS = "CASE excluded.attempts WHEN 0 THEN files.attempts ELSE excluded.attempts END"
_STORED = _RECEIPT.format(more="", rows="{rows}", attempts=_ATTEMPTS, update="")
_UPLOAD = ", kept_until, remote_id, remote"
_DONE = _RECEIPT.format(
    more=_UPLOAD,
    rows="{rows}",
    attempts=_ATTEMPTS,
    update=", kept_until = excluded.kept_until, remote_id = excluded.remote_id, remote = excluded.remote",
)
_NEW = f"INSERT INTO files ({_COLUMNS}, etag, uploaded_at, verified{_UPLOAD}) VALUES {{rows}} ON CONFLICT DO NOTHING"
# The service's last answer about a file whose closing call is not finished.
_REMOTE = f"UPDATE files SET remote = r.column4 FROM (VALUES {{rows}}) AS r WHERE {_KEY} AND state = 'stored'"
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
_NO_ORPHAN = "DELETE FROM orphans WHERE destination_id = ? AND run_id = ? AND remote_id = ?"


_UNUSABLE = "its ticket could not be used"
NOT_USED = "its ticket was not used in time"
KeptUntil = Callable[[float], float | None]


class Statements:
    """The statements of one run, with the numbers of the destination and the run filled in.

    `groups` are those of the run. A statement made here takes effect in them at once. Without `creates_ids`, an unused
    ticket leaves no id at the service, so it becomes no orphan.
    """

    def __init__(
        self,
        destination_id: int,
        run_id: int,
        kept_until: KeptUntil,
        settings_digest: str = "",
        groups: OpenGroups | None = None,
        *,
        creates_ids: bool = True,
    ) -> None:
        self.creates_ids = creates_ids
        self._destination = destination_id
        self._run = run_id
        self._kept_until = kept_until
        self._settings_digest = settings_digest
        self._groups = groups or OpenGroups()

    def pending(
        self,
        items: Sequence[Item],
        replaced: Sequence[tuple[Item, Ticket]],
        now: float,
        reason: str = _UNUSABLE,
    ) -> list[Statement]:
        """Return the rows of files with no call under way, with the digests of those hashed in advance."""
        orphaned = self._orphaned(replaced, reason, now)
        return [*orphaned, self._upsert(items, FileState.PENDING), self._leave(items)]

    def asked(self, group: Group, replaced: Sequence[tuple[Item, Ticket]], now: float) -> list[Statement]:
        """Return the intent of a presign call. Tickets that it replaces become orphans."""
        orphaned = self._orphaned(replaced, _UNUSABLE, now)
        closed = self._groups.open(group)
        row = self._row_of(group)
        return [*orphaned, Statement(_ASK, [(*row, dump_files(row, group.items))]), _closing(closed)]

    def ticketed(self, group: Group, tickets: Sequence[Ticket | None]) -> list[Statement]:
        """Return the tickets of a group."""
        self._groups.answer(group, tickets)
        row = self._row_of(group)
        answers = dump_answers(row, tickets)
        return [Statement(_ANSWER, [(answers, dump_tickets(row, tickets, answers), group.number)])]

    def stored(self, items: Iterable[Item]) -> list[Statement]:
        """Return the rows of storage's receipts. The ticket is replaced by the part that the closing call needs."""
        stored = list(items)
        bare = [(*self._key(item), *_ticket_row(without_secrets(item.ticket))) for item in stored if item.ticket]
        rows = [self._receipt_row(item, FileState.STORED) for item in stored]
        return [Statement(_STORED, rows), Statement(_KEEP_TICKET, bare), self._leave(stored)]

    def part_sent(self, item: Item, ticket: Ticket, part: SentPart) -> list[Statement]:
        """Return the row of a part of a file that storage has."""
        return [sent_statement(self._key(item), ticket, part)]

    def deleted(self, ticket: Ticket) -> list[Statement]:
        """Return the removal of an orphan of this run, of which the service has nothing any more."""
        return [Statement(_NO_ORPHAN, [(self._destination, self._run, ticket.remote_id)])]

    def unknown_ids(self, count: int, reason: str, now: float) -> list[Statement]:
        """Return the row for up to `count` remote ids that a call may have created and that no answer named."""
        return [Statement(_ORPHAN, [(self._destination, None, None, None, count, reason, now, self._run)])]

    def settled(self, outcomes: Sequence[Outcome], now: float) -> list[Statement]:
        """Return the rows of terminal states and of items that are given back.

        Tickets of settled files are erased. Remote ids that are no longer needed become orphans.
        """
        done = [o for o in outcomes if o.state in DONE and not o.unchanged]
        others = self._not_uploaded(outcomes, now) if len(done) < len(outcomes) else []
        uploaded = [o.item for o in done]
        keys = [(item.file.source.id, item.file.path) for item in uploaded]
        return [
            self._done([self._done_row(o) for o in done], uploaded, now),
            Statement(_ERASE_TICKET, [(self._destination, *key) for key in self._groups.outside(keys)]),
            *erasing_statement((self._key(item), item.ticket) for item in uploaded),
            _closing(self._groups.leave(keys)),
            *others,
        ]

    def _done(self, rows: Sequence[tuple[Any, ...]], items: Sequence[Item], now: float) -> Statement:
        """Return the statement for uploaded files. Most are new; the rows of others are looked for only then."""

        def known() -> list[Statement]:
            return [Statement(_SUPERSEDED, [self._newer_row(item, now) for item in items]), Statement(_DONE, rows)]

        return Statement(_NEW, rows, otherwise=known)

    def unused(self, now: float) -> list[Statement]:
        """Return the rows of files in groups whose tickets the run has not used."""
        left = list(self._groups.ticketed())
        return self.pending([item for item, _ in left], left, now, NOT_USED) if left else []

    def _not_uploaded(self, outcomes: Sequence[Outcome], now: float) -> list[Statement]:
        unchanged = [o for o in outcomes if o.unchanged]
        unended = [o for o in outcomes if o.state is None and o.item.receipt is not None and o.remote]
        given_back = [o.item for o in outcomes if o.state is None and o.item.ticket is None and not _unread(o.item)]
        ended = [o for o in outcomes if o.state is not None and o.state not in DONE]
        of_their_own = [
            o for o in ended if not _unread(o.item) and not o.unconfirmed and not self._is_under_way(o.item)
        ]
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
            Statement(_UNCHANGED, [self._unchanged_row(o.item) for o in unchanged]),
            Statement(_REMOTE, [(*self._key(o.item), _remote(o)) for o in unended]),
            self._upsert(given_back, FileState.PENDING),
            *by_state,
            *self._orphaned(unused, "its file could not be uploaded", now),
            self._leave([*given_back, *(o.item for o in of_their_own)]),
        ]

    def _is_under_way(self, item: Item) -> bool:
        """Return whether an entry could not be examined whose file this run has met and asked for."""
        return item.file.identity == UNKNOWN_IDENTITY and (item.file.source.id, item.file.path) in self._groups

    def _orphaned(self, tickets: Iterable[tuple[Item, Ticket]], reason: str, now: float) -> list[Statement]:
        """Return the rows of remote ids that will receive no bytes, and erase their tickets.

        A ticket in a group is no longer valid once its file has left the group.
        """
        pairs = list(tickets)
        rows = [
            (self._destination, item.file.source.id, item.file.path, ticket.remote_id, 1, reason, now, self._run)
            for item, ticket in pairs
            if self.creates_ids or ticket.parts is not None
        ]
        parts = erasing_statement((self._key(item), ticket) for item, ticket in pairs)
        return [Statement(_ORPHAN, rows), self._erasing(item for item, _ in pairs), *parts]

    def _erasing(self, items: Iterable[Item]) -> Statement:
        """Return the statement that erases tickets in rows of their own. Files in groups have none."""
        groups = self._groups
        keys = [self._key(item) for item in items if (item.file.source.id, item.file.path) not in groups]
        return Statement(_ERASE_TICKET, keys)

    def _leave(self, items: Iterable[Item]) -> Statement:
        """Return the statement that deletes the groups whose last files these are. They have rows of their own now."""
        return _closing(self._groups.leave([(item.file.source.id, item.file.path) for item in items]))

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
                    str(state),
                    *signed_stat(item.file.identity),
                    stored_digest(item.digest),
                    item.history.attempts,
                    error,
                    self._run,
                    item.place.name if item.place else None,
                    self._groups.last,
                )
                for item in items
            ],
        )

    def _receipt_row(self, item: Item, state: FileState) -> tuple[Any, ...]:
        file, receipt = item.file, item.receipt
        assert receipt is not None
        return (
            self._destination,
            file.source.id,
            file.path,
            str(state),
            *signed_stat(receipt.identity),
            stored_digest(receipt.digest),
            item.history.attempts,
            None,
            self._run,
            item.place.name if item.place else None,
            self._groups.last,
            receipt.etag,
            receipt.stored_at,
            int(receipt.verified),
        )

    def _done_row(self, outcome: Outcome) -> tuple[Any, ...]:
        item, receipt, ticket, state = outcome.item, outcome.item.receipt, outcome.item.ticket, outcome.state
        assert receipt is not None
        assert ticket is not None
        assert state is not None
        kept_until = self._kept_until(receipt.stored_at)
        return (*self._receipt_row(item, state), kept_until, ticket.object_id, _remote(outcome))

    def _newer_row(self, item: Item, now: float) -> tuple[Any, ...]:
        assert item.ticket is not None
        return (*self._key(item), item.ticket.object_id, now, self._run)

    def _unchanged_row(self, item: Item) -> tuple[Any, ...]:
        # The row may be that of another source that contains the same file.
        source_id, path = item.known_at or (item.file.source.id, item.file.path)
        return (self._destination, source_id, path, *signed_stat(item.file.identity))

    def _row_of(self, group: Group) -> RowNumbers:
        return RowNumbers(group.number, self._destination, self._run)

    def _key(self, item: Item) -> tuple[int, int, bytes]:
        return self._destination, item.file.source.id, item.file.path


def _unread(item: Item) -> bool:
    """Return whether an item was not hashed again although it should have been: its row describes an earlier upload."""
    return item.known_digest is not None and item.digest is None


def _ticket_row(ticket: Ticket) -> tuple[str, float | None, str]:
    return ticket.remote_id, ticket.expires_at, dump(ticket)


def _remote(outcome: Outcome) -> str:
    ticket = outcome.item.ticket
    assert ticket is not None
    remote = {**ticket.remote, **outcome.remote} if outcome.remote else ticket.remote
    return orjson.dumps(remote).decode()


def _closing(groups: Sequence[int]) -> Statement:
    return Statement(_CLOSE_GROUP, [(number,) for number in groups])
