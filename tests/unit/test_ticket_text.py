"""The text of live tickets in the journal. A text that `dump` did not write is a damaged journal."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import JournalError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.journal.ticket_text import DamagedTicketError, dump, load
from bulkup.model.files import DIGEST_BYTES
from bulkup.model.tickets import ChecksumHeader, PartPlan, Ticket

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
checksum_headers = st.builds(
    ChecksumHeader, texts, st.sampled_from(sorted(DIGEST_BYTES)), st.sampled_from(["base64", "hex"])
)
tickets = st.builds(
    Ticket,
    url=st.builds(SecretUrl, texts),
    remote_id=texts,
    expires_at=st.none() | st.floats(allow_nan=False),
    method=st.sampled_from(["PUT", "POST"]),
    headers=st.dictionaries(texts, texts | st.builds(Secret, texts), max_size=3),
    remote=st.dictionaries(texts, json_values, max_size=3),
    content_md5=st.booleans(),
    form=st.none() | st.lists(st.tuples(texts, st.builds(Secret, texts)), max_size=3).map(tuple),
    more_urls=st.lists(st.builds(SecretUrl, texts), max_size=3).map(tuple),
    checksum_headers=st.lists(checksum_headers, max_size=2).map(tuple),
    success=st.lists(st.integers(200, 299), max_size=2).map(tuple),
    proof=st.sampled_from(["", "content-md5", "body:md5"]),
    parts=st.none() | st.builds(PartPlan, st.integers(1, 2**40), st.integers(1, 10_000), texts),
    closing=st.none(),  # the journal does not keep it
)
TICKET = Ticket(
    SecretUrl("https://s.example/k?sig=s3cret"),
    "id",
    method="POST",
    headers={"Content-MD5": "x", "X-Auth-Token": Secret("s3cret")},
    remote={"id": "id"},
    form=(("key", Secret("s3cret")),),
    more_urls=(SecretUrl("https://s.example/2"),),
)


@given(tickets)
def test_a_ticket_is_read_back_unchanged(ticket: Ticket) -> None:
    """With its secrets as secrets, and a form's fields in order."""
    assert load(dump(ticket), ticket.remote_id, ticket.expires_at) == ticket


@given(st.data())
def test_a_changed_text_is_a_ticket_or_a_damaged_journal(data: st.DataObject) -> None:
    """For any other value in place of one of its values."""
    kept: dict[str, Any] = json.loads(dump(TICKET))
    del kept["checksum"]  # as an earlier version wrote it
    name = data.draw(st.sampled_from(sorted(kept)))
    kept[name] = data.draw(json_values)
    try:
        ticket = load(json.dumps(kept), "id", None)
    except JournalError:
        return
    assert load(dump(ticket), "id", None) == ticket


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"url":"https://s.example/?sig=s3cret"', "{}"])
def test_the_error_of_a_damaged_ticket_does_not_contain_its_text(text: str) -> None:
    """The decoder's own error contains all of it."""
    with pytest.raises(JournalError) as raised:
        load(text, "id", None)
    assert "s3cret" not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__context__ is None


def test_every_flipped_bit_is_noticed() -> None:
    """In the text, in the id and in the end of the lease, also where the text stays valid."""
    text = dump(TICKET).encode()
    assert load(text, b"id", None) == TICKET
    for place in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(DamagedTicketError) as raised:
            load(bytes(flipped), "id", None)
        assert raised.value.__context__ is None
    for remote_id, expires_at in ((b"ie", None), (b"\xe9d", None), ("id", 1.0)):
        with pytest.raises(DamagedTicketError):
            load(text, remote_id, expires_at)


@pytest.mark.parametrize("expires_at", [None, 0, 1.5, 1_700_000_000, 1e300])
def test_the_end_of_the_lease_is_checked_as_sqlite_returns_it(expires_at: float | None) -> None:
    ticket = TICKET._replace(expires_at=expires_at)
    stored = None if expires_at is None else float(expires_at)
    assert load(dump(ticket), "id", stored) == ticket


def test_a_ticket_of_an_earlier_version_has_no_checksum() -> None:
    kept = json.loads(dump(TICKET))
    del kept["checksum"]
    assert load(json.dumps(kept), "id", None) == TICKET
