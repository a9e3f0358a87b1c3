"""Bearer tokens: one that the user configured, or one that is fetched with other credentials and cached."""

from __future__ import annotations

import abc
import dataclasses
from collections import deque

import anyio

from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiCall
from bulkup.model.problems import Problem, ProblemError

# A token is renewed when a tenth of its lifetime is left, but at most half an hour, so that it does not expire during a
# call.
_RENEWAL_SHARE = 0.1
_RENEWAL_SECONDS = 1800.0
_MAX_SECRETS = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its lifetime, in Unix time by the local clock."""

    value: Secret
    issued_at: float
    expires_at: float

    def is_fresh(self, now: float) -> bool:
        """Return whether the token can be used without fetching a new one."""
        margin = min(_RENEWAL_SECONDS, (self.expires_at - self.issued_at) * _RENEWAL_SHARE)
        return now < self.expires_at - margin


class StaticToken:
    """A token that the user configured. It cannot be replaced."""

    secrets: tuple[Secret, ...] = ()

    def __init__(self, value: Secret) -> None:
        self._value = value

    async def token(self, call: ApiCall) -> Secret:  # noqa: ARG002  # nothing to fetch
        """Return the token."""
        return self._value

    def invalidate(self, value: Secret) -> bool:  # noqa: ARG002  # there is only one
        """Return False: there is no other token."""
        return False


class TokenCache(abc.ABC):
    """Keeps one token. Calls that need it while it is being fetched wait for it, and share the result."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: Token | None = None
        self._failure: Problem | None = None  # of the last fetch that failed; a new object each time
        self._fetched: deque[Secret] = deque(maxlen=_MAX_SECRETS)

    @abc.abstractmethod
    async def fetch(self, call: ApiCall) -> Token:
        """Fetch a new token. Raises `ProblemError`."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The last few tokens: an answer may quote one that was refused or replaced in the meantime."""
        return tuple(self._fetched)

    async def token(self, call: ApiCall) -> Secret:
        """Return a valid token.

        Raises `ProblemError` when it cannot be fetched, or when another task's fetch failed while this one waited.
        Otherwise each waiting task in turn would spend the full timeout on a service that is down.
        """
        failure_before = self._failure
        async with self._lock:
            if self._token is None or not self._token.is_fresh(self._clock.now()):
                if self._failure is not None and self._failure is not failure_before:
                    raise ProblemError(self._failure)
                self._token = await self._new(call)
                self._fetched.append(self._token.value)
            return self._token.value

    def invalidate(self, value: Secret) -> bool:
        """Drop a token that the service refused, unless it was replaced already. Return True: fetch another one."""
        if self._token is not None and self._token.value == value:
            self._token = None
        return True

    async def _new(self, call: ApiCall) -> Token:
        try:
            return await self.fetch(call)
        except ProblemError as error:
            failure = error
        # A call for a token never creates a file, however it ends.
        self._failure = dataclasses.replace(failure.problem, maybe_created=False)
        raise ProblemError(self._failure) from failure.__cause__
