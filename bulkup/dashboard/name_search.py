"""Paths in memory, for search by a part of them, in upper or lower case.

A search through a database reads each row with all its columns. Here the paths stand in blocks, one behind the other,
and a block is searched at the speed of memory: a million paths take about 20 ms.

Pure.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator

BLOCK = 4096  # paths
_END = b"\0"  # no path contains it


def folded(text: bytes) -> bytes:
    """Return a path or a wanted text in lower case. Bytes that are not UTF-8 are not changed."""
    if text.isascii():
        return text.lower()
    return os.fsencode(os.fsdecode(text).lower())


class Names:
    """Paths, numbered from 0 in the order in which they were added. `seal` ends the adding."""

    def __init__(self) -> None:
        self._exact: list[bytes] = []
        self._folded: list[bytes] = []
        self._ends: list[array[int]] = []  # by block, the offset of the end of each folded path
        self._open: list[bytes] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, path: bytes) -> None:
        """Add a path as the next number."""
        self._open.append(path)
        self._count += 1
        if len(self._open) == BLOCK:
            self.seal()

    def seal(self) -> None:
        """Make the paths added so far searchable."""
        if not self._open:
            return
        exact = _END.join(self._open)
        small = list(map(folded, self._open))
        joined = _END.join(small)
        ends, offset = array("I"), 0
        for name in small:
            offset += len(name) + 1
            ends.append(offset)
        self._exact.append(exact)
        self._folded.append(exact if joined == exact else joined)
        self._ends.append(ends)
        self._open = []

    def path(self, number: int) -> bytes:
        """Return a path as it was added."""
        block, place = divmod(number, BLOCK)
        return self._exact[block].split(_END)[place]

    def containing(self, wanted: bytes, first: int = 0) -> Iterator[int]:
        """Yield the numbers from `first` on of the paths that contain `wanted`, which is `folded`."""
        for block in range(first // BLOCK, len(self._folded)):
            text, ends, start = self._folded[block], self._ends[block], block * BLOCK
            found = text.find(wanted)
            while found >= 0:
                place = bisect_right(ends, found)
                if start + place >= first:
                    yield start + place
                found = text.find(wanted, ends[place])

    def tester(self, wanted: bytes) -> Callable[[int], bool]:
        """Return a function that says whether the path with a number contains `wanted`, which is `folded`."""

        def contains(number: int) -> bool:
            block, place = divmod(number, BLOCK)
            ends = self._ends[block]
            start = ends[place - 1] if place else 0
            return self._folded[block].find(wanted, start, ends[place] - 1) >= 0

        return contains
