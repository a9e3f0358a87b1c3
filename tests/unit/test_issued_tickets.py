"""The remote ids and objects of the tickets of a run, and the file of each."""

from __future__ import annotations

import pytest

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest
from bulkup.model.tickets import Ticket
from bulkup.pipeline.policy.issued_tickets import IssuedTickets


def ticket(remote_id: str, url: str = "", key: str | None = None) -> Ticket:
    form = None if key is None else (("Key", Secret(key)), ("policy", Secret("p")))
    return Ticket(SecretUrl(url or f"https://s.example/{remote_id}"), remote_id, form=form)


def test_an_id_belongs_to_the_first_file_that_got_it() -> None:
    issued = IssuedTickets()
    for url in ("https://s.example/1", "https://s.example/2"):
        assert issued.clash(ticket("id", url), b"/data/a") is None
    assert issued.clash(ticket("id", "https://s.example/3"), b"/data/b") == "an id"
    assert issued.clash(ticket("other id"), b"/data/b") is None


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("https://s.example/a", "https://s.example/a"),
        ("https://s.example/a", "https://s.example/a#1"),
        ("https://s.example/a", "https://S.Example/a"),
        ("https://s.example/a", "HTTPS://s.example:443/a"),
        ("http://s.example./a", "http://s.example:80/a"),
        ("https://s.example/a?Expires=1&Signature=x", "https://s.example/a?Signature=y&Expires=2"),
        ("https://s.example/a?X-Amz-Date=1&X-Amz-Signature=x", "https://s.example/a?x-amz-date=2&X-Amz-Signature=y"),
        ("https://s.example/a%20b", "https://s.example/%61%20b"),
        ("https://s.example", "https://s.example/"),
        ("https://s.example.:8443/a", "https://S.example:08443/a"),
        ("https://s.example:/a", "https://s.example/a"),
        ("http://127.0.0.1/a", "http://2130706433/a"),
        ("http://127.0.0.1/a", "http://127.1:80/a"),
        ("http://[::1]/a", "http://[0:0:0:0:0:0:0:1]:80/a"),
        ("http://10.0.0.1/a", "http://[::ffff:a00:1]/a"),
        ("https://s.example/a/b", "https://s.example/a/./x/../b"),
        ("https://s.example/b", "https://s.example/%2E%2E/b"),
        ("https://s.example/put?key=a/b&n=1", "https://s.example/put?n=1&key=a%2Fb"),
        ("https://s.example/put?key=a%2fb", "https://s.example/put?key=a%2Fb&Signature=x"),
    ],
)
def test_two_urls_of_one_object(mine: str, other: str) -> None:
    """They differ in the fragment, the signature or the spelling of the other parts. The same file may have both."""
    issued = IssuedTickets()
    assert issued.clash(ticket("1", mine), b"/data/a") is None
    assert issued.clash(ticket("2", other), b"/data/b") == "a URL"
    assert issued.clash(ticket("3", other), b"/data/a") is None


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("https://s.example/a", "https://s.example/A"),
        ("https://s.example/a", "https://t.example/a"),
        ("https://s.example/a", "https://s.example:444/a"),
        ("https://s.example/put?key=a&Signature=x", "https://s.example/put?key=b&Signature=x"),
        ("https://s.example/a", "https://s.example/.a"),
        ("https://s.example/a/b", "https://s.example/a..b"),
        ("https://a.example/a", "https://a.example.org/a"),
        ("https://s.example/put?upload_id=a", "https://s.example/put?upload_id=b"),
    ],
)
def test_two_urls_of_two_objects(mine: str, other: str) -> None:
    """A parameter that is not part of a signature may name the object."""
    issued = IssuedTickets()
    assert issued.clash(ticket("1", mine), b"/data/a") is None
    assert issued.clash(ticket("2", other), b"/data/b") is None


def test_the_key_of_a_form_names_its_object() -> None:
    issued, bucket = IssuedTickets(), "https://b.s.example/"
    assert issued.clash(ticket("1", bucket, "a"), b"/data/a") is None
    assert issued.clash(ticket("2", bucket, "b"), b"/data/b") is None
    assert issued.clash(ticket("3", bucket, "a"), b"/data/c") == "a URL"


def test_all_parts_of_a_file_belong_to_one_object() -> None:
    issued = IssuedTickets()
    for number, upload, file, clash in ((1, "x", b"/data/a", None), (2, "y", b"/data/b", "a URL")):
        first, more = [SecretUrl(f"https://s.example/a?partNumber={part}&uploadId={upload}") for part in (1, 2)]
        assert issued.clash(Ticket(first, str(number), more_urls=(more,)), file) == clash


@pytest.mark.unmeasured
def test_many_tickets_are_remembered_without_a_false_alarm() -> None:
    issued = IssuedTickets()
    for number in range(100_000):
        assert issued.clash(ticket(f"id-{number}"), b"/data/%d" % number) is None
    for number in range(0, 100_000, 997):
        assert issued.clash(ticket(f"id-{number}"), b"/data/x") == "an id"


@pytest.mark.unmeasured
def test_tickets_of_long_ago_are_forgotten() -> None:
    """Memory is bounded: 65,536 buckets of the newest fingerprints each."""
    issued = IssuedTickets(most=1)
    for number in range(400_000):
        issued.clash(ticket(f"id-{number}"), b"/data/a")
    forgotten = sum(issued.clash(ticket(f"id-{number}"), b"/data/b") is None for number in range(100))
    assert forgotten > 80
    assert issued.clash(ticket("id-399999"), b"/data/b") == "an id"


def test_files_with_equal_bytes_may_share_an_object_where_that_is_named_after_its_bytes() -> None:
    """Files with other bytes may not, nor may files whose digest is not known."""
    issued, digest, other = IssuedTickets(by_content=True), Digest(b"d" * 16), Digest(b"e" * 16)
    assert issued.clash(ticket("1"), b"/data/a", digest) is None
    assert issued.clash(ticket("1"), b"/data/b", digest) is None
    assert issued.clash(ticket("1"), b"/data/c", other) == "an id"
    assert issued.clash(ticket("1"), b"/data/d") == "an id"
    assert IssuedTickets().clash(ticket("1"), b"/data/a", digest) is None
