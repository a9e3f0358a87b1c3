"""The order in which files go to workers: large files early, mixed with small ones.

A large file takes a worker longest. If the last file of a run is large, the other workers have nothing to do meanwhile,
and a single connection does not fill a link on which packets get lost. So large files go first, up to a share of the
workers. The other workers send small files beside them, which need the processor more than the link. Among files of
one kind the order is that of their arrival, so that no ticket waits until it expires.

Where the user wants another order (setting `order`), all files go in that of their arrival.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bulkup.model.items import Ticketed
from bulkup.pipeline.options import LARGE

LARGE_SHARE = 0.25  # of the workers
MOST_LARGE = 16  # two chunks of each large file are in memory, and small files need some of it


class SendingOrder:
    """Files that have a ticket and wait for a worker. With `as_they_come`, large files are treated as all others."""

    def __init__(self, *, as_they_come: bool = False) -> None:
        self._as_they_come = as_they_come
        self._small: deque[Ticketed] = deque()
        self._large: deque[Ticketed] = deque()

    def __len__(self) -> int:
        return len(self._small) + len(self._large)

    def __iter__(self) -> Iterator[Ticketed]:
        yield from self._small
        yield from self._large

    def add(self, file: Ticketed) -> None:
        """Take a file."""
        is_large = file.item.file.identity.size > LARGE and not self._as_they_come
        (self._large if is_large else self._small).append(file)

    def next(self, large: int, workers: int) -> Ticketed:
        """Return the next file; `large` of the `workers` have a large file. Raises IndexError if there is none."""
        if self._large and (not self._small or large < min(MOST_LARGE, LARGE_SHARE * workers)):
            return self._large.popleft()
        return self._small.popleft()

    def clear(self) -> None:
        """Drop all files."""
        self._small.clear()
        self._large.clear()
