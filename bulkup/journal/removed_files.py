"""Finds out whether a run has removed a file from its source after the upload."""

from __future__ import annotations

from bulkup.journal.reader import Reader
from bulkup.model.journal_rows import ManifestRow

# A removal holds for uploads of its own run and of earlier ones.
_REMOVED = """
SELECT 1 FROM sources s JOIN destinations d ON d.provider = ?2
JOIN removed r ON r.destination_id = d.id AND r.source_id = s.id AND r.path = ?3
JOIN main.files f ON f.destination_id = d.id AND f.source_id = s.id AND f.path = ?3 AND r.run_id >= f.run_id
WHERE s.root = ?1 LIMIT 1
"""


def removed_by_run(reader: Reader, row: ManifestRow) -> bool:
    """Return whether a run has removed the file of this row, as far as this journal knows. Raises `JournalError`."""
    return bool(reader.rows(_REMOVED, row.source, row.provider, row.path))
