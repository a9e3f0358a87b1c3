"""What the service says about an upload, compared with what was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup.api.verify.store_access import pause_before
from bulkup.api.verify.store_comparison import compare_stored
from bulkup.model.files import Digest
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.verify_results import StoreState
from bulkup.pipeline import RetryPolicy

MD5, OTHER = Digest(b"m" * 16), Digest(b"o" * 16)
SHA = Digest(b"s" * 32, "sha256")


def upload(**changes: Any) -> Upload:
    return Upload("id", 3, MD5, {})._replace(**changes)


@pytest.mark.parametrize(
    ("recorded", "found", "state"),
    [
        (upload(), StoredObject(), StoreState.SAME),
        (upload(), StoredObject(3, MD5, "x"), StoreState.SAME),
        (upload(), StoredObject(4), StoreState.DIFFERENT),
        (upload(), StoredObject(3, OTHER), StoreState.DIFFERENT),
        (upload(digest=SHA), StoredObject(3, OTHER), StoreState.SAME),
        (upload(digest=SHA, etag="one"), StoredObject(3, None, "two"), StoreState.DIFFERENT),
        (upload(digest=None, remote={"etag": '"one-2"'}), StoredObject(3, None, "one-2"), StoreState.SAME),
        (upload(digest=None, remote={"etag": "one-2"}, etag="x"), StoredObject(3, None, "two-2"), StoreState.DIFFERENT),
        (upload(), None, StoreState.MISSING),
        (upload(kept_until=100.0), None, StoreState.EXPIRED),
        (upload(kept_until=101.0), None, StoreState.MISSING),
    ],
)
def test_the_first_fact_that_both_sides_tell_decides(
    recorded: Upload, found: StoredObject | None, state: StoreState
) -> None:
    answer = compare_stored(recorded, found, 100.0)
    assert answer.state is state
    assert bool(answer.reason) is (state is not StoreState.SAME)


def test_calls_are_repeated_later_and_later() -> None:
    """Not before the time that the service asks for, up to a limit."""
    policy = RetryPolicy(base=1.0, cap=10.0, retry_after_max=60.0)
    assert [pause_before(tries, None, policy, 1.0) for tries in (1, 2, 3, 4)] == [2.0, 4.0, 8.0, 10.0]
    assert pause_before(1, None, policy, 0.0) == 0.0
    assert pause_before(1, 30.0, policy, 0.5) == 30.0
    assert pause_before(1, 3600.0, policy, 0.5) == 60.0
