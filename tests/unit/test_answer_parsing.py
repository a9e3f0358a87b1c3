"""Property tests of everything that is parsed from services and storage: a valid value or a refusal."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import math
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_cases import BASE_URL, NOW
from yarl import URL

from bulkup.helpers.secrets import SecretUrl
from bulkup.localserver.s3.sigv2 import presign as presign_v2
from bulkup.localserver.s3.sigv4 import presign as presign_v4
from bulkup.localserver.signing_types import ServerOrigin, SigningKey
from bulkup.localserver.xvid.answer_encoding import AnswerFormat, encode_answer, fits_xml
from bulkup.model.http import ApiAnswer, StorageAnswer, http_date, is_authority
from bulkup.model.problems import ProblemError
from bulkup.pipeline.send.verification import plain_etag
from bulkup.providers.answer_parsing import lease_from, lease_of_url, takes_content_md5, unix_time, upload_url
from bulkup.providers.metastudio import answers as metastudio_answers
from bulkup.providers.storage_answers import classify_s3, form_evidence
from bulkup.providers.xvid import answers as xvid_answers
from bulkup.transport.destination.redirects import redirected

KEY = SigningKey("AKIAEXAMPLE", "ASIAEXAMPLE", "secret", "token")
moments = st.integers(86_400 * 10**6, 253_370_764_800 * 10**6).map(
    lambda micros: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
)
zones = st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(
    lambda offset: dt.timezone(dt.timedelta(minutes=offset // dt.timedelta(minutes=1)))
)
url_pieces = st.lists(
    st.sampled_from(
        ["http://", "https://", "h", "s.example", "[::1]", "[", "]", ":80", ":", "@", "/", "?", "#", "&", "%"]
    )
    | st.text(max_size=3),
    max_size=6,
).map("".join)


@given(moments, zones, st.booleans())
def test_rfc_3339_times_in_any_zone_are_the_same_instant(
    moment: dt.datetime, zone: dt.timezone, fractions: bool
) -> None:
    """With and without fractions of a second, and with the letters in lower case."""
    there = moment.replace(microsecond=moment.microsecond if fractions else 0)
    text = there.astimezone(zone).isoformat()
    with_letters = there.isoformat().replace("+00:00", "Z")
    for written in (text, text.lower(), with_letters, with_letters.lower()):
        assert unix_time(written) == there.timestamp()


@given(moments)
def test_a_date_header_is_parsed(moment: dt.datetime) -> None:
    """In the format that servers send (RFC 9110 5.6.7)."""
    there = moment.replace(microsecond=0)
    assert http_date(email.utils.format_datetime(there, usegmt=True), None) == there.timestamp()


@pytest.mark.unmeasured
@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.*", fullmatch=True))
def test_any_text_gives_a_finite_time_or_none(text: str) -> None:
    for moment in (unix_time(text), http_date(text, None)):
        assert moment is None or math.isfinite(moment)


@given(url_pieces)
def test_an_upload_url_is_safe_or_refused(text: str) -> None:
    """URLs of an https service use https, their host is that of the HTTP client, and their query is not printed."""
    try:
        url = upload_url(text, BASE_URL, "the service")
    except ProblemError as error:
        assert error.problem.maybe_created  # noqa: PT017  # either outcome is right
        return
    parts, sent = urlsplit(url.reveal()), URL(url.reveal(), encoded=True)
    assert parts.scheme == sent.scheme == "https"
    assert parts.hostname == (sent.raw_host or "").lower()
    assert (sent.user, sent.password) == (None, None)
    assert str(url).partition("?")[2] in ("", "***")


@given(url_pieces)
def test_a_redirect_is_as_safe_as_an_upload_url(location: str) -> None:
    """Relative or absolute."""
    try:
        url = redirected(SecretUrl("https://s.example/a/b?sig=1"), location)
    except ProblemError:
        return
    assert upload_url(url.reveal(), BASE_URL, "the service") == url


@given(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True), st.integers(1, 65535))
def test_valid_and_invalid_authorities(name: str, port: int) -> None:
    """A name consists of labels, with any port. With a user in front it is invalid."""
    is_name = all(0 < len(label) <= 63 for label in name.removesuffix(".").split("."))
    assert is_authority(name) == is_authority(f"{name}:{port}") == is_name
    assert not is_authority(f"user@{name}")
    assert not is_authority(f"{name}[::1]")


keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@given(keys, st.integers(1, 604_800), st.integers(0, 10**9))
def test_a_lease_is_read_from_urls_of_both_versions(key: str, ttl: int, since: int) -> None:
    """Even if the object's key contains the name of the parameter."""
    signed_at, answer = NOW + since, ApiAnswer(200, {}, b"", NOW + since)
    where = ServerOrigin("https", "s.example")
    four = SecretUrl(presign_v4("PUT", where, key, KEY, signed_at, ttl))
    two = SecretUrl(presign_v2("PUT", where, f"{key}?Expires=1&", KEY, signed_at + ttl))
    assert lease_of_url(four, answer) == lease_of_url(two, answer) == signed_at + ttl
    assert (takes_content_md5(four), takes_content_md5(two)) == (True, False)
    key = "a&X-Amz-Algorithm=AWS4-HMAC-SHA256&b"  # a path may contain `&` and `=`
    assert not takes_content_md5(SecretUrl(two.reveal().replace("?", f"{key}?")))
    assert takes_content_md5(SecretUrl(four.reveal().replace("?", f"{key}?")))


@given(st.integers(1, 604_800), st.integers(0, 1_000_000), st.integers(-(10**6), 10**6))
def test_the_lease_of_a_url_that_was_signed_earlier_ends_with_it(ttl: int, age: int, skew: int) -> None:
    """As the service's clock tells: its answer may come from a cache. The local clock may be hours off."""
    where, signed_at = ServerOrigin("https", "s.example"), NOW - age
    url = SecretUrl(presign_v4("PUT", where, "key", KEY, signed_at, ttl))
    date = email.utils.formatdate(NOW, usegmt=True)
    answer = ApiAnswer(200, {"date": date}, b"", NOW + skew)
    lease = lease_of_url(url, answer)
    assert lease is not None
    if age < ttl:
        assert lease == NOW + skew + ttl - age
    else:
        assert lease <= signed_at + ttl


any_text = st.characters(exclude_categories=["Cs"])
xml_texts = st.text(st.sampled_from("<>&\"'a \r\n") | any_text, max_size=12).filter(fits_xml)


@given(st.dictionaries(st.sampled_from(["id", "status", "object_key"]), xml_texts, min_size=1))
def test_xvids_xml_is_equivalent_to_its_json(upload: dict[str, str]) -> None:
    """Except for carriage returns, which XML converts to line feeds."""
    kept = {name: text.replace("\r\n", "\n").replace("\r", "\n") for name, text in upload.items()}
    written_both = [encode_answer({"upload": kept}, AnswerFormat(xml=xml)) for xml in (False, True)]
    answers = [ApiAnswer(200, {"content-type": kind}, body, NOW) for body, kind in written_both]
    assert xvid_answers.upload_of(answers[0]) == xvid_answers.upload_of(answers[1]) == kept


bodies = st.binary(max_size=40) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "error_code", "error_msg", "error_message", "message"]), inner, max_size=3
        )
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


@given(bodies, st.sampled_from(["application/json", "application/xml", "text/html", ""]))
def test_any_error_body_gives_a_code_and_a_message(body: bytes, kind: str) -> None:
    """For MetaStudio and Xvid; empty texts if the body has none."""
    answer = ApiAnswer(400, {"content-type": kind}, body, NOW)
    for error_of in (metastudio_answers.error_of, xvid_answers.error_of):
        code, message = error_of(answer)
        assert isinstance(code, str)
        assert isinstance(message, str)


@given(st.from_regex(r"[0-9a-f]{32}(-[0-9]{1,4})?", fullmatch=True), st.sampled_from(["{}", '"{}"', "&quot;{}&quot;"]))
def test_the_etag_of_a_form_is_read_from_the_document(etag: str, quoted: str) -> None:
    """With any kind of quotes. An ETag header that differs contradicts it."""
    body = f"<PostResponse><Key>k</Key><ETag>{quoted.format(etag)}</ETag></PostResponse>".encode()
    assert plain_etag(form_evidence(StorageAnswer(201, {}, body))) == etag
    assert plain_etag(form_evidence(StorageAnswer(201, {"etag": f'"{etag}"'}, body))) == etag
    assert plain_etag(form_evidence(StorageAnswer(201, {"etag": '"x"'}, body))) is None
    assert plain_etag(form_evidence(StorageAnswer(201, {}, body + b"<ETag>x</ETag>"))) is None


@given(
    st.sampled_from(["AccessDenied", "SlowDown", "BadDigest", "Other"]),
    st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"]), min_size=1, max_size=2000),
)
@settings(max_examples=50)
def test_a_long_message_of_storage_is_cut(code: str, message: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    problem = classify_s3(StorageAnswer(400, {}, body), NOW)
    assert problem is not None
    assert len(problem.message) < 700
    assert code in problem.message


@pytest.mark.parametrize(
    "text", ["s.example&Signature=x", "", ":80", "[::1", "::1", "[::1]x", "[fe80::1%25e]", "a b", "a..b"]
)
def test_invalid_authorities(text: str) -> None:
    """Some reader of URLs has taken each of these for a host."""
    assert not is_authority(text)


def test_ipv6_addresses_need_brackets() -> None:
    """With or without a port."""
    good: Any = ["[::1]", "[::1]:80", "[2001:db8::1]:65535", "127.0.0.1", "127.0.0.1:1", "s.example.", "S_3.example:"]
    assert all(map(is_authority, good))


def test_a_lease_that_its_own_answer_calls_over_counts_by_the_local_clock() -> None:
    """`Date` is hours ahead of the clock that signed the URL, and the URL is still good."""
    now = 1_700_000_000.0
    date = email.utils.formatdate(now + 5 * 3600, usegmt=True)
    answer = ApiAnswer(200, {"date": date}, b"", sent_at=now)
    assert lease_from(now + 3600, answer) == now + 3600
    assert lease_from(now + 6 * 3600, answer) == now + 3600
