"""The uploads of files in parts: the order of their parts, and when an upload ends."""

from __future__ import annotations

from collections import deque

from stage_world import found

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.items import Item, PartUpload
from bulkup.model.tickets import PartPlan, SentPart, Ticket
from bulkup.pipeline.part_queue import PartQueue


def upload(count: int, size: int = 10, sent: tuple[int, ...] = ()) -> PartUpload:
    """Return an upload of `count` parts of `size` bytes, but for the last one of 3. Storage has those in `sent`."""
    item = Item(found(b"large.mov", (count - 1) * size + 3))
    ticket = Ticket(SecretUrl("https://s.example/large.mov"), "large.mov?1", parts=PartPlan(size, count, "large.mov"))
    left = deque(number for number in range(1, count + 1) if number not in sent)
    return PartUpload(item, ticket, left, {number: SentPart(number, None, None, verified=True) for number in sent})


def test_the_parts_of_a_file_cover_it() -> None:
    """All have the size of the plan, but for the last."""
    parts = [upload(3).part(number) for number in (1, 2, 3)]
    assert [(part.start, part.end) for part in parts] == [(0, 10), (10, 20), (20, 23)]
    assert [(part.number, Item(part.upload.item.file, part=part).size) for part in parts] == [(1, 10), (2, 10), (3, 3)]


def test_what_storage_has_of_a_file() -> None:
    one = upload(3, sent=(1, 3))
    assert (one.bytes_sent, one.has_all) == (13, False)
    assert upload(3, sent=(1, 2, 3)).has_all


def test_the_parts_of_the_first_file_leave_first() -> None:
    queue, first, second = PartQueue(), upload(3), upload(2)
    queue.add(first)
    queue.add(second)
    assert queue.take(2) == [(first, [1, 2])]
    assert queue.take(2) == [(first, [3]), (second, [1])]
    assert (queue.out, first.out, second.out) == (4, 3, 1)
    assert queue.take(0) == queue.take(-1) == []
    assert queue.take(5) == [(second, [2])]
    assert queue.take(5) == []


def test_parts_that_storage_has_do_not_leave() -> None:
    queue, one = PartQueue(), upload(4, sent=(1, 3))
    queue.add(one)
    assert queue.take(9) == [(one, [2, 4])]


def test_uploads_that_have_not_begun_are_counted() -> None:
    """Those of which a part is on its way have begun."""
    queue, first, second = PartQueue(), upload(3), upload(3)
    queue.add(first)
    queue.add(second)
    queue.add(upload(3, sent=(1, 2, 3)))
    assert (queue.not_begun, queue.unfinished) == (2, (first, second))
    queue.take(2)
    assert (queue.not_begun, queue.unfinished) == (1, (first, second))
    queue.take(3)
    assert (queue.not_begun, queue.unfinished) == (0, (second,))


def test_an_upload_ends_when_its_last_part_is_back() -> None:
    """And its parts that have not left yet stay."""
    queue, first, second, ends = PartQueue(), upload(4), upload(2), list[str]()
    queue.add(first)
    queue.add(second)
    queue.take(2)
    queue.end(first, lambda: ends.append("first"))
    assert (ends, first.ended, queue.unfinished) == ([], True, (second,))
    queue.returned(first)
    assert ends == []
    queue.returned(first)
    assert (ends, queue.out) == (["first"], 0)
    assert queue.take(9) == [(second, [1, 2])]


def test_an_upload_without_parts_on_their_way_ends_at_once() -> None:
    queue, one, ends = PartQueue(), upload(2), list[str]()
    queue.add(one)
    queue.end(one, lambda: ends.append("one"))
    assert (ends, queue.unfinished, queue.take(9)) == (["one"], (), [])


def test_an_upload_ends_once() -> None:
    queue, one, ends = PartQueue(), upload(2), list[str]()
    queue.add(one)
    queue.take(2)
    queue.returned(one)
    queue.end(one, lambda: ends.append("one"))
    queue.returned(one)
    one.out += 1
    queue.returned(one)
    assert ends == ["one"]
