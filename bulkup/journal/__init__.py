"""What happened to every file, on disk before anything depends on it (docs/design.md section 6).

Here belongs all that touches SQLite: the schema and its migrations, the one writer thread with its group commits, the
lookups of a run that goes on, the rows that commands read, pruning, the lock. Not here: any decision about a file.
The journal is told what happened and answers what it knows.
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
