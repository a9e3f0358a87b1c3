"""Paths that changed, until nothing has changed them for a while.

    changed --> pending --`settle` seconds without a change--> settled --taken--> a run
                  ^   '-- deleted: forgotten
                  '------- changed again: the time begins anew

At most `most` paths are kept. If more files change at once, all are forgotten, and `overflowed` says that a look at the
whole source has to take their place. So the memory does not grow with the tree.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

from collections.abc import Iterable

Place = tuple[int, bytes]  # the number of a source, and a path in it; an empty path is the source itself


class PendingPaths:
    """Keeps each path with the time of its last change, oldest first. `settle` is in seconds, and may be changed."""

    def __init__(self, settle: float, most: int) -> None:
        self.overflowed = False
        self.settle = settle
        self._most = most
        self._changed: dict[Place, float] = {}

    def __len__(self) -> int:
        return len(self._changed)

    def __contains__(self, place: Place) -> bool:
        return place in self._changed

    def change(self, place: Place, now: float) -> None:
        """Note that a file or directory appeared or changed at `now`."""
        self._changed.pop(place, None)  # the order is that of the last changes
        if len(self._changed) >= self._most:
            self.overflow()
        else:
            self._changed[place] = now

    def overflow(self) -> None:
        """Forget all paths: some changes are unknown, or too many are known."""
        self._changed.clear()
        self.overflowed = True

    def forget(self, place: Place) -> None:
        """Note that a file or directory was deleted."""
        self._changed.pop(place, None)

    def put_back(self, places: Iterable[Place], now: float) -> None:
        """Keep paths again, because the run that took them did not reach them. They settle anew, from `now` on."""
        for place in places:
            self.change(place, now)

    def take_settled(self, now: float, most: int | None = None) -> list[Place]:
        """Return and forget the paths that have settled, sorted, at most so many."""
        taken: list[Place] = []
        for place, changed in self._changed.items():
            if changed + self.settle > now or len(taken) == most:
                break
            taken.append(place)
        for place in taken:
            del self._changed[place]
        return sorted(taken)

    def next_settled(self) -> float | None:
        """Return when the next path will have settled, None if none is pending."""
        first = next(iter(self._changed.values()), None)
        return None if first is None else first + self.settle
