"""Ends presign calls under way before their answer, when a run has waited long enough for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import anyio

from bulkup.model.problems import Problem, ProblemError, ProblemKind

_PROBLEM = Problem(ProblemKind.TRANSIENT, "the call was cut off before its answer", maybe_created=True)


class CutOff:
    """Holds the calls under way. `requested` says that they, and all later ones, end at once."""

    def __init__(self) -> None:
        self.requested = False
        self._under_way: set[anyio.CancelScope] = set()

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Make a call in this block. Raises `ProblemError` when the call was cut off."""
        with anyio.CancelScope() as scope:
            self._under_way.add(scope)
            if self.requested:
                scope.cancel()
            try:
                yield
            finally:
                self._under_way.discard(scope)
        if scope.cancelled_caught:
            raise ProblemError(_PROBLEM)

    def request(self) -> None:
        """Cut off all calls."""
        self.requested = True
        for scope in self._under_way:
            scope.cancel()
