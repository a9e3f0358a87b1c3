"""Finds a single file in a journal, by its path on disk or in its source."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from bulkup.journal.database import row_values
from bulkup.journal.reader import Reader, manifest_row
from bulkup.model.journal_rows import FileRecord, OrphanRow

_RECORD = """
SELECT d.id, s.root, d.provider, d.base_url, r.run, r.started_at, f.path, f.size, f.md5, f.state, f.remote_id, f.remote,
       f.etag, f.attempts, f.error, f.uploaded_at, f.kept_until, f.mtime_ns, f.ctime_ns, f.inode, f.device, f.run_id
FROM destinations d CROSS JOIN files f ON f.destination_id = d.id AND f.source_id = ?1 AND f.path = ?2
CROSS JOIN sources s ON s.id = f.source_id LEFT JOIN runs r ON r.id = f.run_id ORDER BY d.id
"""
_OTHER_IDS = """
SELECT o.remote_id, o.count, d.provider, s.root, o.path, o.reason, o.created_at, coalesce(r.run, ''), o.superseded_by,
       o.kept_until
FROM orphans o CROSS JOIN destinations d ON d.id = o.destination_id CROSS JOIN sources s ON s.id = o.source_id
LEFT JOIN runs r ON r.id = o.run_id WHERE o.source_id = ?1 AND o.path = ?2 ORDER BY o.id DESC LIMIT ?3
"""
_MOST_IDS = 20  # that are shown


class _Place(NamedTuple):
    """A file as a source has it."""

    source_id: int
    path: bytes


def file_records(reader: Reader, named: bytes) -> list[FileRecord]:
    """Return what is known of a file, one record for each destination and source that have it.

    `named` is a path on disk, absolute or relative to the current folder. If no source has that file, it is taken for a
    path relative to a source, as the manifest shows it. Raises `JournalError`.
    """
    places = [*_on_disk(reader, named)]
    found = [record for place in places for record in _records(reader, place)]
    if found or os.path.isabs(named):
        return found
    inside = os.path.normpath(named)
    return [record for source in reader.sources() for record in _records(reader, _Place(source.id, inside))]


def records_at(reader: Reader, source_id: int, path: bytes) -> list[tuple[int, FileRecord]]:
    """Return what is known of a file of a source, with the number of each destination. Raises `JournalError`."""
    rows = reader.rows(_RECORD, source_id, path)
    if not rows:
        return []
    others = tuple(OrphanRow(*row) for row in reader.rows(_OTHER_IDS, source_id, path, _MOST_IDS))
    found = []
    for destination, root, provider, base_url, run, started, *row in rows:
        with row_values(reader.path):
            record = FileRecord(manifest_row(root, provider, row), base_url, run, started, others)
        found.append((destination, record))
    return found


def _on_disk(reader: Reader, named: bytes) -> Iterator[_Place]:
    """Yield the sources that contain a path. The last part may be a link, and is not followed."""
    folder, name = os.path.split(os.path.abspath(named))
    real = os.path.join(os.path.realpath(folder), name)
    for source in reader.sources():
        start = os.path.join(source.root, b"")
        if real.startswith(start):
            yield _Place(source.id, real[len(start) :])


def _records(reader: Reader, place: _Place) -> list[FileRecord]:
    return [record for _, record in records_at(reader, place.source_id, place.path)]
