"""Files, tickets and outcomes survive the way between coordinator and worker."""

from __future__ import annotations

import marshal
import pickle
from typing import Any

import pytest

from bulkup.cluster.device_numbers import DeviceNumbers
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.wire_values import (
    apply_changes,
    file_changes,
    file_of,
    file_to_plain,
    outcome_of,
    outcome_to_plain,
    receipt_from,
    receipt_to_plain,
    ticket_of,
    ticket_to_plain,
)
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Place, Source
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import ChecksumHeader, PartPlan, Receipt, SentPart, Ticket

SOURCE = Source(b"/source", id=3)
IDENTITY = Identity(5, 10**18, 10**18 + 1, 77, 2049)
MD5 = Digest(bytes(range(16)))
USUAL = Ticket(SecretUrl("https://s.example/a?X-Signature=abc"), "id", 1e9, headers={"a": "b", "c": Secret("hidden")})
FULL = USUAL._replace(
    form=(("key", Secret("k")),),
    more_urls=(SecretUrl("https://s.example/2"),),
    checksum_headers=(ChecksumHeader("x-amz-checksum-sha256", "sha256"),),
    success=(201,),
    proof="body:md5",
    parts=PartPlan(5, 2, "object"),
    remote={"file_path": "x", "n": [1, None]},
)


def through(plain: Any) -> Any:
    return marshal.loads(marshal.dumps(plain))


@pytest.mark.parametrize("ticket", [USUAL, FULL])
def test_a_ticket(ticket: Ticket) -> None:
    assert ticket_of(through(ticket_to_plain(ticket))) == ticket


def test_a_receipt() -> None:
    receipt = Receipt(MD5, IDENTITY, "etag", True, 5.5, (SentPart(1, "e", MD5, True), SentPart(2, None, None, False)))
    assert receipt_from(through(receipt_to_plain(receipt))) == receipt


def test_a_new_file_is_short_and_an_earlier_one_complete() -> None:
    item = Item(FoundFile(SOURCE, b"a/b.mp4", IDENTITY))
    item.accepted = item.file
    plain = through(file_to_plain(9, "ask", item))
    assert len(marshal.dumps(plain)) < 120
    number, need, arrived = file_of(plain, {3: SOURCE}, DeviceNumbers())
    assert (number, need, arrived.file) == (9, "ask", item.file)
    assert arrived.accepted is arrived.file
    item.ticket, item.digest, item.place, item.parts = FULL, MD5, Place("p", True), (SentPart(1, "e", None, True),)
    item.known_digest, item.history.attempts = MD5, 4
    _, _, arrived = file_of(through(file_to_plain(9, "resume", item)), {3: SOURCE}, DeviceNumbers())
    for name in ("ticket", "digest", "place", "parts", "known_digest", "receipt"):
        assert getattr(arrived, name) == getattr(item, name), name
    assert arrived.history.attempts == 4


def test_devices_have_the_number_of_each_machine() -> None:
    devices = DeviceNumbers()
    devices.learn(there=2049, here=50)
    item = Item(FoundFile(SOURCE, b"a", IDENTITY))
    _, _, arrived = file_of(through(file_to_plain(1, "ask", item)), {3: SOURCE}, devices)
    assert arrived.file.identity.device == 50
    assert devices.there(arrived.file.identity) == IDENTITY
    sent = arrived.file
    arrived.file = arrived.file._replace(identity=arrived.file.identity._replace(size=6))
    changes = through(file_changes(arrived, sent, devices))
    apply_changes(item, changes)
    assert item.file.identity == IDENTITY._replace(size=6)


def test_a_usual_outcome_is_short() -> None:
    item = Item(FoundFile(SOURCE, b"a", IDENTITY), USUAL)
    item.receipt = Receipt(MD5, IDENTITY, MD5.hex, True, 7.0)
    item.history.attempts = 2
    plain = through(outcome_to_plain(1, Outcome(item, FileState.UPLOADED), None, None, DeviceNumbers()))
    assert len(marshal.dumps(plain)) < 60
    ours = Item(FoundFile(SOURCE, b"a", IDENTITY), USUAL)
    outcome, changes = outcome_of(plain, ours)
    assert (outcome.state, changes, ours.receipt, ours.history.attempts) == (
        FileState.UPLOADED,
        None,
        item.receipt,
        2,
    )


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Item(FoundFile(SOURCE, b"a", IDENTITY)), None),
        Outcome(
            Item(FoundFile(SOURCE, b"a", IDENTITY)),
            FileState.REJECTED,
            Problem(ProblemKind.REJECTED, "too large", 2.0),
            by_service=True,
            counted=True,
        ),
        Outcome(
            Item(FoundFile(SOURCE, b"a", IDENTITY), receipt=Receipt(None, IDENTITY, None, False, 1.0)),
            FileState.UNVERIFIED,
            remote={"status": "ready"},
        ),
    ],
)
def test_any_other_outcome_is_complete(outcome: Outcome) -> None:
    ours = Item(FoundFile(SOURCE, b"a", IDENTITY))
    plain = through(outcome_to_plain(1, outcome, None, None, DeviceNumbers()))
    found, _ = outcome_of(plain, ours)
    assert found._replace(item=outcome.item) == outcome
    assert ours.receipt == outcome.item.receipt


def test_a_body_prints_nothing_of_its_content() -> None:
    body = SealedBody.of(["top secret"])
    assert repr(body) == str(body) == f"<{len(body)} bytes>"
    assert pickle.loads(pickle.dumps(body)).value() == ["top secret"]
