"""Signed URLs: published vectors, and agreement with botocore's presigners in both directions."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest import mock
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from bulkup.localserver.s3 import sigv2, sigv4
from bulkup.localserver.s3.authorization import authorize
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import ReceivedRequest, ServerOrigin, SigningKey

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = SigningKey("AKIAEXAMPLE", "ASIAEXAMPLE", AWS_SECRET, "a token/with+signs=")
ORIGIN = ServerOrigin("http", "127.0.0.1:8080")
NOW = 1_700_000_000.0

segments = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
keys = st.lists(segments.filter(lambda part: part not in (".", "..")), min_size=2, max_size=4).map("/".join)


def asked(method: Any, url: Any, **headers: Any) -> Any:
    parts = urlsplit(url)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return ReceivedRequest(method, parts.path, parts.query, {"host": parts.netloc, **names})


def refused(request: Any, now: Any = NOW, key: Any = KEY) -> Any:
    with pytest.raises(S3Error) as caught:
        authorize(request, key, now)
    return caught.value


def presign_v4(method: Any = "PUT", key: Any = "bucket/key.bin", ttl: Any = 60) -> Any:
    return sigv4.presign(method, ORIGIN, key, KEY, NOW, ttl)


def presign_v2(method: Any = "PUT", key: Any = "bucket/key.bin", ttl: Any = 60) -> Any:
    return sigv2.presign(method, ORIGIN, key, KEY, NOW + ttl)


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        (AWS_SECRET, "GET\n\n\n1175139620\n/johnsmith/photos/puppy.jpg", "NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D"),
        (AWS_SECRET, "PUT\n\n\n1900000000\n/file-production-storage/8b9ecfde.mp4", "KHYQyQjJxOyag6jagH5sDuWmbDQ%3D"),
        (
            AWS_SECRET,
            "PUT\n\napplication/octet-stream\n1900000000\n/file-production-storage/8b9ecfde.mp4",
            "2pi8cwuijqLvBuNyE3h2xxt0BPA%3D",
        ),
        (
            "SKTEST",
            "PUT\nn58IG6hfM7vqI4K0vnWpog==\nimage/png\n1900000000\n/bucket/p/a/f.png",
            "t%2FV4FHvsTVgIq3CQr5aZXnAe6gA%3D",
        ),
    ],
)
def test_version_2_signs_as_the_published_vectors_do(secret: Any, text: Any, expected: Any) -> None:
    assert quote(sigv2.signature(secret, text), safe="") == expected


def test_the_string_to_sign_of_version_2_matches_the_vectors() -> None:
    request = ReceivedRequest(
        "PUT",
        "/bucket/p/a/f.png",
        "Expires=1900000000&x=unsigned",
        {"content-md5": "n58IG6hfM7vqI4K0vnWpog==", "content-type": "image/png"},
    )
    assert sigv2.string_to_sign(request) == "PUT\nn58IG6hfM7vqI4K0vnWpog==\nimage/png\n1900000000\n/bucket/p/a/f.png"


def test_an_obs_url_matches_the_vector_and_needs_both_headers() -> None:
    key = SigningKey("AKTEST", "ASIATEST", "SKTEST", "token")
    md5 = "n58IG6hfM7vqI4K0vnWpog=="
    url = sigv2.presign_obs(ORIGIN, "bucket/p/a/f.png", key, 1_900_000_000, md5=md5, content_type="image/png")
    assert url == (
        "http://127.0.0.1:8080/bucket/p/a/f.png"
        "?AccessKeyId=AKTEST&Expires=1900000000&Signature=t%2FV4FHvsTVgIq3CQr5aZXnAe6gA%3D"
    )
    sent = {"content_md5": md5, "content_type": "image/png"}
    authorize(asked("PUT", url, **sent), key, NOW)
    for change in ({"content_type": "image/jpeg"}, {"content_type": ""}, {"content_md5": ""}, {"x_obs_acl": "private"}):
        assert refused(asked("PUT", url, **sent | change), NOW, key).code == "SignatureDoesNotMatch"
    assert refused(asked("PUT", url.replace("AKTEST", "OTHER"), **sent), NOW, key).code == "InvalidAccessKeyId"
    assert refused(asked("PUT", url.replace("&Expires=", "&x="), **sent), NOW, key).code == "AccessDenied"
    assert refused(asked("PUT", url, **sent), 1_900_000_001, key).message == "Request has expired"


def test_an_obs_url_for_a_part_signs_the_part() -> None:
    part = {"uploadId": "0f", "partNumber": "3"}
    url = sigv2.presign_obs(ORIGIN, "bucket/key", KEY, NOW + 60, part=part)
    authorize(asked("PUT", url), KEY, NOW)
    for old, new in (("partNumber=3", "partNumber=4"), ("uploadId=0f", "uploadId=1f"), ("partNumber=3&", "")):
        assert refused(asked("PUT", url.replace(old, new)), NOW).code == "SignatureDoesNotMatch"


def test_version_2_signs_amz_headers_and_sub_resources_in_order() -> None:
    request = ReceivedRequest(
        "GET",
        "/b/k",
        "x-amz-security-token=t&versionId=3&Expires=9&acl",
        {"x-amz-meta-a-b": "2", "x-amz-meta-a": "1", "host": "h"},
    )
    assert sigv2.string_to_sign(request) == (
        "GET\n\n\n9\nx-amz-meta-a:1\nx-amz-meta-a-b:2\nx-amz-security-token:t\n/b/k?acl&versionId=3"
    )


@given(keys, st.integers(1, 604800), st.sampled_from(["PUT", "GET", "HEAD"]))
def test_version_4_agrees_with_botocore(key: Any, ttl: Any, method: Any) -> None:
    moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
    request = AWSRequest(method, f"http://{ORIGIN.host}/{quote(key, safe='/~')}")
    signer = S3SigV4QueryAuth(Credentials(KEY.permanent_id, KEY.secret), "s3", sigv4.REGION, ttl)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    assert sigv4.presign(method, ORIGIN, key, KEY, NOW, ttl) == request.url
    authorize(asked(method, request.url), KEY, NOW + ttl)
    assert refused(asked(method, request.url), NOW + ttl + 1).message == "Request has expired"


@given(keys, st.dictionaries(st.sampled_from(["content-type", "x-amz-meta-a", "content-md5"]), st.just("a  b")))
def test_version_4_verifies_what_botocore_signed_with_headers_and_a_query(key: Any, headers: Any) -> None:
    request = AWSRequest("PUT", f"http://{ORIGIN.host}/{quote(key, safe='/~')}?versionId=%C3%A9%2F1", headers)
    S3SigV4QueryAuth(Credentials(KEY.permanent_id, KEY.secret, "tok/en+"), "s3", sigv4.REGION).add_auth(request)
    now = dt.datetime.now(dt.UTC).timestamp()
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    authorize(asked("PUT", request.url, **sent), KEY, now)
    for name in sent:
        assert refused(asked("PUT", request.url, **sent | {name: "other"}), now).code == "SignatureDoesNotMatch"


@given(keys, st.sampled_from(["PUT", "GET"]), st.booleans())
def test_version_2_agrees_with_botocore(key: Any, method: Any, temporary: Any) -> None:
    request = AWSRequest(method, f"http://{ORIGIN.host}/{quote(key, safe='/~')}")
    token = KEY.session_token if temporary else None
    with mock.patch("time.time", return_value=NOW):
        HmacV1QueryAuth(Credentials(KEY.temporary_id, KEY.secret, token), 60).add_auth(request)
    authorize(asked(method, request.url), KEY, NOW + 60)
    if temporary:
        mine = asked(method, sigv2.presign(method, ORIGIN, key, KEY, NOW + 60))
        assert mine.parameters == asked(method, request.url).parameters


@pytest.mark.parametrize("presign", [presign_v2, presign_v4])
@pytest.mark.parametrize(
    "change",
    [
        lambda method, url: ("GET", url),
        lambda method, url: (method, url.replace("/bucket/", "/bucket2/")),
        lambda method, url: (method, url.replace("key.bin", "key.exe")),
        lambda method, url: (method, url[:-1] + ("0" if url[-1] != "0" else "1")),
    ],
)
def test_a_changed_request_does_not_match(presign: Any, change: Any) -> None:
    url = presign()
    if presign is presign_v2:  # the signature is not the last parameter
        url = "&".join(sorted(url.split("&"), key=lambda pair: pair.startswith("Expires")))
        authorize(asked("PUT", url), KEY, NOW)
    assert refused(asked(*change("PUT", url)), NOW).code == "SignatureDoesNotMatch"


def test_the_lifetime_of_a_url_cannot_be_changed() -> None:
    longer = presign_v4().replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert refused(asked("PUT", longer), NOW + 61).code == "SignatureDoesNotMatch"
    longer = presign_v2().replace(f"Expires={NOW + 60:.0f}", f"Expires={NOW + 600:.0f}")
    assert refused(asked("PUT", longer), NOW + 61).code == "SignatureDoesNotMatch"


def test_the_session_token_is_signed() -> None:
    url = presign_v2().replace("a%20token", "another%20token")
    assert refused(asked("PUT", url)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("header", ["content_type", "content_md5", "x_amz_meta_a"])
def test_version_2_refuses_headers_whose_values_were_not_signed(header: Any) -> None:
    authorize(asked("PUT", presign_v2(), accept="*/*"), KEY, NOW)
    assert refused(asked("PUT", presign_v2(), **{header: "x"})).code == "SignatureDoesNotMatch"


def test_version_4_signs_the_named_headers_and_needs_all_amz_headers() -> None:
    authorize(asked("PUT", presign_v4(), content_type="text/plain", content_md5="x"), KEY, NOW)
    error = refused(asked("PUT", presign_v4(), x_amz_acl="public-read"))
    assert (error.code, error.details) == ("AccessDenied", {"HeadersNotSigned": "x-amz-acl"})
    assert refused(asked("PUT", presign_v4(), host="elsewhere")).code == "SignatureDoesNotMatch"


def test_expired_urls_are_refused_as_s3_does() -> None:
    error = refused(asked("PUT", presign_v2()), NOW + 61)
    assert (error.status, error.code, error.message) == (403, "AccessDenied", "Request has expired")
    assert error.details == {"Expires": "2023-11-14T22:14:20Z", "ServerTime": "2023-11-14T22:14:21Z"}
    error = refused(asked("PUT", presign_v4()), NOW + 61)
    assert list(error.details) == ["X-Amz-Expires", "Expires", "ServerTime"]
    assert error.details["X-Amz-Expires"] == "60"


def test_a_fraction_of_a_second_never_shortens_a_lifetime() -> None:
    url = sigv4.presign("PUT", ORIGIN, "b/k", KEY, NOW + 0.9, 1)
    authorize(asked("PUT", url), KEY, NOW + 1.9)
    url = sigv2.presign("PUT", ORIGIN, "b/k", KEY, NOW + 0.1)
    authorize(asked("PUT", url), KEY, NOW + 0.9)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("X-Amz-Expires=60", "X-Amz-Expires=604801"), "AuthorizationQueryParametersError"),
        (("X-Amz-Expires=60", "X-Amz-Expires=0"), "AuthorizationQueryParametersError"),
        (("X-Amz-Expires=60", "X-Amz-Expires=-1"), "AuthorizationQueryParametersError"),
        (("X-Amz-Expires=60&", ""), "AuthorizationQueryParametersError"),
        (("X-Amz-Date=2023", "X-Amz-Date=nope"), "AuthorizationQueryParametersError"),
        (("=AWS4-HMAC-SHA256", "=AWS4-HMAC-SHA1"), "AuthorizationQueryParametersError"),
        (("us-east-1", "eu-west-1"), "AuthorizationQueryParametersError"),
        (("SignedHeaders=host", "SignedHeaders=accept"), "AuthorizationQueryParametersError"),
        (("AKIAEXAMPLE", "AKIASOMEONE"), "InvalidAccessKeyId"),
    ],
)
def test_version_4_parameters_are_checked(change: Any, code: Any) -> None:
    assert refused(asked("PUT", presign_v4().replace(*change))).code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("&Expires=", "&Expired="), "AccessDenied"),
        (("&Expires=", "&Expires=x"), "AccessDenied"),
        (("&Expires=", "&Expires=99999999999999"), "AccessDenied"),
        (("ASIAEXAMPLE", "ASIASOMEONE"), "InvalidAccessKeyId"),
    ],
)
def test_version_2_parameters_are_checked(change: Any, code: Any) -> None:
    assert refused(asked("PUT", presign_v2().replace(*change))).code == code


def test_an_access_key_may_have_slashes() -> None:
    """As at some stores; the scope behind it has four parts."""
    key = SigningKey("team/a+b/KEY", "ASIAEXAMPLE", AWS_SECRET, "token")
    url = sigv4.presign("PUT", ORIGIN, "bucket/key.bin", key, NOW, 60)
    authorize(asked("PUT", url), key, NOW)
    assert refused(asked("PUT", url.replace("team", "other")), NOW, key).code == "InvalidAccessKeyId"
    assert refused(asked("PUT", url.replace("%2Fs3%2F", "%2F")), NOW, key).code == "InvalidAccessKeyId"


def test_a_url_from_the_future_is_not_yet_valid() -> None:
    assert refused(asked("PUT", presign_v4()), NOW - 901).message == "Request is not yet valid"


def test_only_a_signature_in_the_url_is_accepted() -> None:
    assert refused(asked("PUT", "http://h/b/k")).code == "AccessDenied"
    assert refused(asked("PUT", "http://h/b/k", authorization="Bearer local-token")).code == "InvalidArgument"
    both = refused(asked("PUT", presign_v4(), authorization="Bearer local-token"))
    assert both.code == "InvalidArgument"
    assert both.message.startswith("Only one auth mechanism allowed")
    assert "local-token" not in both.body("/b/k", "1").decode()
    two = presign_v4() + "&" + urlsplit(presign_v2()).query
    assert refused(asked("PUT", two)).message.startswith("Only one auth mechanism allowed")


def test_values_that_are_not_utf8_are_refused_without_a_crash() -> None:
    assert refused(asked("PUT", presign_v2(), content_type="\udcff")).code == "SignatureDoesNotMatch"
    assert refused(asked("PUT", presign_v4() + "&a=%FF")).code == "SignatureDoesNotMatch"


def test_keys_do_not_print_their_secrets() -> None:
    assert AWS_SECRET not in repr(KEY)
    assert KEY.session_token not in repr(KEY)
