"""What befalls the processes and when: drawn by a seed, spread over the files that are left."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

_AT_START = 0.15  # share of the kills that come while a run starts
_START = 1.5  # seconds
_JITTER = 0.1  # seconds


class What(enum.Enum):
    """What befalls whom."""

    KILL = "SIGKILL to the uploader's process group"
    TERM = "SIGTERM to it, which it may take its time for"
    TERM_TWICE = "SIGTERM to it twice"
    STOP_SERVER = "the server is told to end, and starts again"
    KILL_SERVER = "the server is killed, and starts again"


UPLOADER = frozenset({What.KILL, What.TERM, What.TERM_TWICE})


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One of them: so many seconds after so many more files have settled."""

    what: What
    after_files: int
    after_seconds: float


class Plan:
    """The disturbances of a scenario, in an order of chance."""

    def __init__(self, kills: int, restarts: int, seed: int) -> None:
        self._chance = random.Random(seed)
        signals = self._chance.choices([What.KILL, What.TERM, What.TERM_TWICE], [0.9, 0.07, 0.03], k=kills)
        servers = self._chance.choices([What.STOP_SERVER, What.KILL_SERVER], k=restarts)
        self._left = [*signals, *servers]
        self._chance.shuffle(self._left)

    def next(self, files_left: int) -> Disturbance | None:
        """Take the next one out, None when all have been. `files_left` have not settled yet."""
        if not self._left:
            return None
        share = files_left / len(self._left)
        what = self._left.pop()
        if what in UPLOADER and self._chance.random() < _AT_START:
            return Disturbance(what, 0, self._chance.uniform(0, _START))
        # On the average three quarters of a share, so that the files last until the last of them.
        after = int(self._chance.uniform(0, min(1.5 * share, 0.6 * files_left)))
        return Disturbance(what, after, self._chance.uniform(0, _JITTER))

    def put_back(self, disturbance: Disturbance) -> None:
        """Take back one that could not be carried out; it is drawn anew, and comes next."""
        self._left.append(disturbance.what)
