"""The order in which files go to workers: large ones early, and never all workers for them while small ones wait."""

from __future__ import annotations

import heapq
import random

from hypothesis import given
from hypothesis import strategies as st
from stage_world import found, ticket

from bulkup.model.items import Item, Ticketed
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.sending_order import MOST_LARGE, SendingOrder


def file_of(size: int) -> Ticketed:
    return Ticketed(Item(found(b"a.mp4", size), ticket()), ticket())


def size_of(file: Ticketed) -> int:
    return file.item.file.identity.size


def order_of(*sizes: int) -> SendingOrder:
    order = SendingOrder()
    for size in sizes:
        order.add(file_of(size))
    return order


def test_large_files_go_first_up_to_their_share_of_the_workers() -> None:
    order = order_of(1, 2, LARGE + 1, 3, LARGE + 2, LARGE + 3, 4)
    taken = [size_of(order.next(large, 8)) for large in (0, 1, 2, 2, 2, 1, 2)]
    assert taken == [LARGE + 1, LARGE + 2, 1, 2, 3, LARGE + 3, 4]
    assert len(order) == 0


def test_large_files_that_go_first_leave_memory_for_small_ones() -> None:
    order = order_of(1, LARGE + 1, LARGE + 2)
    assert [size_of(order.next(large, 256)) for large in (MOST_LARGE - 1, MOST_LARGE)] == [LARGE + 1, 1]


def test_where_only_large_files_wait_all_workers_have_them() -> None:
    order = order_of(*[LARGE + 1] * 8)
    assert [size_of(order.next(large, 4)) for large in range(4)] == [LARGE + 1] * 4


def test_a_single_worker_sends_both_kinds() -> None:
    order = order_of(1, LARGE + 1)
    assert [size_of(order.next(0, 1)) for _ in range(2)] == [LARGE + 1, 1]


@given(st.lists(st.integers(1, 2 * LARGE)), st.integers(1, 64), st.data())
def test_every_file_is_handed_out_once_and_files_of_one_kind_in_their_order(
    sizes: list[int], workers: int, data: st.DataObject
) -> None:
    order = order_of(*sizes)
    assert [size_of(file) for file in order] == sorted(sizes, key=lambda size: size > LARGE)
    taken = [size_of(order.next(data.draw(st.integers(0, workers)), workers)) for _ in sizes]
    assert [size for size in taken if size > LARGE] == [size for size in sizes if size > LARGE]
    assert [size for size in taken if size <= LARGE] == [size for size in sizes if size <= LARGE]


def test_a_mixed_run_ends_without_a_long_tail() -> None:
    """Each file takes as long as its size. Large files that come last are begun as soon as they have a ticket."""
    chance = random.Random(5)
    small, large = [chance.randrange(1, LARGE // 4) for _ in range(2000)], [20 * LARGE] * 4
    least = max(sum(small + large) / 16, 20 * LARGE)
    assert makespan(large + small, 16, window=1000) <= 1.05 * least
    assert makespan(small[:1000] + large + small[1000:], 16, window=1000) <= 1.05 * least
    assert makespan(small + large, 16, window=1000) <= 1.4 * least  # 1.7 in the order of arrival


def makespan(sizes: list[int], workers: int, window: int) -> float:
    """Return when the last file ends, where up to `window` files wait with a ticket."""
    order, coming, ends = SendingOrder(), iter(sizes), [(0.0, 0)] * workers
    large, last = 0, 0.0
    while True:
        for size in coming:
            order.add(file_of(size))
            if len(order) >= window:
                break
        if not len(order):
            return last
        now, ended = heapq.heappop(ends)
        large -= ended > LARGE
        size = size_of(order.next(large, workers))
        large += size > LARGE
        last = max(last, now + size)
        heapq.heappush(ends, (now + size, size))


def test_files_of_an_order_go_as_they_come() -> None:
    """Where the user wants an order, a large file is not sent earlier."""
    order = SendingOrder(as_they_come=True)
    for size in (1, LARGE + 1, 2, LARGE + 2):
        order.add(file_of(size))
    assert [size_of(order.next(0, 8)) for _ in range(4)] == [1, LARGE + 1, 2, LARGE + 2]
