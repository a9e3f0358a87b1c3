"""The checksum algorithms: in one pass, in pieces, and without the package that some of them need."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import UsageError
from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest
from bulkup.pipeline.files.hashing import RunningDigests, digests_of_data, require_algorithms

EVERY: tuple[Algorithm, ...] = tuple(DIGEST_BYTES)


def test_known_values() -> None:
    """The check values of the catalogues of hashes and CRCs, all for the digits 1 to 9."""
    values = {digest.algorithm: digest.hex for digest in digests_of_data(b"123456789", EVERY)}
    assert values == {
        "md5": "25f9e794323b453885f5181f1b624d0b",
        "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        "crc32c": "e3069283",
        "crc64nvme": "ae8b14860a799888",
    }


@given(st.lists(st.binary(max_size=40)), st.permutations(EVERY), st.integers(0, 4))
def test_pieces_give_the_digests_of_the_whole(
    pieces: Sequence[bytes], algorithms: Sequence[Algorithm], count: int
) -> None:
    """In the order of the algorithms. A copy has the bytes up to it, whatever is added later."""
    running, copies = RunningDigests(algorithms[:count]), []
    for piece in pieces:
        copies.append(running.copy())
        running.update(memoryview(piece))
    assert running.digests() == digests_of_data(b"".join(pieces), algorithms[:count])
    for number, copy in enumerate(copies):
        assert copy.digests() == digests_of_data(b"".join(pieces[:number]), algorithms[:count])


@pytest.mark.parametrize("algorithm", ["crc32c", "crc64nvme"])
def test_a_missing_package_is_named_with_the_extra_that_has_it(
    algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "awscrt.checksums", None)
    require_algorithms(("md5", "sha256"))
    with pytest.raises(UsageError) as raised:
        require_algorithms(("md5", algorithm))
    assert f"the checksum {algorithm} needs the package awscrt" in raised.value.message
    assert raised.value.hint is not None
    assert "bulkup[checksums]" in raised.value.hint


def test_without_that_package_the_other_algorithms_work() -> None:
    (digest,) = digests_of_data(b"x", ("sha256",))
    assert digest == Digest(hashlib.sha256(b"x").digest(), "sha256")
