"""The state of every file, in a SQLite file that survives a kill (docs/design.md section 6).

`statements` begins with the states, their transitions and the recovery after a kill. Everything that uses SQLite
belongs in this package: the schema and its migrations, the writer thread with its group commits, lookups for a run,
rows for commands, pruning, and the lock. Decisions about a file do not belong here: the pipeline makes them.
"""

from __future__ import annotations

from bulkup.journal.destination import Destination
from bulkup.journal.journal import Journal
from bulkup.journal.lock import Lock
from bulkup.journal.lookup import Comparison, KnownFile, Lookup, ReadOnlyView, read_only_view
from bulkup.journal.places import Claim, Holder
from bulkup.journal.prune import prune, prune_dry_run
from bulkup.journal.reader import Reader
from bulkup.journal.sources import link_journal

__all__ = [
    "Claim",
    "Comparison",
    "Destination",
    "Holder",
    "Journal",
    "KnownFile",
    "Lock",
    "Lookup",
    "ReadOnlyView",
    "Reader",
    "link_journal",
    "prune",
    "prune_dry_run",
    "read_only_view",
]
