"""How many workers are at work: as many as bring something, found by trying.

At first their number grows for as long as that brings more. Then twice as many and half as many are tried now and
then, all night long, since links and stores change; the larger number has to earn its place, the smaller one only to
lose nothing. A fall of the goodput alone changes nothing: a bad minute is bad for any number. Nor does a time in which
a host turned files away; that host's gate decides how many it gets (`gate`). Pure.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence

from bulkup.pipeline.tuning.goodput import Observation, Sample, Sampler

LEAST = 4
START = 16
MOST_WORKERS = 256
_FIRST_STEP = 4  # doubling takes longest where a turn of the workers does, and they are fewest
MOST_LARGE = 64  # of files over 1 MiB on average, where it is bytes that count and not requests

# What twice as many must bring, and what half as many may cost, as a share of the goodput.
_GAIN = 0.05
_LOSS = 0.03
_SURE = 2.0  # standard errors
_MOST_PIECES = 12
_ENOUGH_BEFORE = 3
# Seconds between two tries: longer each time that one came to nothing.
_SOON = 5.0
_LATE = 60.0
# Fewer are not tried for so long after trouble: where nothing goes, fewer lose nothing.
_AFTER_TROUBLE = 60.0
# A small file that takes longer waits for the link, and with more of them it would only wait longer.
_TOO_SLOW = 10.0
# So many pieces in a row that are so far off are no noise: the link is another one.
_OTHER = 1.3
_OTHER_PIECES = 3


class Controller:
    """Takes observations, a few a second, and says how many workers are wanted; `most` is the cap."""

    def __init__(self, most: int = MOST_WORKERS) -> None:
        self.workers = min(START, most)
        self._most = most
        self._watch = Sampler()
        self._noise = Noise()
        self._before: deque[float] = deque(maxlen=_MOST_PIECES)
        self._after: list[float] = []
        self._other: list[float] = []
        self._base: int | None = None  # the number to go back to, while another one is tried
        self._up = self._starting = self._untried = True
        self._next_try = self._fewer_from = -math.inf
        self._wait = _SOON

    def observe(self, seen: Observation) -> int:
        """Take what is seen now; return how many workers are wanted."""
        piece = self._watch.add(seen, self.workers, at_first=self._starting)
        if piece is not None:
            self._weigh(piece, seen.now)
        return self.workers

    def _weigh(self, piece: Sample, now: float) -> None:
        if self.workers > self._cap:
            self._base = None
            self._before.clear()
            self._go(self._cap, now)
        elif not piece.calm or not piece.full:
            self._leave_off(piece, now)
        elif self._base is None:
            self._hold(piece.rate, now)
        else:
            self._judge(piece.rate, self._base, now)

    @property
    def _cap(self) -> int:
        return min(MOST_LARGE, self._most) if self._watch.large else self._most

    def _hold(self, rate: float, now: float) -> None:
        self._noise.add(self._before, rate)
        if not self._is_other(rate):
            self._other.clear()
            self._before.append(rate)
        else:
            self._other.append(rate)
            if len(self._other) < _OTHER_PIECES:
                return
            self._begin_anew(now)
        if self._starting or (now >= self._next_try and len(self._before) >= _ENOUGH_BEFORE):
            self._try(now)

    def _is_other(self, rate: float) -> bool:
        """Say whether the goodput is further off than noise explains."""
        if self._starting or not self._before:
            return False
        usual, far = _mean(self._before), max(_OTHER, 1 + 4 * self._noise.deviation)
        return rate > usual * far or rate * far < usual

    def _begin_anew(self, now: float) -> None:
        """Forget what was found out: it is no longer so."""
        if self._other[-1] < self._before[-1]:
            self._fewer_from = now + _AFTER_TROUBLE
        self._before.clear()
        self._before.extend(self._other)
        self._other.clear()
        self._up, self._wait, self._next_try = True, _SOON, now

    def _try(self, now: float) -> None:
        more, fewer = self._more(), self._fewer(now)
        target = more if (self._up and more > self.workers) or fewer == self.workers else fewer
        if target != self.workers:
            self._up, self._base = target > self.workers, self.workers
            self._untried = False
            self._after.clear()
            self._go(target, now)

    def _more(self) -> int:
        too_slow = not self._watch.large and self._watch.latency > _TOO_SLOW
        times = _FIRST_STEP if self._untried else 2
        return self.workers if too_slow else max(self.workers, min(times * self.workers, self._cap))

    def _fewer(self, now: float) -> int:
        return self.workers if now < self._fewer_from else max(self.workers // 2, min(LEAST, self.workers))

    def _judge(self, rate: float, base: int, now: float) -> None:
        self._noise.add(self._after, rate)
        self._after.append(rate)
        better = verdict(self._before, self._after, self._noise.deviation, up=self._up)
        if better:
            self._base, self._wait, self._next_try = None, _SOON, now
            self._before.clear()
            self._before.extend(self._after)
            if self._starting:
                self._try(now)
        elif better is False:
            self._back(base, now)

    def _leave_off(self, piece: Sample, now: float) -> None:
        """End a try that nothing can be learned from."""
        if not piece.calm:
            self._before.clear()
            self._fewer_from = now + _AFTER_TROUBLE
        if self._base is not None:
            self._back(self._base, now)

    def _back(self, base: int, now: float) -> None:
        self._base, self._starting = None, False
        self._up = not self._up
        self._next_try, self._wait = now + self._wait, min(_LATE, 2 * self._wait)
        self._go(base, now)

    def _go(self, workers: int, now: float) -> None:
        self.workers = workers
        self._other.clear()
        self._watch.restart(now)


class Noise:
    """How much the goodput varies by itself from one piece to the next, as a share of it."""

    def __init__(self) -> None:
        self._variance = 0.15**2

    @property
    def deviation(self) -> float:
        """Return the standard deviation."""
        return max(0.02, math.sqrt(self._variance))

    def add(self, earlier: Sequence[float], rate: float) -> None:
        """Take a piece that comes after others with the same number of workers."""
        if earlier:
            step = 2 * (rate - earlier[-1]) / (rate + earlier[-1])
            self._variance += 0.15 * (min(step**2, 1.0) / 2 - self._variance)


def verdict(before: Sequence[float], after: Sequence[float], deviation: float, *, up: bool) -> bool | None:
    """Say whether another number of workers is better than the one before, None while that is not clear.

    `before` and `after` are rates of pieces. More workers are better where they bring more, fewer where they lose
    nothing. What is still not clear after so many pieces stays as it is, unless it looks well enough.
    """
    change = _mean(after) / _mean(before) - 1 if before else 0.0
    error = deviation * math.sqrt(1 / max(1, len(before)) + 1 / len(after))
    needed = _GAIN if up else -_LOSS
    if abs(change - needed) > _SURE * error:
        return change > needed
    if len(after) < _MOST_PIECES:
        return None
    return change > (max(needed, error) if up else needed)


def _mean(rates: Collection[float]) -> float:
    return sum(rates) / len(rates)
