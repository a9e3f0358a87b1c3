"""The order in which files enter the pipeline (setting `order`). Pure.

A whole tree cannot be sorted in bounded memory. So a window holds the files that were found last, and each further file
makes room by sending the first of them on its way. A tree that fits into the window is sorted completely. In a larger
one a file found late goes out behind others that were to follow it, but never behind those that are still in the
window.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bulkup.model.files import FoundFile
from bulkup.pipeline.options import Order
from bulkup.pipeline.scan.decision import FileDecision

_KEYS: Final[Mapping[str, Callable[[FoundFile], Any]]] = {
    "path": lambda file: (file.source.root, file.path),
    "newest": lambda file: -file.identity.mtime_ns,
    "oldest": lambda file: file.identity.mtime_ns,
    "smallest": lambda file: file.identity.size,
    "largest": lambda file: -file.identity.size,
}


class FileOrder:
    """Holds up to `window` files; those that are equal keep the order in which they were found."""

    def __init__(self, order: Order, window: int) -> None:
        self._key = _KEYS[order]
        self._window = window
        self._files: list[tuple[Any, int, FileDecision]] = []
        self._added = 0

    def add(self, decision: FileDecision) -> FileDecision | None:
        """Take a file, and return the one that comes first if there is one too many."""
        entry = self._key(decision.file), self._added, decision
        self._added += 1
        if len(self._files) < self._window:
            heapq.heappush(self._files, entry)
            return None
        return heapq.heappushpop(self._files, entry)[2]

    def drain(self) -> Iterator[FileDecision]:
        """Yield the files that are left, in order: no more will be found."""
        while self._files:
            yield heapq.heappop(self._files)[2]
