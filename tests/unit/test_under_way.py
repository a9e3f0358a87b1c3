"""The files being sent, as the progress shows them."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from stage_world import found, ticket

from bulkup.model.files import Digest
from bulkup.model.items import Item, Part, PartUpload
from bulkup.model.progress import SendingFile
from bulkup.model.tickets import PartPlan, SentPart
from bulkup.pipeline.under_way import SentBytes, sending_files

MIB = 1024**2


class Sent(NamedTuple):
    sent: int


def under_way(*files: tuple[Item, float, int]) -> dict[Item, tuple[object, float, SentBytes]]:
    return {item: (None, begun, Sent(sent)) for item, begun, sent in files}


def item(name: bytes, size: int) -> Item:
    return Item(found(name, size))


def test_the_largest_files_come_before_the_oldest_small_ones() -> None:
    files = under_way(
        (item(b"small", 10), 5.0, 0),
        (item(b"old", 10), 1.0, 10),
        (item(b"large", 2 * MIB), 9.0, MIB),
        (item(b"larger", 3 * MIB), 8.0, 0),
    )
    assert [file.path for file in sending_files(files, 10.0, 3)] == [b"old", b"larger", b"large"]
    assert sending_files(files, 10.0, 2)[1] == SendingFile("/data", b"large", 2 * MIB, MIB, 1.0)
    assert sending_files({}, 10.0, 3) == ()


def test_the_parts_of_a_file_are_shown_as_the_file() -> None:
    """With the parts that are stored already."""
    whole = item(b"film", 100)
    plan = ticket("film")._replace(parts=PartPlan(30, 4, "film"))
    upload = PartUpload(whole, plan, deque(), {1: SentPart(1, None, Digest(b"d" * 16), True)})
    parts = [Item(whole.file, part=Part(upload, number, 30 * number - 30, min(30 * number, 100))) for number in (2, 4)]
    shown = sending_files(under_way((parts[0], 4.0, 20), (parts[1], 3.0, 5)), 10.0, 5)
    assert shown == (SendingFile("/data", b"film", 100, 55, 7.0),)


def test_no_more_is_sent_than_the_file_has() -> None:
    """The last part of a file is smaller than the others."""
    whole = item(b"film", 100)
    plan = ticket("film")._replace(parts=PartPlan(30, 4, "film"))
    sent = {number: SentPart(number, None, None, True) for number in (1, 2, 4)}
    upload = PartUpload(whole, plan, deque(), sent)
    part = Item(whole.file, part=Part(upload, 3, 60, 90))
    assert sending_files(under_way((part, 4.0, 20)), 10.0, 5)[0].sent == 100
