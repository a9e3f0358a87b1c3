"""The values that flow through a run, as far as they read themselves."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest, FoundFile, Identity, Source
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import DONE, FileState

NOTHING = Identity(0, 0, 0, 0, 0)


def found(path: bytes, root: bytes = b"/data") -> FoundFile:
    return FoundFile(Source(root), path, NOTHING)


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        (b"a.mp4", "mp4"),
        (b"a.MP4", "mp4"),
        (b"a.tar.GZ", "gz"),
        (b"a", ""),
        (b"a.", ""),
        (b".bashrc", ""),
        (b".hidden.mov", "mov"),
        (b"folder.mp4/name", ""),
        (b"folder/a.b/c.Png", "png"),
        (b"new\nline.wav", "wav"),
    ],
)
def test_the_extension_is_the_lower_cased_last_suffix(path: bytes, extension: str) -> None:
    """Of the name alone, without that of its folder; a leading dot makes no extension."""
    assert found(path).extension == extension


@given(st.binary(min_size=1).filter(lambda path: b"\0" not in path and not path.startswith(b"/")))
def test_no_name_is_lost_on_its_way_through_text(path: bytes) -> None:
    """Bytes that are not UTF-8 survive as surrogates, and the path to open is the path found."""
    file = found(path)
    assert os.fsencode(file.name) == os.path.basename(path)
    assert file.full_path == b"/data/" + path
    assert isinstance(file.extension, str)


def test_a_source_at_the_root_of_the_file_system_has_one_slash() -> None:
    """Paths below `/` are not `//...`."""
    assert found(b"a", b"/").full_path == b"/a"


def test_a_source_is_shown_as_text() -> None:
    """Also where its name is none."""
    assert os.fsencode(Source(b"/\xff").shown) == b"/\xff"


@given(st.binary())
def test_a_digest_has_the_forms_of_etag_and_header(data: bytes) -> None:
    """32 hex digits, and Base64 of the 16 bytes."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    digest = Digest(md5.digest())
    assert digest.hex == md5.hexdigest()
    assert base64.b64decode(digest.base64, validate=True) == md5.digest()


@given(st.sampled_from(sorted(DIGEST_BYTES)), st.data())
def test_a_digest_as_text_names_its_algorithm(algorithm: Algorithm, data: st.DataObject) -> None:
    size = DIGEST_BYTES[algorithm]
    digest = Digest(data.draw(st.binary(min_size=size, max_size=size)), algorithm)
    assert digest.text == f"{algorithm}:{digest.hex}"
    assert Digest.of_text(digest.text) == digest


def test_an_identity_is_what_stat_says(tmp_path: Path) -> None:
    """Size, both times in nanoseconds, inode and device."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    status = path.stat()
    identity = Identity.of(status)
    assert identity == Identity(5, 1_700_000_000_123_456_789, status.st_ctime_ns, status.st_ino, status.st_dev)


def test_items_are_told_apart_by_themselves_and_not_by_their_file() -> None:
    """Two items of one file are two; an item may be kept in a set while it changes."""
    one, other = Item(found(b"a")), Item(found(b"a"))
    assert one != other
    assert {one} != {other}


def test_a_problem_keeps_its_message_as_an_error() -> None:
    """The error has the message, and the data for the decision."""
    problem = Problem(ProblemKind.THROTTLED, "slow down", 3.0)
    error = ProblemError(problem)
    assert str(error) == "slow down"
    assert error.problem is problem


def test_only_what_arrived_is_done() -> None:
    """Uploaded and unverified; nothing else is ever passed over by the next run."""
    assert {FileState.UPLOADED, FileState.UNVERIFIED} == DONE


def test_times_beyond_what_the_journal_can_hold_are_folded() -> None:
    """A file of the year 2400 is a file like any other."""
    far = int(1e9) * 60 * 60 * 24 * 365 * 430
    stat = mock.Mock(st_size=1, st_mtime_ns=far, st_ctime_ns=-far * 2, st_ino=1, st_dev=1)
    identity = Identity.of(stat)
    assert -(2**63) <= identity.mtime_ns < 2**63
    assert -(2**63) <= identity.ctime_ns < 2**63
    assert identity == Identity.of(stat)
