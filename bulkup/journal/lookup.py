"""Finds the rows of files that the scanner found, in groups, from the scanner's thread.

A lookup has its own connection: readers of a WAL journal never wait for the writer. Sources that contain one another
share their files: a file uploaded as part of `/data` is known if `/data/sub` is the source, and the other way round. A
source with a name and one without a name share their files too, if they have the same path.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import has_groups, has_places, journal_exists, row_values, sqlite_errors
from bulkup.journal.destination import Destination
from bulkup.journal.digest_column import loaded_digest
from bulkup.journal.earlier_versions import open_any_version
from bulkup.journal.error_mapping import DamagedJournalError
from bulkup.journal.part_rows import sent_parts
from bulkup.journal.places import DryRunPlaces
from bulkup.journal.row_query import DEFAULT_OPTIONS, Row, RowQuery, RowQueryOptions
from bulkup.journal.sources import KnownSource, Overlap, find_source_id, known_sources, overlapping_sources
from bulkup.journal.stat_columns import unsigned_stat
from bulkup.journal.ticket_text import load
from bulkup.journal.unfolding import unsettled
from bulkup.model.files import Digest, FoundFile, Identity, Source, Stat
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Receipt, SentPart, Ticket

_COLUMNS = "state, size, mtime_ns, ctime_ns, inode, device, md5, etag, uploaded_at, verified, kept_until, error"
_IDENTITY = "size, mtime_ns, ctime_ns, inode, device, kept_until"
_DONE = "state IN ('uploaded', 'unverified')"
# As bytes: the error about a text that is not UTF-8 would contain it.
_TICKET = """
SELECT CAST(remote_id AS BLOB), expires_at, CAST(ticket AS BLOB) FROM tickets
WHERE destination_id = ? AND source_id = ? AND path = ?
"""

# A removal holds for uploads of its own run and of earlier ones.
_NOT_REMOVED = """
SELECT EXISTS (SELECT 1 FROM main.files f WHERE f.destination_id = ? AND f.source_id = ? AND NOT EXISTS (
    SELECT 1 FROM removed r WHERE r.destination_id = f.destination_id AND r.source_id = f.source_id
        AND r.path = f.path AND r.run_id >= f.run_id))
"""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """The row of a file. `ticket` is set while the row has a live one, `receipt` after storage accepted the bytes.

    `at` is the source's number and the path in the row's key, `place` the name of the place at the service.
    `kept_until` is the Unix time at which the service deletes the upload, None for never. `rejection` is the reason of
    a rejected file, as it was kept (`kept_rejections`). `parts` are the parts that were sent with the ticket.
    """

    state: FileState
    identity: Identity
    digest: Digest | None
    ticket: Ticket | None
    receipt: Receipt | None
    at: tuple[int, bytes] = (0, b"")
    place: str | None = None
    kept_until: float | None = None
    rejection: str | None = None
    parts: tuple[SentPart, ...] = ()

    def matches(self, identity: Identity) -> bool:
        """Return whether size and modification time in the row are those of `identity`."""
        return (self.identity.size, self.identity.mtime_ns) == (identity.size, identity.mtime_ns)

    def expired(self, now: float) -> bool:
        """Return whether the file was uploaded and the service has deleted it."""
        return self.kept_until is not None and self.kept_until <= now and self.state in DONE


class Comparison(NamedTuple):
    """The paths of files, by the result of a comparison with their rows.

    Files in `kept` and `expired` were uploaded exactly as they are now, and the service has deleted those in `expired`.
    The rows of `others` have to be read with `find`.
    """

    kept: list[bytes]
    expired: list[bytes]
    others: list[bytes]


class Lookup:
    """Reads the rows of one destination. Used by one thread at a time; `close` closes its connection.

    All files of one call belong to one source. `on_damage` is called when a row turns out to be damaged.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: str,
        destination_id: int,
        sources: Sequence[KnownSource],
        options: RowQueryOptions = DEFAULT_OPTIONS,
        on_damage: Callable[[DamagedJournalError], None] | None = None,
        grouped: Mapping[tuple[int, bytes], KnownFile] = MappingProxyType({}),
        earlier_than: int | None = None,
    ) -> None:
        """Take the files in groups, by source number and path. A run passes none: it meets each file once.

        `compare` finds only files that were uploaded before the run with the number `earlier_than`.
        """
        self._connection = connection
        self._path = path
        self._on_damage = on_damage
        place = "place" if has_places(connection) else "NULL"
        self._rows = RowQuery(connection, destination_id, f"{_COLUMNS}, {place}", options=options)
        self._earlier = "" if earlier_than is None else f" AND run_id <> {earlier_than:d}"
        self._done = RowQuery(connection, destination_id, _IDENTITY, _DONE + self._earlier, options)
        self._destination = destination_id
        self._grouped = grouped
        self._with_files = [source for source in sources if self._has_files(source.id)]
        self._filled = {source.id for source in self._with_files}
        self._related: dict[bytes, list[Overlap]] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def find(self, files: Sequence[FoundFile]) -> list[KnownFile | None]:
        """Return the row of each file, None for an unknown file. Raises `JournalError`."""
        if not self._filled or not files:
            return [None] * len(files)
        source = files[0].source
        with self._reading():
            own = self._known_at(source.id, [file.path for file in files])
            open_ = [file for file, known in zip(files, own, strict=True) if not _conclusive(known, file)]
            others = self._known_elsewhere(source, [file.path for file in open_])
        elsewhere = dict(zip((file.path for file in open_), others, strict=True))
        return [_best(file, known, elsewhere.get(file.path, ())) for file, known in zip(files, own, strict=True)]

    def compare(self, source: Source, files: Mapping[bytes, Stat], now: float) -> Comparison:
        """Separate files that are unchanged since their upload from all others, at the Unix time `now`.

        The result agrees with `find`, but fewer columns are read: only enough to find the files that need no work.
        Files in `others` may still turn out to be uploaded. Raises `JournalError`.
        """
        if source.id not in self._filled:
            return Comparison([], [], list(files))
        with self._reading():
            rows = self._done.read(source.id, list(files))
        if self._grouped:
            rows = {path: row for path, row in rows.items() if (source.id, path) not in self._grouped}
        # The file may have been uploaded again as part of another source, and be kept for longer.
        alone = not self._related_to(source)
        compared = kept, expired, others = Comparison([], [], [])
        for path, stat in files.items():
            row = rows.get(path)
            if (
                row is None
                or (self._grouped and (source.id, path) in self._grouped)
                or (row[1:6] != stat and unsigned_stat(row[1:6]) != stat)
            ):
                others.append(path)
            elif row[6] is None:
                kept.append(path)
            elif alone:
                (expired if row[6] <= now else kept).append(path)
            else:
                others.append(path)
        return compared

    def knows_files_of(self, source: Source) -> bool:
        """Return whether an earlier run found files in this source, or in another source at the same path.

        Files that a run has removed after their upload do not count.
        """
        same_path = [other.id for other in self._related_to(source) if not other.strip and not other.add]
        known = [number for number in (source.id, *same_path) if number in self._filled]
        with self._reading():
            return any(
                self._connection.execute(_NOT_REMOVED, (self._destination, number)).fetchone()[0] for number in known
            )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with sqlite_errors(self._path), row_values(self._path):
                yield
        except DamagedJournalError as error:
            if self._on_damage is not None:
                self._on_damage(error)
            raise

    def _known_at(self, source_id: int, paths: Sequence[bytes]) -> list[KnownFile | None]:
        if source_id not in self._filled:
            return [None] * len(paths)
        rows = self._rows.read(source_id, paths)
        own = [self._known(row, source_id) if (row := rows.get(path)) is not None else None for path in paths]
        if not self._grouped:
            return own
        grouped = [self._grouped.get((source_id, path)) for path in paths]
        return [_in_group(file, known) for file, known in zip(grouped, own, strict=True)]

    def _known_elsewhere(self, source: Source, paths: Sequence[bytes]) -> list[list[KnownFile]]:
        """Return for each path its rows in sources that share files with this one."""
        found: dict[bytes, list[KnownFile]] = {path: [] for path in paths}
        for source_id, strip, add in self._related_to(source):
            shared = [path for path in paths if path.startswith(strip)]
            there = self._known_at(source_id, [add + path[len(strip) :] for path in shared])
            for path, known in zip(shared, there, strict=True):
                if known is not None:
                    found[path].append(known)
        return [found[path] for path in paths]

    def _known(self, row: Row, source_id: int) -> KnownFile:
        path, state, *stat, md5, etag, uploaded_at, verified, kept_until, error, place = row
        identity = Identity(*unsigned_stat(stat))
        digest = loaded_digest(md5)
        ticket = receipt = None
        if state in (FileState.TICKETED, FileState.STORED):
            ticket = self._ticket(source_id, path)
        parts = () if ticket is None else sent_parts(self._connection, (self._destination, source_id, path), ticket)
        if state == FileState.STORED and uploaded_at is not None:
            receipt = Receipt(digest, identity, etag, bool(verified), uploaded_at, parts)
        at, error = (source_id, path), error if state == FileState.REJECTED else None
        return KnownFile(FileState(state), identity, digest, ticket, receipt, at, place, kept_until, error, parts)

    def _ticket(self, source_id: int, path: bytes) -> Ticket | None:
        row = self._connection.execute(_TICKET, (self._destination, source_id, path)).fetchone()
        return load(row[2], row[0], row[1]) if row is not None else None

    def _related_to(self, source: Source) -> list[Overlap]:
        if source.root not in self._related:
            self._related[source.root] = overlapping_sources(source, self._with_files)
        return self._related[source.root]

    def _has_files(self, source_id: int) -> bool:
        if any(grouped_source == source_id for grouped_source, _ in self._grouped):
            return True
        query = f"SELECT EXISTS (SELECT 1 FROM main.files WHERE destination_id = ? AND source_id = ?{self._earlier})"
        return bool(self._connection.execute(query, (self._destination, source_id)).fetchone()[0])


def _in_group(grouped: KnownFile | None, own: KnownFile | None) -> KnownFile | None:
    """Return what is known of a file that may be in a group. The service keeps its last upload as long as before."""
    if grouped is None or own is None:
        return grouped or own
    return replace(grouped, kept_until=own.kept_until)


def _conclusive(own: KnownFile | None, file: FoundFile) -> bool:
    """Return whether the file's own row is the best one, so that other sources need not be searched."""
    return own is not None and own.state in DONE and own.matches(file.identity) and own.kept_until is None


def _best(file: FoundFile, own: KnownFile | None, others: Sequence[KnownFile]) -> KnownFile | None:
    """Return the row to use for a file that has several.

    Among rows of finished uploads of the version on disk, the one that the service keeps longest. Otherwise the file's
    own row, or else any finished one.
    """
    done = [known for known in (own, *others) if known is not None and known.state in DONE]
    current = [known for known in done if known.matches(file.identity)]
    return max(current, key=_deletion_time, default=own or next(iter(done), None))


def _deletion_time(known: KnownFile) -> float:
    return math.inf if known.kept_until is None else known.kept_until


def decode_remote(text: str | None) -> dict[str, Any]:
    """Return the service's answer about a file from the text in the column `remote`."""
    value = orjson.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class ReadOnlyView:
    """Read-only access for a dry run.

    `lookup` is None if nothing is recorded for the destination. `sources` have their numbers, 0 for an unknown source.
    Claims in `places` are not written to the journal.
    """

    lookup: Lookup | None
    sources: tuple[Source, ...]
    places: DryRunPlaces


def _grouped_files(connection: sqlite3.Connection, destination_id: int) -> dict[tuple[int, bytes], KnownFile]:
    """Return the files in groups at one destination, by source number and path."""
    grouped = {}
    for numbers, file, ticket in unsettled(connection):
        if numbers.destination == destination_id:
            at, digest = (file.source_id, file.path), loaded_digest(file.md5)
            grouped[at] = KnownFile(file.state, Identity(*file.stat), digest, ticket, None, at, file.place)
    return grouped


@contextlib.contextmanager
def read_only_view(path: str, destination: Destination, sources: Sequence[Source]) -> Iterator[ReadOnlyView]:
    """Open a journal for a dry run, without a lock and without writing. The journal need not exist."""
    if not journal_exists(path):
        with contextlib.closing(DryRunPlaces(None, path, 0)) as places:
            yield ReadOnlyView(None, tuple(sources), places)
        return
    with contextlib.closing(open_any_version(path)) as connection, sqlite_errors(path):
        query = "SELECT id FROM destinations WHERE provider = ? AND base_url = ? AND scope = ?"
        key = (destination.provider, destination.base_url, destination.scope)
        row = connection.execute(query, key).fetchone()
        number = row[0] if row is not None else 0
        numbered = tuple(replace(source, id=find_source_id(connection, source) or 0) for source in sources)
        grouped = _grouped_files(connection, number) if has_groups(connection) else {}
        ticketed = {at for at, known in grouped.items() if known.ticket is not None}
        lookup = Lookup(connection, path, number, known_sources(connection), grouped=grouped) if number else None
        held = connection if has_places(connection) else None
        with contextlib.closing(DryRunPlaces(held, path, number, ticketed)) as places:
            yield ReadOnlyView(lookup, numbered, places)
