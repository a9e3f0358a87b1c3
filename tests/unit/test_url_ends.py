"""The end that a presigned URL states, in the styles of several stores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.url_ends import UrlEnd, end_of_url

SIGNED = 1767323045.0  # 2026-01-02T03:04:05Z
V4 = "X-{0}-Algorithm=A&X-{0}-Date=20260102T030405Z&X-{0}-Expires=900&X-{0}-SignedHeaders=host&X-{0}-Signature=0a"


@pytest.mark.parametrize(
    ("query", "end"),
    [
        (V4.format("Amz"), UrlEnd(SIGNED + 900, 900)),
        (V4.format("Goog"), UrlEnd(SIGNED + 900, 900)),
        (V4.format("Amz").lower().replace("20260102t030405z", "20260102T030405Z"), UrlEnd(SIGNED + 900, 900)),
        ("X-Amz-Expires=900&X-Amz-Date=20260102T030405Z", UrlEnd(SIGNED + 900, 900)),
        ("x-oss-signature-version=OSS4&x-oss-date=20260102T030405Z&x-oss-expires=60", UrlEnd(SIGNED + 60, 60)),
        ("X-Amz-Expires=900", UrlEnd(None, 900)),
        ("X-Amz-Date=20260102T030405Z", UrlEnd()),
        ("X-Amz-Date=20261302T030405Z&X-Amz-Expires=900", UrlEnd(None, 900)),
        ("X-Goog-Date=20260102T030405Z&X-Amz-Expires=900", UrlEnd(None, 900)),
        ("AWSAccessKeyId=A&Signature=s&Expires=1767323045", UrlEnd(SIGNED)),
        ("OSSAccessKeyId=A&Expires=1767323045&Signature=s", UrlEnd(SIGNED)),
        ("Expires=1767323045&Signature=s&Key-Pair-Id=K", UrlEnd(SIGNED)),
        ("sv=2024-11-04&se=2026-01-02T03%3A04%3A05Z&sr=b&sp=w&sig=s", UrlEnd(SIGNED)),
        ("se=2026-01-02T03:04Z&sig=s", UrlEnd(SIGNED - 5)),
        ("se=2026-01-02&sig=s", UrlEnd(SIGNED - 3 * 3600 - 4 * 60 - 5)),
        ("se=tomorrow-evening&sig=s", UrlEnd()),
        ("q-sign-algorithm=sha1&q-sign-time=1767322145;1767323045&q-key-time=1;2&q-signature=s", UrlEnd(SIGNED, 900)),
        ("q-sign-time=1767322145%3B1767323045", UrlEnd(SIGNED, 900)),
        ("q-sign-time=1767323045", UrlEnd()),
        ("se=2026-01-02T03%3A04%3A05Z", UrlEnd()),
        ("Expires=soon", UrlEnd()),
        ("auth-value=1234567890", UrlEnd()),
        ("", UrlEnd()),
    ],
)
def test_the_end_is_read_in_every_style(query: str, end: UrlEnd) -> None:
    """Also if the object's key contains the names of parameters."""
    assert end_of_url(SecretUrl(f"https://s.example/b/key?{query}")) == end
    for key in (
        "Expires=1-Date=2/se=3",
        "a&Expires=1&b",
        "a&X-Amz-Date=20200102T030405Z&X-Amz-Expires=5&b",
        "&se=2020-01-02&",
    ):
        assert end_of_url(SecretUrl(f"https://s.example/b/{key}?{query}")) == end


@given(st.text(st.sampled_from("?&=Expiresse-Date:%0129TZXAmz"), max_size=60))
def test_any_text_has_an_answer(query: str) -> None:
    at, lifetime = end_of_url(SecretUrl(f"https://s.example/b/key?sig=&{query}"))
    assert at is None or isinstance(at, float)
    assert lifetime is None or lifetime >= 0
