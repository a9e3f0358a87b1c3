"""Faults by name, and which request meets which: pure decisions, repeatable by a seed."""

from __future__ import annotations

import difflib
import enum
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bulkup.errors import UsageError

WINDOW = 2.0  # seconds for which `retry-later` refuses everything
SYNTAX = "NAME[=SHARE][,first=N], a share from 0 to 1 and N from 1"


class FaultPoint(enum.Enum):
    """Where a request stands when it may meet a fault. It would succeed otherwise: refused requests meet none."""

    API = "an API call that asks for no upload URL"
    PRESIGN = "an API call that asks for upload URLs"
    PUT = "a PUT or form POST to the store"


class FaultName(enum.StrEnum):
    """What can be made to go wrong."""

    EXPIRED_URL = "expired-url"  # store: 403 "Request has expired" or "Policy expired.", although it has not
    RETRY_LATER = "retry-later"  # APIs: 429, for one window that its first hit opens
    STATUS_503 = "status-503"  # APIs and store: 503; the store's is SlowDown
    CUT_BODY = "cut-body"  # store: reads part of the body, then drops the connection
    SLOW_BODY = "slow-body"  # store: reads 64 KiB/s, then stores as always
    WRONG_ETAG = "wrong-etag"  # store: stores the object, answers with another ETag
    SHORT_ANSWER = "short-answer"  # APIs: 200 with the last item missing, or the URL or form where there is one item
    UNAUTHORIZED = "unauthorized"  # APIs: 401, at Xvid 403, although the credentials are good


_APIS: Final = frozenset({FaultPoint.API, FaultPoint.PRESIGN})
_PUTS: Final = frozenset({FaultPoint.PUT})
_POINTS: Final = {
    FaultName.EXPIRED_URL: _PUTS,
    FaultName.RETRY_LATER: _APIS,
    FaultName.STATUS_503: _APIS | _PUTS,
    FaultName.CUT_BODY: _PUTS,
    FaultName.SLOW_BODY: _PUTS,
    FaultName.WRONG_ETAG: _PUTS,
    FaultName.SHORT_ANSWER: frozenset({FaultPoint.PRESIGN}),
    FaultName.UNAUTHORIZED: _APIS,
}


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One `--fault`: its name, the share of the requests it can apply to, and how many hits it has at most."""

    name: FaultName
    share: float = 1.0
    first: int | None = None

    @classmethod
    def parse(cls, text: str) -> FaultSpec:
        """Read `NAME[=SHARE][,first=N]`. Raises UsageError, naming the nearest fault where the name is unknown."""
        head, comma, limit = text.partition(",")
        name, equals, share = head.partition("=")
        try:
            known = FaultName(name)
        except ValueError:
            raise _unknown(name) from None
        return cls(known, _share(share, text) if equals else 1.0, _first(limit, text) if comma else None)

    def __str__(self) -> str:
        limit = "" if self.first is None else f",first={self.first}"
        return f"{self.name}={self.share!r}{limit}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What one request meets. `always` says that its share is 1; `retry_after` is in whole seconds."""

    name: FaultName
    always: bool
    retry_after: int | None = None


class FaultPlan:
    """Decides for each request in turn which fault it meets, if any.

    One uniform draw a request is held against the cumulative shares, in the order given, of the faults that can apply
    to it and are not over yet. So shares that add up to more than 1 are cut off at 1. An open window of `retry-later`
    comes before the draw.
    """

    def __init__(self, specs: Sequence[FaultSpec], seed: int) -> None:
        self._states = [_State(spec) for spec in specs]
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret

    def draw(self, point: FaultPoint, now: float) -> Fault | None:
        """Return the fault that this request meets. `now` is in seconds, on any clock that is used throughout."""
        fate = self._random.random()
        able = [state for state in self._states if state.applies(point, now)]
        state = next((state for state in able if state.window_open), None) or _pick(able, fate)
        return state.hit(now) if state else None


class _State:
    """How far one spec has got."""

    def __init__(self, spec: FaultSpec) -> None:
        self.spec = spec
        self._hits = 0
        self._window_end: float | None = None

    @property
    def window_open(self) -> bool:
        """Whether a window was opened; `applies` has ruled out that it is over."""
        return self._window_end is not None

    def applies(self, point: FaultPoint, now: float) -> bool:
        """Say whether a request at this point may still meet the fault."""
        spent = self.spec.first is not None and self._hits >= self.spec.first
        over = self._window_end is not None and now >= self._window_end
        return point in _POINTS[self.spec.name] and not spent and not over

    def hit(self, now: float) -> Fault:
        """Count a hit, and open the window where there is one."""
        self._hits += 1
        always = self.spec.share >= 1
        if self.spec.name is not FaultName.RETRY_LATER:
            return Fault(self.spec.name, always)
        if self._window_end is None:
            self._window_end = now + WINDOW
        return Fault(self.spec.name, always, retry_after=max(1, math.ceil(self._window_end - now)))


def _pick(states: Sequence[_State], fate: float) -> _State | None:
    edge = 0.0
    for state in states:
        edge += state.spec.share
        if fate < edge:
            return state
    return None


def _unknown(name: str) -> UsageError:
    nearest = difflib.get_close_matches(name, list(FaultName), n=1, cutoff=0.0)[0]
    return UsageError(f"there is no fault {name!r}", hint=f"did you mean {nearest}? The others: {', '.join(FaultName)}")


def _share(text: str, whole: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UsageError(f"{text!r} in the fault {whole!r} is no share", hint=f"write {SYNTAX}")
    return share


def _first(text: str, whole: str) -> int:
    key, _, number = text.partition("=")
    if key != "first" or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise UsageError(f"{text!r} in the fault {whole!r} is not understood", hint=f"write {SYNTAX}")
    return int(number)
