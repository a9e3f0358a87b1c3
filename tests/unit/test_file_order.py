"""The order in which files enter the pipeline, in bounded memory."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import FoundFile, Identity, Source
from bulkup.pipeline.options import Order
from bulkup.pipeline.scan.decision import Action, FileDecision
from bulkup.pipeline.scan.file_order import FileOrder

SOURCE = Source(b"/source")
FILES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=60)
ORDERS: tuple[Order, ...] = ("path", "newest", "oldest", "smallest", "largest")


def decision(size: int, mtime: int, path: bytes = b"a", source: Source = SOURCE) -> FileDecision:
    return FileDecision(FoundFile(source, path, Identity(size, mtime, 1, 1, 1)), None, Action.UPLOAD)


def ordered(order: Order, window: int, decisions: list[FileDecision]) -> list[FileDecision]:
    files = FileOrder(order, window)
    early = [first for one in decisions if (first := files.add(one)) is not None]
    assert len(early) == max(0, len(decisions) - window)
    return [*early, *files.drain()]


def key(order: Order, one: FileDecision) -> Any:
    identity = one.file.identity
    return {
        "path": one.file.path,
        "newest": -identity.mtime_ns,
        "oldest": identity.mtime_ns,
        "smallest": identity.size,
        "largest": -identity.size,
    }[order]


@given(FILES, st.sampled_from(ORDERS))
def test_files_that_fit_into_the_window_are_sorted(files: list[tuple[int, int]], order: Order) -> None:
    """Equal ones keep the order in which they were found."""
    decisions = [decision(*file, path=os.urandom(2)) for file in files]
    assert ordered(order, 60, decisions) == sorted(decisions, key=lambda one: key(order, one))


@given(FILES, st.sampled_from(ORDERS), st.integers(1, 10))
def test_each_file_is_the_first_of_those_in_the_window(files: list[tuple[int, int]], order: Order, window: int) -> None:
    """Every file comes out once."""
    decisions = [decision(*file, path=os.urandom(2)) for file in files]
    out = ordered(order, window, decisions)
    assert sorted(map(id, out)) == sorted(map(id, decisions))
    for number, one in enumerate(out):
        seen = decisions[: number + window]  # found by then, and the rest is still unknown
        waiting = [other for other in seen if not any(other is gone for gone in out[:number])]
        assert key(order, one) <= min(key(order, other) for other in waiting)


@pytest.mark.parametrize(("order", "paths"), [("path", [b"a", b"a/b", b"b"])])
def test_paths_are_sorted_within_their_sources(order: Order, paths: list[bytes]) -> None:
    one, other = Source(b"/1"), Source(b"/2")
    decisions = [decision(1, 1, path, source) for path in reversed(paths) for source in (other, one)]
    found = [(each.file.source, each.file.path) for each in ordered(order, 10, decisions)]
    assert found == [(source, path) for source in (one, other) for path in paths]
