"""What the bandwidth limit of a run lets pass, by the run's own clock."""

from __future__ import annotations

import pytest

from bulkup.pipeline.policy.bandwidth import TokenBucket


def note_bytes_taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Return what is taken out of the bucket from now on: the times by the run's own clock, and bytes."""
    pieces, take = list[tuple[float, int]](), TokenBucket.take

    def noted(self: TokenBucket, count: int, now: float) -> bool:
        allowed = take(self, count, now)
        if allowed:
            pieces.append((now, count))
        return allowed

    monkeypatch.setattr(TokenBucket, "take", noted)
    return pieces


def assert_within(pieces: list[tuple[float, int]], rate: float) -> None:
    """Check that in no second more than 1.2 times the limit was let pass."""
    for number, (begin, _) in enumerate(pieces):
        assert sum(size for at, size in pieces[number:] if at < begin + 1.0) <= 1.2 * rate
