"""The kinds of files, by extension, that the service refuses in this run, and how a refused group is divided.

A service may refuse a whole group for one file of a type that it does not take. So files of a refused kind are asked
for apart from all others. Once several of a kind were refused alone and none was accepted, a refused group of that kind
is not divided any more.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

_ENOUGH = 2  # files refused alone; one may have a fault of its own


class RefusedKinds:
    """The kinds that the service accepted and refused so far."""

    def __init__(self) -> None:
        self._accepted: set[str] = set()
        self._refused: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._refused)

    def accepted(self, kinds: Iterable[str]) -> None:
        """Record the kinds of files that got tickets."""
        self._accepted.update(kinds)

    def refused(self, kind: str) -> None:
        """Record a file that was refused alone. Where others of its kind are accepted, its kind is not at fault."""
        self._refused[kind] += 1

    def suspected(self, kind: str) -> bool:
        """Return whether files of this kind are asked for apart from others."""
        return kind in self._refused and kind not in self._accepted

    def established(self, kind: str) -> bool:
        """Return whether a refused group of this kind is refused for its kind."""
        return self._refused[kind] >= _ENOUGH and kind not in self._accepted

    def parts(self, kinds: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the positions of the two parts of a refused group.

        Groups of several kinds are divided between two of them. Of a kind that was never accepted, a single file is
        tried apart.
        """
        order = sorted(range(len(kinds)), key=lambda position: kinds[position])
        middle = len(order) // 2
        borders = [n for n in range(1, len(order)) if kinds[order[n]] != kinds[order[n - 1]]]
        if borders:
            cut = min(borders, key=lambda border: abs(border - middle))
        else:
            cut = middle if kinds[0] in self._accepted else 1
        return order[:cut], order[cut:]
