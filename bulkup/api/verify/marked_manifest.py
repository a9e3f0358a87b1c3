"""Marks the rows of a manifest with the state of their files on disk, a few at a time."""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from bulkup.api.verify.disk_comparison import DiskComparison
from bulkup.model.disk_states import DiskState
from bulkup.model.journal_rows import ManifestRow

_AT_ONCE = 1000


class _Roots(dict[bytes, bytes]):
    """The directories of sources by themselves: rows of a manifest name their source by its path."""

    def __missing__(self, root: bytes) -> bytes:
        return root


def with_disk_states(rows: Iterable[ManifestRow], removed: Callable[[ManifestRow], bool]) -> Iterator[ManifestRow]:
    """Yield the rows with `on_disk` set. It reads no file, but examines each.

    `removed` is asked, for a file that is not there, whether a run has removed it.
    """
    with contextlib.closing(DiskComparison(_Roots())) as disk:
        for source, block in _blocks(rows):
            states = [DiskState.SAME] * len(block)
            for found in disk.compare(source, [(row.path, *row.identity) for row in block]):
                states[found.number] = found.state
            for row, state in zip(block, states, strict=True):
                gone = state is DiskState.DELETED and removed(row)
                yield replace(row, on_disk=DiskState.REMOVED if gone else state)


def _blocks(rows: Iterable[ManifestRow]) -> Iterator[tuple[bytes, list[ManifestRow]]]:
    """Yield the rows a few at a time, with their source."""
    for source, of_source in itertools.groupby(rows, operator.attrgetter("source")):
        while block := list(itertools.islice(of_source, _AT_ONCE)):
            yield source, block
