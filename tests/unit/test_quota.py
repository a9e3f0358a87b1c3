"""The largest number of files and bytes of a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.policy.quota import Quota

SIZES = st.lists(st.integers(0, 100), max_size=30)


@given(SIZES, st.integers(1, 20))
def test_as_many_files_as_allowed_are_admitted(sizes: list[int], most: int) -> None:
    """The limit is reached only by a further file."""
    quota = Quota(max_files=most)
    assert sum(quota.admits(size) for size in sizes) == min(most, len(sizes))
    assert quota.reached == ("max_files" if len(sizes) > most else None)


@given(SIZES, st.integers(1, 500))
def test_no_file_is_admitted_after_the_bytes(sizes: list[int], most: int) -> None:
    """Only the last file may exceed the limit, so that a file larger than it is sent as well."""
    quota = Quota(max_bytes=most)
    admitted = [size for size in sizes if quota.admits(size)]
    assert admitted == sizes[: len(admitted)]
    assert sum(admitted[:-1]) < most
    assert (quota.reached == "max_bytes") == (len(admitted) < len(sizes))
    if len(admitted) < len(sizes):
        assert sum(admitted) >= most


def test_the_limit_that_is_reached_first_counts() -> None:
    quota = Quota(max_files=2, max_bytes=10)
    assert [quota.admits(size) for size in (5, 1, 100, 1)] == [True, True, False, False]
    assert (quota.reached, quota.is_limited) == ("max_files", True)


def test_without_limits_every_file_is_admitted() -> None:
    quota = Quota()
    assert (quota.admits(10**15), quota.reached, quota.is_limited) == (True, None, False)
