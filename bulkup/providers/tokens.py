"""Tokens: a given one, and those fetched with other credentials, kept until shortly before their end, once for all."""

from __future__ import annotations

import abc
import dataclasses
from collections import deque
from dataclasses import dataclass

import anyio

from bulkup.helpers.clock import Clock
from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiCall
from bulkup.model.problems import Problem, ProblemError

# A token is renewed when a tenth of its life is left, half an hour at the most: calls under way must not see its end.
_LAST_SHARE = 0.1
_LAST_SECONDS = 1800.0
_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its life in Unix time by our clock."""

    value: Secret
    issued_at: float
    expires_at: float

    def is_fresh(self, now: float) -> bool:
        """Say whether it may still be used without asking for the next one."""
        last = min(_LAST_SECONDS, (self.expires_at - self.issued_at) * _LAST_SHARE)
        return now < self.expires_at - last


class GivenToken:
    """A token that the user got somewhere. There is no other."""

    secrets: tuple[Secret, ...] = ()

    def __init__(self, value: Secret) -> None:
        self._value = value

    async def token(self, call: ApiCall) -> Secret:  # noqa: ARG002  # nothing to fetch
        """Return it."""
        return self._value

    def refused(self, value: Secret) -> bool:  # noqa: ARG002  # whatever is refused
        """Say that no other one may be had."""
        return False


class TokenCache(abc.ABC):
    """Keeps one token. Whoever needs one while it is being fetched waits for that, and shares what comes of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: Token | None = None
        self._failure: Problem | None = None  # the last one, an object of its own each time
        self._fetched: deque[Secret] = deque(maxlen=_REMEMBERED)

    @abc.abstractmethod
    async def fetch(self, call: ApiCall) -> Token:
        """Ask for a new token. Raises `ProblemError`."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The tokens fetched last: an answer may quote one that was refused, or that another has replaced meanwhile."""
        return tuple(self._fetched)

    async def token(self, call: ApiCall) -> Secret:
        """Return a token that is good now.

        Raises `ProblemError` when none can be had, or none could while this waited: a service that nobody reaches
        would otherwise cost each caller its own time, one after the other.
        """
        known = self._failure
        async with self._lock:
            if self._token is None or not self._token.is_fresh(self._clock.now()):
                if self._failure is not None and self._failure is not known:
                    raise ProblemError(self._failure)
                self._token = await self._new(call)
                self._fetched.append(self._token.value)
            return self._token.value

    def refused(self, value: Secret) -> bool:
        """Forget a token that the service refused, one fetched meanwhile stays; say that another one may be had."""
        if self._token is not None and self._token.value == value:
            self._token = None
        return True

    async def _new(self, call: ApiCall) -> Token:
        try:
            return await self.fetch(call)
        except ProblemError as error:
            failure = error
        # No file is created by asking for a token, whatever became of that.
        self._failure = dataclasses.replace(failure.problem, maybe_created=False)
        raise ProblemError(self._failure) from failure.__cause__
