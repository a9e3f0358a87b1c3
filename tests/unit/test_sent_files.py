"""The files that stand out, in bounded memory, and the durations of attempts."""

from __future__ import annotations

from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.sent_files import NOTED, SentFiles

SOURCE = Source(b"/data")


def a_file(number: int, size: int = 10) -> FoundFile:
    return FoundFile(SOURCE, b"f%d" % number, Identity(size, 1, 1, 1, 1))


def test_the_slowest_and_the_largest_files_are_kept() -> None:
    sent = SentFiles()
    for number in range(1000):
        sent.file(a_file(number, size=number), seconds=1000.0 - number, attempts=1)
    assert [file.path for file, _, _ in sent.slowest.files()] == [b"f%d" % number for number in range(NOTED)]
    assert [file.identity.size for file, _, _ in sent.largest.files()] == [999 - number for number in range(NOTED)]


def test_files_of_one_size_are_kept_in_the_order_of_their_arrival() -> None:
    sent = SentFiles()
    for number in range(100):
        sent.file(a_file(number), seconds=1.0, attempts=2)
    assert [file.path for file, _, _ in sent.largest.files()] == [b"f%d" % number for number in range(NOTED)]
    assert sent.slowest.files()[0] == (a_file(0), 1.0, 2)


def test_a_file_that_was_sent_twice_is_kept_once() -> None:
    """It changed after its first upload in this run. The slower attempt counts."""
    sent = SentFiles()
    for seconds in (1.0, 3.0, 2.0):
        sent.file(a_file(1), seconds=seconds, attempts=1)
    assert [(file.path, seconds) for file, seconds, _ in sent.slowest.files()] == [(b"f1", 3.0)]


def test_small_and_large_attempts_are_counted_apart() -> None:
    sent = SentFiles()
    sent.attempt(1024**2, 0.004)
    sent.attempt(1024**2 + 1, 4.0)
    assert (sum(sent.small.counts), sum(sent.large.counts)) == (1, 1)
    assert sent.small.counts[sent.small.bounds.index(0.005)] == 1
