"""Keys for S3: those of the settings, or those of botocore's search, which are renewed before they end.

The search may read files and call services, so it runs in a thread. botocore is imported for it alone: its import takes
longer than the start of a command.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread

from bulkup.helpers.secrets import Secret
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.providers.base import ProviderConfig
from bulkup.providers.s3.signing import AccessKeys

# botocore renews keys from 15 minutes before their end.
_RENEWED_BEFORE = 900.0
# Keys with a token and without a known end come from a file or a variable. Another program may replace them.
_READ_AGAIN = 60.0
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_IN_PROFILE = ("aws_access_key_id", "aws_secret_access_key")
_HOW = "set access_key and secret_key, or give them in one of the ways of the AWS tools"


class KeySource:
    """Returns keys that are valid now."""

    def __init__(self, config: ProviderConfig) -> None:
        given = config.credentials
        self._clock = config.clock
        self._profile: str | None = config.settings.get("aws_profile")
        self._fixed = "access_key" in given
        self._keys: AccessKeys | None = None
        if self._fixed:
            self._keys = AccessKeys(given["access_key"], given["secret_key"], given.get("security_token"))
        self._found: Any = None  # botocore's object
        self._asked_at = 0.0
        self._lock = anyio.Lock()

    @property
    def secrets(self) -> Iterable[Secret]:
        """The secrets of the keys in use."""
        keys = self._keys
        return () if keys is None else (keys.secret_key, *([keys.token] if keys.token is not None else []))

    async def keys(self) -> AccessKeys:
        """Return the keys; fetch or renew them where that is due. Raises `ProblemError`."""
        if self._keys is not None and not self._due():
            return self._keys
        async with self._lock:
            if self._keys is None or self._due():
                self._keys = await anyio.to_thread.run_sync(self._fetch)
                self._asked_at = self._clock.monotonic()
            return self._keys

    async def after(self, ended: AccessKeys) -> AccessKeys:
        """Return the keys to use once the store has called a session over: `ended` itself if there are no newer ones.

        Raises `ProblemError`.
        """
        async with self._lock:
            if self._keys is ended and not self._fixed:
                self._found = None
                found = await anyio.to_thread.run_sync(self._fetch)
                self._asked_at = self._clock.monotonic()
                if found != ended:
                    self._keys = found
            return self._keys or ended

    def _due(self) -> bool:
        keys = self._keys
        if self._fixed or keys is None or keys.token is None:
            return False
        if keys.expires_at is None:
            return self._clock.monotonic() >= self._asked_at + _READ_AGAIN
        soon = self._clock.now() >= keys.expires_at - _RENEWED_BEFORE
        # A source that still has the old keys is not asked at every call.
        return soon and self._clock.monotonic() >= self._asked_at + min(
            _READ_AGAIN, max(1.0, (keys.expires_at - self._clock.now()) / 4)
        )

    def _check_pairs(self, session: Any) -> None:
        """Raise `ProblemError` for half a key pair. botocore passes over some, and finds other keys or none.

        Named profiles come before the environment, which comes before the default profile.
        """
        half = ""
        if self._profile is None:
            half = _half(os.environ, _VARIABLES, "the environment")
        if not half and (self._profile is not None or not os.environ.get(_VARIABLES[0])):
            where = f"the AWS profile {session.profile or 'default'}"
            half = _half(session.get_scoped_config(), _IN_PROFILE, where)
        if half:
            raise ProblemError(Problem(ProblemKind.UNUSABLE, f"half a key pair for s3: {half}"))

    def _fetch(self) -> AccessKeys:
        """Return the keys of botocore's search; for a thread. Raises `ProblemError`."""
        try:
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # slow to import, and optional
            from botocore.session import Session  # noqa: PLC0415
        except ImportError:
            what = f"s3 needs botocore to look for keys: install bulkup[s3], or {_HOW.partition(',')[0]}"
            raise ProblemError(Problem(ProblemKind.UNUSABLE, what)) from None
        try:
            if self._found is None or self._keys is None or self._keys.expires_at is None:
                session = Session(profile=self._profile)
                self._check_pairs(session)
                self._found = session.get_credentials()
            found = self._found
            frozen = None if found is None else found.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:
            text = f"the keys for s3 cannot be fetched: {type(error).__name__}: {error}"
            raise ProblemError(Problem(ProblemKind.UNUSABLE, text)) from None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise ProblemError(Problem(ProblemKind.UNUSABLE, f"no keys for s3 were found: {_HOW}"))
        token = Secret(frozen.token) if frozen.token else None
        return AccessKeys(Secret(frozen.access_key), Secret(frozen.secret_key), token, _end_of(found))


def _half(given: Mapping[str, Any], names: Sequence[str], where: str) -> str:
    """Return the fault of a pair of which only one name is set; empty if it has none."""
    there = [name for name in names if given.get(name)]
    if len(there) != 1:
        return ""
    missing = next(name for name in names if name not in there)
    return f"{there[0]} is set without {missing} in {where}: give both, or none"


def _end_of(found: Any) -> float | None:
    """Return when botocore's keys end, None if that is unknown. botocore has no public name for it."""
    end = getattr(found, "_expiry_time", None)
    return end.timestamp() if isinstance(end, dt.datetime) else None
