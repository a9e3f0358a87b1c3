"""The shards of the runs of a journal: a run of another shard belongs to another journal."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from bulkup.errors import UsageError
from bulkup.journal.database import row_values
from bulkup.model.shard import WHOLE, Shard, parse_shard

if TYPE_CHECKING:
    from bulkup.journal.reader import Reader

_HINT = "each shard needs a journal of its own, which it has by default; docs/how-to/shards.md has more"


def journal_shard(reader: Reader) -> Shard:
    """Return the largest shard of the runs of a journal, which all others are a part of."""
    texts = [text for (text,) in reader.rows("SELECT DISTINCT shard FROM runs")]
    with row_values(reader.path):
        return min(map(_shard, texts), key=lambda shard: shard.total, default=WHOLE)


def require_shard(connection: sqlite3.Connection, path: str, shard: Shard | None) -> None:
    """Raise UsageError unless a run of the journal took all files of a shard; None is the whole tree.

    Other journals may have files of such a shard, and the run would upload them again. A part of an earlier shard is
    allowed, so that copies of a journal can continue with a multiple of the shards.
    """
    texts = [text for (text,) in connection.execute("SELECT DISTINCT shard FROM runs ORDER BY shard")]
    wanted = shard or WHOLE
    with row_values(path):
        known = [_shard(text) for text in texts]
    if known and not any(one.contains(wanted) for one in known):
        run = f"shard {wanted}" if shard is not None else "all files"
        raise UsageError(f"the journal {path} is that of shard {known[0]}, and this run takes {run}", hint=_HINT)


def _shard(text: str | None) -> Shard:
    return WHOLE if text is None else parse_shard(text)
