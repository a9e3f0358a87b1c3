"""The size of groups, and the worker that gets the next one."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from bulkup.cluster.assignments import ASK, Assigned
from bulkup.cluster.cluster_options import MIB, ClusterOptions
from bulkup.cluster.file_groups import Load, least_loaded, room, take_group, window
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.items import Item

OPTIONS = ClusterOptions(group_files=10, group_bytes=100, least_files=20, least_bytes=1000, fewest_files=3, window=2.0)
SOURCE = Source(b"/source")


def files(*sizes: int) -> deque[Assigned]:
    items = [Item(FoundFile(SOURCE, b"%d" % number, Identity(size, 1, 1, 1, 1))) for number, size in enumerate(sizes)]
    return deque(Assigned(number, ASK, item) for number, item in enumerate(items, start=1))


def test_a_group_ends_with_its_count_or_its_bytes() -> None:
    assert len(take_group(files(*[1] * 50), Load(), OPTIONS, workers=1)) == 10
    assert len(take_group(files(*[30] * 50), Load(), OPTIONS, workers=1)) == 4
    assert len(take_group(files(10_000, 1), Load(), OPTIONS, workers=1)) == 1


def test_few_files_are_shared_among_the_workers() -> None:
    assert len(take_group(files(*[1] * 9), Load(), OPTIONS, workers=3)) == 3
    assert len(take_group(files(1), Load(), OPTIONS, workers=3)) == 1


def test_a_worker_gets_some_files_however_large_they_are() -> None:
    assert room(Load(files=2, bytes=5000), OPTIONS)[0] == 1
    assert room(Load(files=3, bytes=5000), OPTIONS)[0] == 0


def test_the_window_follows_the_speed() -> None:
    assert window(Load(), OPTIONS) == (20, 1000)
    assert window(Load(files_per_second=100, bytes_per_second=5000), OPTIONS) == (200, 10_000)
    most = ClusterOptions()
    assert window(Load(files_per_second=1e9, bytes_per_second=1e15), most) == (most.most_files, most.most_bytes)


def test_the_worker_with_the_least_work_for_its_speed_is_next() -> None:
    slow, fast = Load(files=10), Load(files=50, files_per_second=100)
    assert least_loaded([slow, fast], OPTIONS) == 1
    assert least_loaded([Load(files=20), Load(files=20)], OPTIONS) is None


def test_the_speed_is_learned_from_what_is_settled() -> None:
    load = Load()
    for _ in range(20):
        load.note(files=50, size=5 * MIB, seconds=1.0)
    assert 45 < load.files_per_second <= 50
    assert 4.5 * MIB < load.bytes_per_second <= 5 * MIB


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.integers(1, 5))
def test_groups_are_never_empty_and_lose_no_file(sizes: list[int], workers: int) -> None:
    waiting, seen = files(*sizes), list[int]()
    while waiting:
        group = take_group(waiting, Load(), OPTIONS, workers)
        assert 0 < len(group) <= OPTIONS.group_files
        seen += [file.number for file in group]
    assert seen == list(range(1, len(sizes) + 1))
