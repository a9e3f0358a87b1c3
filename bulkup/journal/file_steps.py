"""What an unfinished or removed file has in the journal beside its row: its ticket without secrets, its parts."""

from __future__ import annotations

from typing import Any

from bulkup.journal.index_rows import FileKey
from bulkup.journal.reader import Reader

_PARTS_SINCE, _REMOVED_SINCE = 7, 8
_KEY = "destination_id = ? AND source_id = ? AND path = ?"
_TICKET = f"SELECT remote_id, expires_at FROM tickets WHERE {_KEY}"  # never its text, which holds signatures
_PARTS = f"SELECT count(*) FROM parts WHERE {_KEY}"
_REMOVED = f"SELECT run_id FROM removed WHERE {_KEY}"


def file_steps(reader: Reader, key: FileKey) -> dict[str, Any]:
    """Return what is known of a file beside its row.

    `ticket` has the remote id of a ticket that an interrupted run has left, and the end of its lease (Unix time).
    `parts` is the number of parts that storage has of an unfinished upload. `removed` says that a run removed the file
    from its source after the upload. Raises `JournalError`.
    """
    ((version,),) = reader.rows("PRAGMA user_version")
    tickets = reader.rows(_TICKET, *key)
    parts = reader.rows(_PARTS, *key)[0][0] if version >= _PARTS_SINCE else 0
    removed = bool(reader.rows(_REMOVED, *key)) if version >= _REMOVED_SINCE else False
    ticket = {"remote_id": tickets[0][0], "expires_at": tickets[0][1]} if tickets else None
    return {"ticket": ticket, "parts": parts, "removed": removed}
