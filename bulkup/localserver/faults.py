"""Named faults, and the decision which request gets which. Pure rules, repeatable by a seed."""

from __future__ import annotations

import difflib
import enum
import math
import random
from collections.abc import Sequence
from typing import Final

from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass

SYNTAX = "NAME[=SHARE][,first=N], a share from 0 to 1 and N from 1"


class FaultPoint(enum.Enum):
    """The places where faults are applied. Only requests that would succeed get there; refused ones get no fault."""

    API = "an API call that asks for no upload URL"
    PRESIGN = "an API call that asks for upload URLs"
    PUT = "a PUT or form POST to the store"


class FaultName(enum.StrEnum):
    """The faults that a user can ask for."""

    EXPIRED_URL = "expired-url"  # store: 403 "Request has expired" or "Policy expired.", although it has not
    RETRY_LATER = "retry-later"  # APIs: 429, for one window of time that the first hit opens
    STATUS_503 = "status-503"  # APIs and store: 503; the store's is SlowDown
    CUT_BODY = "cut-body"  # store: reads part of the body, then drops the connection
    SLOW_BODY = "slow-body"  # store: reads 64 KiB/s, then stores the object
    WRONG_ETAG = "wrong-etag"  # store: stores the object, answers with a wrong ETag
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


def points_of(fault: FaultName) -> frozenset[FaultPoint]:
    """Return the places where a fault is applied."""
    return _POINTS[fault]


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One `--fault`: its name, the share of requests that get it, and its maximum number of hits (None: no limit)."""

    name: FaultName
    share: float = 1.0
    first: int | None = None

    @classmethod
    def parse(cls, text: str) -> FaultSpec:
        """Parse `NAME[=SHARE][,first=N]`. Raises UsageError, which suggests the nearest name for an unknown one."""
        head, comma, limit = text.partition(",")
        name, equals, share = head.partition("=")
        try:
            fault = FaultName(name)
        except ValueError:
            raise _unknown(name) from None
        return cls(fault, _share(share, text) if equals else 1.0, _first(limit, text) if comma else None)

    def __str__(self) -> str:
        limit = "" if self.first is None else f",first={self.first}"
        return f"{self.name}={self.share!r}{limit}"


@dataclass(frozen=True, slots=True)
class ReadPace:
    """How fast a body is read: at most `block` bytes at a time, and a pause in seconds after each block."""

    block: int
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """The extent of faults: the time in seconds for which `retry-later` refuses all calls, the pace of `slow-body`."""

    retry_later_window: float = 2.0
    slow_pace: ReadPace = ReadPace(16 << 10, 0.25)  # 64 KiB/s


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of one request. `always` says that its share is 1. `retry_after` is in whole seconds."""

    name: FaultName
    always: bool
    retry_after: int | None = None


class FaultPlan:
    """Decides for each request in turn which fault it gets, if any.

    One uniform random number per request is compared with the cumulative shares of the faults that can apply to it, in
    the order given. Faults that have had all their hits are left out. Shares that add up to more than 1 are cut off
    at 1. An open window of `retry-later` comes before the draw.
    """

    def __init__(self, specs: Sequence[FaultSpec], seed: int, options: FaultOptions | None = None) -> None:
        self.options = options or FaultOptions()
        self._states = [_FaultState(spec, self.options.retry_later_window) for spec in specs]
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def draw(self, point: FaultPoint, now: float) -> Fault | None:
        """Return the fault of this request. `now` is in seconds, on a clock that is the same for all calls."""
        number = self._random.random()
        candidates = [state for state in self._states if state.applies(point, now)]
        state = next((state for state in candidates if state.window_open), None) or _pick(candidates, number)
        return state.hit(now) if state else None


class _FaultState:
    """The hits of one spec so far, and its window if it has one."""

    def __init__(self, spec: FaultSpec, window: float) -> None:
        self.spec = spec
        self._window = window
        self._hits = 0
        self._window_end: float | None = None

    @property
    def window_open(self) -> bool:
        """Whether a window was opened. `applies` has excluded windows that are over."""
        return self._window_end is not None

    def applies(self, point: FaultPoint, now: float) -> bool:
        """Return whether a request at this point may still get the fault."""
        spent = self.spec.first is not None and self._hits >= self.spec.first
        over = self._window_end is not None and now >= self._window_end
        return point in points_of(self.spec.name) and not spent and not over

    def hit(self, now: float) -> Fault:
        """Count a hit, and open the window of `retry-later` at its first one."""
        self._hits += 1
        always = self.spec.share >= 1
        if self.spec.name is not FaultName.RETRY_LATER:
            return Fault(self.spec.name, always)
        if self._window_end is None:
            self._window_end = now + self._window
        return Fault(self.spec.name, always, retry_after=max(1, math.ceil(self._window_end - now)))


def _pick(states: Sequence[_FaultState], number: float) -> _FaultState | None:
    edge = 0.0
    for state in states:
        edge += state.spec.share
        if number < edge:
            return state
    return None


def _unknown(name: str) -> UsageError:
    nearest = difflib.get_close_matches(name, list(FaultName), n=1, cutoff=0.0)[0]
    return UsageError(
        f"there is no fault {name!r}", hint=f"did you mean {nearest}? The faults are {', '.join(FaultName)}"
    )


def _share(text: str, whole: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UsageError(f"{text!r} in the fault {whole!r} is not a share", hint=f"write {SYNTAX}")
    return share


def _first(text: str, whole: str) -> int:
    key, _, number = text.partition("=")
    if key != "first" or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise UsageError(f"{text!r} in the fault {whole!r} is not understood", hint=f"write {SYNTAX}")
    return int(number)
