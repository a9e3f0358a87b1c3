"""One manifest of several journals, such as those of the shards of a tree: a merge of sorted reads.

The rows are ordered by destination, source and path. Memory grows with the number of journals and of their runs, not
with that of the files. A file that several journals have gets one row.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import operator
import os
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Self

from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.destination import Destination
from bulkup.journal.reader import Reader
from bulkup.journal.run_shards import journal_shard
from bulkup.journal.sources import KnownSource
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.shard import Shard
from bulkup.model.states import FileState

_NOT_FINAL = frozenset({FileState.PENDING, FileState.ASKED, FileState.TICKETED, FileState.STORED})


@dataclass(slots=True)
class MergeCounts:
    """Files that several journals have: `repeated` of them, in `rows_left_out` further rows."""

    repeated: int = 0
    rows_left_out: int = 0


class _Row(NamedTuple):
    """A row with its order among the rows of a file: the newest one of a final state is kept, or else the newest."""

    path: bytes
    is_final: bool
    began: float
    place: int  # of the journal
    row: ManifestRow


class MergedManifest:
    """Owns the readers of several journals until `close`. Use it as a context manager.

    Raises UsageError for a journal that is named twice, and unless `mixed` for one that has no destination or no source
    in common with the first. Raises `JournalError` for one that cannot be read.
    """

    def __init__(self, paths: Sequence[str], *, mixed: bool = False) -> None:
        _refuse_repeated(paths)
        self.counts = MergeCounts()
        with contextlib.ExitStack() as stack:
            self._readers = [stack.enter_context(Reader(path)) for path in paths]
            self._places = [_places(reader) for reader in self._readers]
            if not mixed:
                self._refuse_others()
            self._times = [reader.run_times() for reader in self._readers]
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def readers(self) -> Sequence[Reader]:
        """The readers of the journals, in the order given."""
        return self._readers

    def close(self) -> None:
        """Close the readers."""
        self._stack.close()

    def shards(self) -> list[Shard]:
        """Return the shard of each journal."""
        return [journal_shard(reader) for reader in self._readers]

    def rows(self, states: Collection[FileState] = (), since: str | None = None) -> Iterator[ManifestRow]:
        """Yield one row for each file.

        Without `states`, of all states. With `since`, the beginning of a run's id, only files that it or a later run
        has met, in all journals by the time at which it began; `last` is the newest run of each journal. Raises
        UsageError for an unknown run.
        """
        first = [0.0] * len(self._readers) if since is None else self._first_times(since)
        return (
            one.row
            for one in self._resolved()
            if (not states or one.row.status in states) and one.began >= first[one.place]
        )

    def _resolved(self) -> Iterator[_Row]:
        for key in sorted({key for places in self._places for key in places}):
            streams = [self._rows_of(place, key) for place, places in enumerate(self._places) if key in places]
            for _, rows in itertools.groupby(heapq.merge(*streams, key=_path), key=_path):
                of_file = list(rows)  # at most one of each journal
                self.counts.repeated += len(of_file) > 1
                self.counts.rows_left_out += len(of_file) - 1
                yield max(of_file, key=_newness)

    def _rows_of(self, place: int, key: _Key) -> Iterator[_Row]:
        times = self._times[place]
        for row in self._readers[place].manifest_of(*self._places[place][key]):
            yield _Row(row.path, row.status not in _NOT_FINAL, times.get(row.run, 0.0), place, row)

    def _first_times(self, since: str) -> list[float]:
        """Return for each journal the time of the first run to include."""
        numbers = [reader.run_numbers(since) if since else [] for reader in self._readers]
        found = [times[number] for times, some in zip(self._times, numbers, strict=True) for number in some]
        if since == "last":
            return [max(times.values(), default=0.0) for times in self._times]
        if len(found) > 1:
            raise UsageError(f"several runs have ids that begin with {since}", hint="give more of the id")
        if not found:
            raise UsageError(f"the journals have no run {since}", hint="`bulkup runs` lists the runs of a journal")
        return found * len(self._readers)

    def _refuse_others(self) -> None:
        """Raise UsageError for a journal of another destination or source than the first."""
        known = self._places[0]
        for reader, places in zip(self._readers[1:], self._places[1:], strict=True):
            for what, part in (("destination", _destination_of), ("source", _source_of)):
                ours, others = set(map(part, known)), set(map(part, places))
                if not ours & others:
                    raise UsageError(
                        f"the journal {reader.path} has another {what} than {self._readers[0].path}: "
                        f"{_shown(others)}, not {_shown(ours)}",
                        hint="a manifest of different uploads is made with --mixed",
                    )


# A destination, and a source by its name, or else by its path.
_Key = tuple[tuple[str, str, str], tuple[str, bytes]]
_path = operator.attrgetter("path")


def _newness(row: _Row) -> tuple[bool, float, int]:
    return row.is_final, row.began, row.place


def _places(reader: Reader) -> dict[_Key, tuple[int, int]]:
    """Return the numbers of each destination and source of a journal by their key in all journals."""
    return {
        (_destination_key(destination), _source_key(source)): (number, source.id)
        for number, destination in reader.destinations().items()
        for source in reader.sources()
    }


def _destination_key(destination: Destination) -> tuple[str, str, str]:
    return destination.provider, destination.base_url, destination.scope


def _source_key(source: KnownSource) -> tuple[str, bytes]:
    return ("", source.root) if source.name is None else (source.name, b"")


def _destination_of(key: _Key) -> str:
    return " ".join(part for part in key[0] if part)


def _source_of(key: _Key) -> str:
    name, root = key[1]
    return name or os.fsdecode(root)


def _shown(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _refuse_repeated(paths: Sequence[str]) -> None:
    seen = set[str]()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise UsageError(f"the journal {path} is named twice")
        seen.add(real)
