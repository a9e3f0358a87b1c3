"""What the journal means for a file as it is now on disk, by identity mode."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import KnownFile
from bulkup.model.files import Digest, Identity, Place
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.scan.decision import Action, IdentityMode, action_for

HERE = Identity(size=10, mtime_ns=20, ctime_ns=30, inode=40, device=50)
DIGEST = Digest(b"\1" * 16)
TICKET = Ticket(SecretUrl("https://s.example/a?sig=1"), "id-1")
RECEIPT = Receipt(DIGEST, HERE, "etag", verified=True, stored_at=1.0)
MODES: list[IdentityMode] = ["strict", "default", "content"]
OTHER_METADATA = ["ctime_ns", "inode", "device"]
CONTENT_METADATA = ["size", "mtime_ns"]
identities = st.builds(Identity, *[st.integers(0, 2)] * 5)


def known(
    state: FileState,
    identity: Identity = HERE,
    digest: Digest | None = DIGEST,
    ticket: Ticket | None = None,
    receipt: Receipt | None = None,
) -> KnownFile:
    return KnownFile(state, identity, digest, ticket, receipt)


def differing(name: str) -> Identity:
    return HERE._replace(**{name: 99})


@pytest.mark.parametrize("mode", MODES)
def test_a_file_that_nobody_knows_is_uploaded(mode: IdentityMode) -> None:
    """Without a row there is nothing to go by."""
    assert action_for(None, HERE, mode) is Action.UPLOAD


@pytest.mark.parametrize("state", sorted(DONE))
@pytest.mark.parametrize("mode", ["strict", "default"])
def test_an_uploaded_file_that_is_the_same_is_settled(state: FileState, mode: IdentityMode) -> None:
    """Uploaded and unverified count alike as long as nothing about the file differs."""
    assert action_for(known(state), HERE, mode) is Action.SETTLED


@pytest.mark.parametrize("name", OTHER_METADATA)
def test_a_remount_or_chmod_is_decided_by_the_content(name: str) -> None:
    """Same size and mtime with another inode, device or ctime: hashed again, or uploaded again under `strict`."""
    uploaded = known(FileState.UPLOADED, differing(name))
    assert action_for(uploaded, HERE, "default") is Action.RECHECK
    assert action_for(uploaded, HERE, "strict") is Action.UPLOAD


@pytest.mark.parametrize("name", OTHER_METADATA)
def test_without_a_digest_there_is_nothing_to_compare_with(name: str) -> None:
    """An uploaded file in doubt, of which no digest is known, is uploaded."""
    assert action_for(known(FileState.UPLOADED, differing(name), digest=None), HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("mode", ["strict", "default"])
@pytest.mark.parametrize("name", CONTENT_METADATA)
def test_another_size_or_mtime_is_another_file(name: str, mode: IdentityMode) -> None:
    """A file that was written since is uploaded again."""
    assert action_for(known(FileState.UPLOADED, differing(name)), HERE, mode) is Action.UPLOAD


def test_content_mode_believes_nothing_but_the_content() -> None:
    """Even a file that looks the same is hashed; one of another size need not be."""
    assert action_for(known(FileState.UPLOADED), HERE, "content") is Action.RECHECK
    assert action_for(known(FileState.UPLOADED, differing("mtime_ns")), HERE, "content") is Action.RECHECK
    assert action_for(known(FileState.UPLOADED, differing("size")), HERE, "content") is Action.UPLOAD


@pytest.mark.parametrize("mode", MODES)
def test_a_stored_file_is_confirmed_and_not_sent(mode: IdentityMode) -> None:
    """Its bytes are there: the closing call is all that is missing."""
    stored = known(FileState.STORED, ticket=TICKET, receipt=RECEIPT)
    assert action_for(stored, HERE, mode) is Action.CONFIRM


@pytest.mark.parametrize("mode", MODES)
def test_a_live_ticket_is_resumed(mode: IdentityMode) -> None:
    """A ticket that was recorded and never used may still be good."""
    assert action_for(known(FileState.TICKETED, ticket=TICKET), HERE, mode) is Action.RESUME


def test_a_digest_made_ahead_is_used_again() -> None:
    """A file that was hashed before its ticket is not hashed twice."""
    assert action_for(known(FileState.PENDING), HERE, "default") is Action.KNOWN_DIGEST
    assert action_for(known(FileState.PENDING, digest=None), HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("state", [FileState.STORED, FileState.TICKETED])
def test_a_row_that_lacks_what_its_state_promises_is_an_upload(state: FileState) -> None:
    """Stored without a receipt and ticketed without a ticket cannot be gone on with."""
    assert action_for(known(state), HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("state", [state for state in FileState if state not in DONE])
@pytest.mark.parametrize("name", [*OTHER_METADATA, *CONTENT_METADATA])
def test_nothing_half_done_is_gone_on_with_for_another_file(state: FileState, name: str) -> None:
    """A ticket, receipt or digest is of the file as it was: any difference starts anew."""
    half_done = known(state, differing(name), ticket=TICKET, receipt=RECEIPT)
    assert action_for(half_done, HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("state", [FileState.ASKED, FileState.FAILED, FileState.REJECTED, FileState.CHANGED])
def test_what_did_not_arrive_is_tried_again_by_the_next_run(state: FileState) -> None:
    """States of an earlier run that did not upload leave nothing to go on with."""
    assert action_for(known(state), HERE, "default") is Action.UPLOAD


@given(st.sampled_from(FileState), identities, identities, st.sampled_from(MODES))
def test_only_an_uploaded_file_is_ever_settled_and_only_unchanged(
    state: FileState, then: Identity, now: Identity, mode: IdentityMode
) -> None:
    """No combination of state and metadata passes a file over that was not uploaded exactly as it is."""
    row = known(state, then, ticket=TICKET, receipt=RECEIPT)
    if action_for(row, now, mode) is Action.SETTLED:
        assert state in DONE
        assert then == now


@pytest.mark.parametrize("state", FileState)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_gone_from_the_service_is_uploaded_again(state: FileState, mode: IdentityMode) -> None:
    """An uploaded file counts for nothing then; of one that is under way nothing can be gone."""
    row = known(state, ticket=TICKET, receipt=RECEIPT)
    assert action_for(row, HERE, mode, gone=True) is (Action.UPLOAD if state in DONE else action_for(row, HERE, mode))


HALF_DONE = {FileState.STORED: Action.CONFIRM, FileState.TICKETED: Action.RESUME}


def placed(state: FileState, place: str | None, digest: Digest | None = DIGEST) -> KnownFile:
    return dataclasses.replace(known(state, digest=digest, ticket=TICKET, receipt=RECEIPT), place=place)


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("state", [*sorted(DONE), *HALF_DONE])
@pytest.mark.parametrize("mode", MODES)
def test_what_stands_elsewhere_is_uploaded_again(state: FileState, mode: IdentityMode, exclusive: bool) -> None:
    """Another asset, category or key: what was sent there is of no use here."""
    assert action_for(placed(state, "there"), HERE, mode, Place("here", exclusive)) is Action.UPLOAD
    assert action_for(placed(state, None), HERE, mode, Place("here", exclusive)) is Action.UPLOAD


@pytest.mark.parametrize("state", FileState)
@pytest.mark.parametrize("mode", MODES)
def test_a_place_that_is_the_same_or_none_makes_no_difference(state: FileState, mode: IdentityMode) -> None:
    """As for services without places, and for a file whose rejection is still to come."""
    expected = action_for(placed(state, None), HERE, mode)
    assert action_for(placed(state, "here"), HERE, mode, Place("here", exclusive=True)) is expected
    assert action_for(placed(state, "there"), HERE, mode, None) is expected


@pytest.mark.parametrize("place", ["here", "there", None])
def test_a_digest_made_ahead_is_of_the_file_and_of_no_place(place: str | None) -> None:
    """A file that is to stand elsewhere now need not be hashed again."""
    assert action_for(placed(FileState.PENDING, place), HERE, "default", Place("here")) is Action.KNOWN_DIGEST
    assert action_for(placed(FileState.PENDING, place, digest=None), HERE, "default", Place("here")) is Action.UPLOAD
