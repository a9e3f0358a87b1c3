"""Bodies of API answers: content codings and the bound."""

from __future__ import annotations

import gzip
import zlib

import pytest

from bulkup.transport.bounded_body import BodyError, BoundedBody

TEXT = b'{"items": []}' * 50
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(TEXT) + RAW.flush()


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", DEFLATED),
    ],
    ids=["plain", "identity", "gzip", "upper case", "zlib", "raw deflate"],  # compressed bytes hold the time
)
def test_a_body_is_decoded_whatever_its_pieces(coding: str, sent: bytes, step: int) -> None:
    body = BoundedBody(coding, 10_000)
    for start in range(0, len(sent), step):
        body.feed(sent[start : start + step])
    assert body.end() == TEXT


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
def test_a_body_is_never_expanded_beyond_its_bound(coding: str) -> None:
    """63 KB of gzip would be 64 MiB of zeros."""
    zeros = bytes(64 * 1024**2)
    sent = {"gzip": gzip.compress(zeros), "deflate": zlib.compress(zeros)}.get(coding, zeros)
    body = BoundedBody(coding, 1000)
    with pytest.raises(BodyError, match="more than 1000 bytes"):
        body.feed(sent)


def test_a_body_may_have_exactly_its_bound() -> None:
    for coding, sent in (("", TEXT), ("gzip", gzip.compress(TEXT))):
        body = BoundedBody(coding, len(TEXT))
        body.feed(sent)
        assert body.end() == TEXT


def test_other_codings_are_refused_by_name() -> None:
    with pytest.raises(BodyError, match="'br'"):
        BoundedBody("br", 1000)


def test_a_damaged_body_is_refused() -> None:
    body = BoundedBody("gzip", 1000)
    with pytest.raises(BodyError, match="damaged"):
        body.feed(b"\x1f\x8bno gzip at all")


def test_a_compressed_body_that_is_cut_off_is_refused() -> None:
    body = BoundedBody("gzip", 1000)
    body.feed(gzip.compress(TEXT)[:-20])
    with pytest.raises(BodyError, match="incomplete"):
        body.end()
