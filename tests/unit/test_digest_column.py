"""Digests in the journal's column `md5`: the bytes of an MD5, and text with the algorithm for any other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.journal.digest_column import loaded_digest, stored_digest
from bulkup.model.files import DIGEST_BYTES, Digest

DIGESTS = st.sampled_from(sorted(DIGEST_BYTES)).flatmap(
    lambda algorithm: st.binary(min_size=DIGEST_BYTES[algorithm], max_size=DIGEST_BYTES[algorithm]).map(
        lambda value: Digest(value, algorithm)
    )
)


@given(st.none() | DIGESTS)
def test_a_digest_comes_back(digest: Digest | None) -> None:
    assert loaded_digest(stored_digest(digest)) == digest


def test_an_md5_is_stored_as_earlier_versions_stored_it() -> None:
    assert stored_digest(Digest(b"m" * 16)) == b"m" * 16
    assert stored_digest(Digest(b"s" * 32, "sha256")) == "sha256:" + "73" * 32


@pytest.mark.parametrize("text", ["sha256:", "sha256:0", "sha256:00", "sha512:" + "00" * 64, "00" * 32, "md5:xy", ":"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"digest|hexadecimal"):
        loaded_digest(text)
