"""Kills and restarts: drawn from a seed, and spread over the remaining files."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

_AT_START = 0.15  # share of the kills that hit a run while it starts
_START = 1.5  # seconds
_JITTER = 0.1  # seconds


class Kind(enum.Enum):
    """The kinds of disturbances."""

    KILL = "SIGKILL to the uploader's process group"
    TERM = "SIGTERM to it, and time to end"
    TERM_TWICE = "SIGTERM to it twice"
    STOP_SERVER = "SIGTERM to the server, and a restart"
    KILL_SERVER = "SIGKILL to the server, and a restart"


UPLOADER = frozenset({Kind.KILL, Kind.TERM, Kind.TERM_TWICE})


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One disturbance. It comes once `after_files` more files have settled and `after_seconds` have passed."""

    kind: Kind
    after_files: int
    after_seconds: float


class Plan:
    """The disturbances of a scenario, in random order."""

    def __init__(self, kills: int, restarts: int, seed: int) -> None:
        self._chance = random.Random(seed)
        signals = self._chance.choices([Kind.KILL, Kind.TERM, Kind.TERM_TWICE], [0.9, 0.07, 0.03], k=kills)
        servers = self._chance.choices([Kind.STOP_SERVER, Kind.KILL_SERVER], k=restarts)
        self._left = [*signals, *servers]
        self._chance.shuffle(self._left)

    def next(self, files_left: int) -> Disturbance | None:
        """Remove and return the next disturbance, None if there is none. `files_left` files have not settled yet."""
        if not self._left:
            return None
        share = files_left / len(self._left)
        kind = self._left.pop()
        if kind in UPLOADER and self._chance.random() < _AT_START:
            return Disturbance(kind, 0, self._chance.uniform(0, _START))
        # On average three quarters of a share, so that there are files left for the last disturbance.
        after = int(self._chance.uniform(0, min(1.5 * share, 0.6 * files_left)))
        return Disturbance(kind, after, self._chance.uniform(0, _JITTER))

    def put_back(self, disturbance: Disturbance) -> None:
        """Return a disturbance that could not be carried out. It is the next one again, with a new time."""
        self._left.append(disturbance.kind)
