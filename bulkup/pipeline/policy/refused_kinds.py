"""The kinds of files, by extension, that the service refuses in this run, and how a refused group is divided.

A service may refuse a whole group for one file of a type that it does not take. So files of a refused kind are asked
for apart from all others. Once several of a kind were refused alone for one reason, and none was accepted, a group of
that kind that is refused for the same reason is not divided any more. If the reasons differ, each file is tried: the
faults are its own.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bulkup.pipeline.policy.common_refusals import alike

_ENOUGH = 3  # files refused alone for one reason; a few may have a fault of their own
_MOST_REASONS = 100  # of a kind; a service may give each file a reason of its own


class RefusedKinds:
    """The kinds that the service accepted and refused so far."""

    def __init__(self) -> None:
        self._accepted: set[str] = set()
        self._refused: dict[str, Counter[str]] = {}  # by kind, then by reason

    def __bool__(self) -> bool:
        return bool(self._refused)

    def accepted(self, kinds: Iterable[str]) -> None:
        """Record the kinds of files that got tickets."""
        self._accepted.update(kinds)

    def refused(self, kind: str, reason: str) -> None:
        """Record a file that was refused alone. Where others of its kind are accepted, its kind is not at fault."""
        reasons = self._refused.setdefault(kind, Counter())
        if len(reasons) < _MOST_REASONS:
            reasons[alike(reason)] += 1

    def suspected(self, kind: str) -> bool:
        """Return whether files of this kind are asked for apart from others."""
        return kind in self._refused and kind not in self._accepted

    def established(self, kind: str, reason: str) -> bool:
        """Return whether a group of this kind that is refused for a reason is refused for its kind."""
        alone = self._refused.get(kind, Counter())
        return alone[alike(reason)] >= _ENOUGH and kind not in self._accepted

    def parts(self, kinds: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the positions of the two parts of a refused group.

        Groups of several kinds are divided between two of them. Of a kind that was never accepted, the file in the
        middle is tried apart: bad files are often next to each other.
        """
        order = sorted(range(len(kinds)), key=lambda position: kinds[position])
        middle = len(order) // 2
        borders = [n for n in range(1, len(order)) if kinds[order[n]] != kinds[order[n - 1]]]
        if borders:
            cut = min(borders, key=lambda border: abs(border - middle))
        else:
            if kinds[0] not in self._accepted:
                return [order.pop(middle)], order
            cut = middle
        return order[:cut], order[cut:]
