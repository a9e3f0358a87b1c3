"""Limits warnings that a whole tree of files, or an outage of hours, would repeat without end.

The first few of each kind are logged, and all are counted. A kind is an event with a reason; details in which the
reasons of two files differ do not count (`common_refusals.alike`).

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.short_text import shortened
from bulkup.pipeline.policy.common_refusals import alike

_OTHER = "other reasons"
_LONGEST_NAME = 500  # characters of a path that is kept


class WarningKind(NamedTuple):
    """The parts in which equal warnings agree. `status` is the state of a file, empty for other warnings."""

    event: str
    reason: str
    status: str = ""


@dataclass(slots=True)
class WarningCount:
    """The warnings of one kind so far: their `number`, how many were `logged`, and the `first` names among them."""

    kind: WarningKind
    number: int = 0
    logged: int = 0
    first: list[str] = field(default_factory=list)
    recent: int = 0  # logged since `since`
    since: float = 0.0


class RepeatedWarnings:
    """Decides which warnings are logged: the first `most` of a kind. After `kinds` of them, all others are one kind.

    Warnings that come with a time are logged again once `period` seconds have passed: a second outage in one night is
    news.
    """

    def __init__(self, most: int = 3, kinds: int = 100, period: float = 600.0) -> None:
        self._most = most
        self._kinds = kinds
        self._period = period
        self._counts: dict[WarningKind, WarningCount] = {}

    def admits(self, event: str, reason: str, *, status: str = "", name: str = "", now: float | None = None) -> bool:
        """Count a warning, about the file `name`, and return whether to log it."""
        count = self._count(WarningKind(event, alike(reason), status))
        count.number += 1
        if name and len(count.first) < self._most:
            count.first.append(shortened(name, _LONGEST_NAME))
        if now is not None and (not count.recent or now - count.since >= self._period):
            count.since, count.recent = now, 0
        count.recent += 1
        if count.recent > self._most:
            return False
        count.logged += 1
        return True

    def left_out(self) -> Iterator[WarningCount]:
        """Yield the counts of the kinds of which not all warnings were logged, the most frequent first."""
        for count in sorted(self._counts.values(), key=lambda count: -count.number):
            if count.number > count.logged:
                yield count

    def _count(self, kind: WarningKind) -> WarningCount:
        if kind not in self._counts and len(self._counts) >= self._kinds:
            kind = kind._replace(reason=_OTHER)
        return self._counts.setdefault(kind, WarningCount(kind))
