"""Rejected files that a later run has skipped at the user's wish (`unsupported = "skip"`): they are no failures.

Such a run leaves their rows as they are, with the number of the run that rejected them.
"""

from __future__ import annotations

import json

from bulkup.journal.database import row_values
from bulkup.journal.reader import Reader

# A condition for rows that are not skipped: it takes the number that `skipping_run` returns.
NOT_SKIPPED = "(state <> 'rejected' OR run_id >= {run:d})"


def skipping_run(reader: Reader) -> int:
    """Return the number of the newest run that skipped files, 0 without one. Rejections before it are skipped."""
    for number, summary in reader.rows("SELECT id, summary FROM runs WHERE summary IS NOT NULL ORDER BY id DESC"):
        with row_values(reader.path):
            if json.loads(summary).get("unsupported"):  # sums may exceed the 64 bits of orjson's integers
                return int(number)
    return 0
