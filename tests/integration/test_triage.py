"""A block of files is decided like each of its files alone, for any rows of the journal."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_world import a_ticket

from bulkup.journal import Lookup
from bulkup.journal.database import migrate, migrations
from bulkup.journal.row_query import DEFAULT_OPTIONS, RowQuery, RowQueryOptions
from bulkup.journal.sources import KnownSource
from bulkup.journal.ticket_text import dump
from bulkup.model.files import FoundFile, Identity, NameAtService, Place, Source, Stat
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Rejection
from bulkup.pipeline.scan.decision import Action, ChangePolicy, FileDecision, decide
from bulkup.pipeline.scan.triage import Triage, triage
from bulkup.providers import FileSpec, Provider

NOW = 1000.0
OUTER, INNER = Source(b"/data", id=1), Source(b"/data/sub", id=2)
PATHS = {OUTER: [b"b", b"sub-a", b"sub/a", b"sub/b", b"\xff"], INNER: [b"a", b"b", b"\xff"]}


class Row(NamedTuple):
    """A row of the journal, with or without a ticket."""

    state: FileState
    stat: Stat
    digest: bool
    kept_until: float | None
    place: str | None
    ticket: bool


class Service:
    """The parts of a provider that decide about files."""

    name = "service"

    def __init__(self, *, placed: bool) -> None:
        self.capabilities = SimpleNamespace(placed=placed, checksum_first=None)

    def place(self, spec: FileSpec) -> Place | None:
        return None if spec.name == "any" else Place("here", exclusive=spec.name == "a")

    def name_at_service(self, spec: FileSpec) -> NameAtService | None:
        return NameAtService("there", spec.name)

    def reject(self, spec: FileSpec) -> Rejection | None:
        return Rejection("not this one") if spec.name == "b" else None

    def hashes_first(self, spec: FileSpec) -> bool:
        return spec.size == 1


AS_IT_WAS: Stat = (1, 1, 1, 1, 1)
OTHERWISE: list[Stat] = [(2, 1, 1, 1, 1), (1, 2, 1, 1, 1), (1, 1, 2, 1, 1), (1, 1, 1, 2**64 - 1, 1), (1, 1, 1, 1, 2)]
# Mostly equal, so that many files are unchanged; one has a 64-bit number.
stats = st.sampled_from([AS_IT_WAS] * 5 + OTHERWISE)
recorded = st.builds(
    Row,
    st.sampled_from([*DONE, *DONE, *DONE, *FileState]),
    stats,
    st.booleans(),
    st.sampled_from([None, NOW - 1, NOW, NOW + 1]),
    st.sampled_from([None, "here", "there"]),
    st.booleans(),
)
SHARED = [(OUTER, b"sub/a"), (INNER, b"a")]
KEYS = [(source, path) for source, paths in PATHS.items() for path in paths]
journals = st.fixed_dictionaries(
    dict.fromkeys(SHARED, recorded), optional={key: recorded for key in KEYS if key not in SHARED}
)
trusts = st.builds(
    ChangePolicy, st.just(NOW), st.sampled_from(["strict", "default", "default", "content"]), st.booleans()
)


@functools.cache
def empty_journal() -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, migrations())
        connection.execute("INSERT INTO destinations VALUES (1, 'service', 'https://there', '')")
        return connection.serialize()


@contextlib.contextmanager
def rows_in(journal: dict[tuple[Source, bytes], Row]) -> Iterator[sqlite3.Connection]:
    """Return a connection to a journal in memory with these rows."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        insert_rows(connection, journal)
        yield connection


def insert_rows(connection: sqlite3.Connection, journal: dict[tuple[Source, bytes], Row]) -> None:
    connection.deserialize(empty_journal())
    for (source, path), row in journal.items():
        size, mtime_ns, ctime_ns, inode, device = row.stat
        signed = [number - 2**64 if number >= 2**63 else number for number in (inode, device)]
        values = (1, source.id, path, row.state, size, mtime_ns, ctime_ns, *signed, b"m" * 16 if row.digest else None)
        connection.execute(
            "INSERT INTO files (destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5,"
            " etag, verified, uploaded_at, kept_until, place, run_id) VALUES"
            " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'etag', 1, 1.0, ?, ?, 1)",
            (*values, row.kept_until, row.place),
        )
        if row.ticket:
            ticket = a_ticket("remote")
            live = (1, source.id, path, ticket.remote_id, ticket.expires_at, dump(ticket))
            connection.execute("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?)", live)


@contextlib.contextmanager
def lookup_in(journal: dict[tuple[Source, bytes], Row], options: RowQueryOptions = DEFAULT_OPTIONS) -> Iterator[Lookup]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    insert_rows(connection, journal)
    sources = [KnownSource(source.id, source.root, source.name) for source in PATHS]
    with contextlib.closing(Lookup(connection, "memory", 1, sources, options)) as lookup:
        yield lookup


def one_by_one(
    files: Sequence[FoundFile], lookup: Lookup, provider: Provider, policy: ChangePolicy
) -> list[FileDecision]:
    return [decide(file, lookup.find([file])[0], provider, policy) for file in files]


@given(st.data(), journals, st.sampled_from(list(PATHS)), trusts, st.booleans(), st.integers(1, 3), st.integers(-1, 1))
@settings(max_examples=100)
def test_a_block_is_decided_as_each_of_its_files(
    data: st.DataObject,
    journal: dict[tuple[Source, bytes], Row],
    source: Source,
    policy: ChangePolicy,
    placed: bool,
    at_once: int,
    spare: int,
) -> None:
    """In any order, with other rows between them, and with any number of rows per query."""
    paths = data.draw(st.permutations(PATHS[source]))
    some = data.draw(st.sampled_from([paths, sorted(paths)]))[: data.draw(st.integers(1, 5))]
    found = {path: data.draw(stats) for path in some}
    files = [FoundFile(source, path, Identity.of_stat(stat)) for path, stat in found.items()]
    provider = cast("Provider", Service(placed=placed))
    with lookup_in(journal, RowQueryOptions(at_once, spare)) as lookup:
        decisions = one_by_one(files, lookup, provider, policy)
        assert lookup.find(files) == [decision.known for decision in decisions]
        result = Triage()
        triage(source, found, lookup, provider, policy, result)
    assert figures(result) == figures(Triage(len(files), sum(f.identity.size for f in files), decisions=decisions))
    assert of_open(result.decisions) == of_open(decisions)
    if placed:  # the first of the files with the same place gets it
        assert result.decisions == decisions


def figures(result: Triage) -> dict[str, int]:
    """Return the counts, whether files were counted or decided."""
    settled = [decision for decision in result.decisions if decision.action is Action.SETTLED]
    return {
        "found": result.found,
        "bytes": result.bytes_found,
        "settled": result.settled + len(settled),
        "bytes settled": result.bytes_settled + sum(decision.file.identity.size for decision in settled),
        "expired": result.expired + sum(decision.expired for decision in settled),
    }


def of_open(decisions: Sequence[FileDecision]) -> dict[bytes, Any]:
    return {decision.file.path: decision for decision in decisions if decision.action is not Action.SETTLED}


@pytest.mark.parametrize("kept_until", [None, NOW + 1, NOW])
def test_unchanged_files_are_only_counted(kept_until: float | None) -> None:
    """No record of them is looked up."""
    found = {b"%04d" % number: (number, 1, 1, 1, 1) for number in range(1000)}
    row = Row(FileState.UPLOADED, (0, 1, 1, 1, 1), True, kept_until, None, False)
    journal = {(OUTER, path): row._replace(stat=stat) for path, stat in found.items()}
    with lookup_in(journal) as lookup, mock.patch.object(Lookup, "find", return_value=[]) as find:
        result = Triage()
        triage(OUTER, found, lookup, cast("Provider", Service(placed=False)), ChangePolicy(NOW), result)
    find.assert_called_once_with([])
    expired = 1000 if kept_until == NOW else 0
    size = sum(range(1000))
    assert result == Triage(1000, size, settled=1000, bytes_settled=size, expired=expired)


def test_the_later_expiry_of_two_rows_of_one_file_counts() -> None:
    """Two sources may hold the same file."""
    own, other = (Row(FileState.UPLOADED, AS_IT_WAS, True, until, None, False) for until in (NOW - 1, NOW + 1))
    for ours, theirs, expired in ((own, other, 0), (other, own, 0), (own, own, 1)):
        result = Triage()
        with lookup_in({(OUTER, b"sub/a"): ours, (INNER, b"a"): theirs}) as lookup:
            triage(
                OUTER, {b"sub/a": AS_IT_WAS}, lookup, cast("Provider", Service(placed=False)), ChangePolicy(NOW), result
            )
        assert figures(result) == {"found": 1, "bytes": 1, "settled": 1, "bytes settled": 1, "expired": expired}


@pytest.mark.parametrize("between", [0, 3, 1000])
def test_rows_are_found_with_many_others_between_them(between: int) -> None:
    """Rows of deleted or excluded files: at most about as many of them are read as rows that were requested."""
    wanted = [b"%02d" % number for number in range(20)]
    row = Row(FileState.UPLOADED, AS_IT_WAS, True, None, None, False)
    journal = {(OUTER, path + more): row for path in wanted for more in (b"", *(b"-%d" % n for n in range(between)))}
    options = RowQueryOptions()
    with lookup_in(journal, options) as lookup:
        assert not lookup.compare(OUTER, dict.fromkeys(wanted, AS_IT_WAS), NOW).others
    with rows_in(journal) as connection:
        read = RowQuery(connection, 1, "state", options=options).read(OUTER.id, wanted)
    assert set(wanted) <= read.keys()
    assert len(read) <= 3 * len(wanted) + options.spare_rows
