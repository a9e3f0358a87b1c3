"""The action for a file, by the journal's record and the identity mode; and messages about places."""

from __future__ import annotations

import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_world import FakeClock, FakeProvider

from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import Holder, KnownFile
from bulkup.model.files import Algorithm, Digest, FoundFile, Identity, Place, Source
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.options import IdentityMode
from bulkup.pipeline.scan.decision import Action, ChangePolicy, action_for, decide, place_taken
from bulkup.providers import FileSpec

SOURCE = Source(b"/data")
HERE = Identity(size=10, mtime_ns=20, ctime_ns=30, inode=40, device=50)
DIGEST = Digest(b"\1" * 16)
TICKET = Ticket(SecretUrl("https://s.example/a?sig=1"), "id-1")
RECEIPT = Receipt(DIGEST, HERE, "etag", verified=True, stored_at=1.0)
MODES: list[IdentityMode] = ["strict", "default", "content", "size-mtime"]
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
def test_a_file_without_a_record_is_uploaded(mode: IdentityMode) -> None:
    assert action_for(None, HERE, mode) is Action.UPLOAD


@pytest.mark.parametrize("state", sorted(DONE))
@pytest.mark.parametrize("mode", ["strict", "default", "size-mtime"])
def test_an_uploaded_file_that_is_the_same_is_settled(state: FileState, mode: IdentityMode) -> None:
    """Uploaded and unverified files alike."""
    assert action_for(known(state), HERE, mode) is Action.SETTLED


@pytest.mark.parametrize("name", OTHER_METADATA)
def test_a_remount_or_chmod_is_decided_by_the_content(name: str) -> None:
    """Same size and mtime with another inode, device or ctime: hashed again, or uploaded again under `strict`."""
    uploaded = known(FileState.UPLOADED, differing(name))
    assert action_for(uploaded, HERE, "default") is Action.RECHECK
    assert action_for(uploaded, HERE, "strict") is Action.UPLOAD


@pytest.mark.parametrize("name", OTHER_METADATA)
def test_other_metadata_does_not_count_where_size_and_time_are_trusted_alone(name: str) -> None:
    """Nothing is read again, also in the first run with `size-mtime`, and of files without a digest."""
    for digest in (DIGEST, None):
        uploaded = known(FileState.UPLOADED, differing(name), digest)
        assert action_for(uploaded, HERE, "size-mtime") is Action.SETTLED


@pytest.mark.parametrize("name", OTHER_METADATA)
def test_a_file_in_doubt_without_a_digest_is_uploaded(name: str) -> None:
    assert action_for(known(FileState.UPLOADED, differing(name), digest=None), HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("mode", ["strict", "default", "size-mtime"])
@pytest.mark.parametrize("name", CONTENT_METADATA)
def test_another_size_or_mtime_is_another_file(name: str, mode: IdentityMode) -> None:
    assert action_for(known(FileState.UPLOADED, differing(name)), HERE, mode) is Action.UPLOAD


def test_content_mode_compares_the_content() -> None:
    """Even if the metadata is equal; a file of another size is uploaded without that."""
    assert action_for(known(FileState.UPLOADED), HERE, "content") is Action.RECHECK
    assert action_for(known(FileState.UPLOADED, differing("mtime_ns")), HERE, "content") is Action.RECHECK
    assert action_for(known(FileState.UPLOADED, differing("size")), HERE, "content") is Action.UPLOAD


@pytest.mark.parametrize("mode", MODES)
def test_a_stored_file_is_confirmed_and_not_sent(mode: IdentityMode) -> None:
    stored = known(FileState.STORED, ticket=TICKET, receipt=RECEIPT)
    assert action_for(stored, HERE, mode) is Action.CLOSE


@pytest.mark.parametrize("mode", MODES)
def test_a_live_ticket_is_resumed(mode: IdentityMode) -> None:
    assert action_for(known(FileState.TICKETED, ticket=TICKET), HERE, mode) is Action.RESUME


def test_a_digest_made_ahead_is_used_again() -> None:
    assert action_for(known(FileState.PENDING), HERE, "default") is Action.KNOWN_DIGEST
    assert action_for(known(FileState.PENDING, digest=None), HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("state", [FileState.STORED, FileState.TICKETED])
def test_a_record_that_lacks_its_ticket_or_receipt_is_an_upload(state: FileState) -> None:
    assert action_for(known(state), HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("state", [state for state in FileState if state not in DONE])
@pytest.mark.parametrize("name", [*OTHER_METADATA, *CONTENT_METADATA])
def test_a_changed_file_does_not_use_an_old_ticket_receipt_or_digest(state: FileState, name: str) -> None:
    half_done = known(state, differing(name), ticket=TICKET, receipt=RECEIPT)
    assert action_for(half_done, HERE, "default") is Action.UPLOAD


@pytest.mark.parametrize("state", [FileState.ASKED, FileState.FAILED, FileState.REJECTED, FileState.CHANGED])
def test_the_next_run_tries_a_failed_file_again(state: FileState) -> None:
    assert action_for(known(state), HERE, "default") is Action.UPLOAD


@given(st.sampled_from(FileState), identities, identities, st.sampled_from(MODES))
def test_only_an_uploaded_file_is_ever_settled_and_only_unchanged(
    state: FileState, then: Identity, now: Identity, mode: IdentityMode
) -> None:
    row = known(state, then, ticket=TICKET, receipt=RECEIPT)
    if action_for(row, now, mode) is Action.SETTLED:
        assert state in DONE
        assert then == now or (mode == "size-mtime" and then[:2] == now[:2])


@pytest.mark.parametrize("state", FileState)
@pytest.mark.parametrize("mode", MODES)
def test_an_upload_that_is_gone_from_the_service_is_repeated(state: FileState, mode: IdentityMode) -> None:
    """For unfinished files `gone` makes no difference."""
    row = known(state, ticket=TICKET, receipt=RECEIPT)
    assert action_for(row, HERE, mode, gone=True) is (Action.UPLOAD if state in DONE else action_for(row, HERE, mode))


HALF_DONE = {FileState.STORED: Action.CLOSE, FileState.TICKETED: Action.RESUME}


def placed(state: FileState, place: str | None, digest: Digest | None = DIGEST) -> KnownFile:
    return dataclasses.replace(known(state, digest=digest, ticket=TICKET, receipt=RECEIPT), place=place)


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("state", [*sorted(DONE), *HALF_DONE])
@pytest.mark.parametrize("mode", MODES)
def test_a_file_with_another_place_is_uploaded_again(state: FileState, mode: IdentityMode, exclusive: bool) -> None:
    """Another asset, category or key."""
    assert action_for(placed(state, "there"), HERE, mode, Place("here", exclusive)) is Action.UPLOAD
    assert action_for(placed(state, None), HERE, mode, Place("here", exclusive)) is Action.UPLOAD


@pytest.mark.parametrize("state", FileState)
@pytest.mark.parametrize("mode", MODES)
def test_the_same_place_or_none_makes_no_difference(state: FileState, mode: IdentityMode) -> None:
    """None for services without places, and for files that are about to be rejected."""
    expected = action_for(placed(state, None), HERE, mode)
    assert action_for(placed(state, "here"), HERE, mode, Place("here", exclusive=True)) is expected
    assert action_for(placed(state, "there"), HERE, mode, None) is expected


@pytest.mark.parametrize("place", ["here", "there", None])
def test_a_digest_made_ahead_is_used_for_any_place(place: str | None) -> None:
    assert action_for(placed(FileState.PENDING, place), HERE, "default", Place("here")) is Action.KNOWN_DIGEST
    assert action_for(placed(FileState.PENDING, place, digest=None), HERE, "default", Place("here")) is Action.UPLOAD


def test_a_provider_gets_name_path_extension_and_time() -> None:
    """The time in seconds, and the digest if there is one."""
    file = FoundFile(SOURCE, b"a/B.tar.GZ", Identity(7, 1_500_000_000_500_000_000, 1, 2, 3))
    spec = FileSpec.of(file)
    assert (spec.name, spec.path, spec.extension, spec.size) == ("B.tar.GZ", "a/B.tar.GZ", "gz", 7)
    assert (spec.modified, spec.digest) == (1_500_000_000.5, None)
    assert FileSpec.of(file, Digest(b"d" * 16)).digest == Digest(b"d" * 16)


def test_bytes_that_are_not_utf_8_become_surrogates() -> None:
    """They can be turned back into the bytes. A name that begins with a dot has no extension."""
    spec = FileSpec.of(FoundFile(SOURCE, b"d\xff/.bash\xferc", Identity(1, 0, 0, 0, 0)))
    assert os.fsencode(spec.path) == b"d\xff/.bash\xferc"
    assert spec.extension == ""


def test_the_rejection_of_a_taken_place_names_its_holder() -> None:
    """By its path in the same source, by its full path in another one, and always as printable text."""
    holders = {b"b.png": b"/data", b"c.png": b"/other", b"\xff": b"/data"}
    reasons = [
        place_taken(Place("MAIN of asset a-1", exclusive=True), Holder(root, path), SOURCE, "metastudio").reason
        for path, root in holders.items()
    ]
    assert reasons == [
        f"its place at metastudio, MAIN of asset a-1, is taken by {shown}"
        for shown in ("b.png", "/other/c.png", "\ufffd")
    ]


@pytest.mark.parametrize("state", [FileState.PENDING, FileState.TICKETED])
@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_digest_of_an_algorithm_that_the_call_cannot_use_is_not_used(state: FileState, algorithm: Algorithm) -> None:
    """The file is hashed again. Its ticket was made for a digest that is not needed any more."""
    provider = FakeProvider(FakeClock())
    provider.can(checksum_first=algorithm)
    file = FoundFile(SOURCE, b"a.mp4", HERE)
    decision = decide(file, known(state, ticket=TICKET), provider, ChangePolicy(0.0))
    assert decision.hashed_first
    usable = {FileState.PENDING: Action.KNOWN_DIGEST, FileState.TICKETED: Action.RESUME}[state]
    assert decision.action is (usable if algorithm == "md5" else Action.UPLOAD)
