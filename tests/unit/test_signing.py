"""Our signatures equal botocore's."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.helpers.secrets import Secret
from bulkup.providers.s3.signing import AccessKeys, Target, UrlSigner, call_headers, encoded_key

MOMENTS = st.integers(946_684_800, 4_102_444_800)  # the years 2000 to 2100
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60)
KEYS = WORDS | st.sampled_from(["a b+c", "ü/é", "~._-", "%41", "a=b&c=d", "(x)'!*", "日本/…", "a//b", "#?;@$,\x7f\t"])
SECRETS = st.text("ABCabc019/+=", min_size=1, max_size=60)
REGIONS = st.sampled_from(["us-east-1", "eu-central-2", "auto", "cn-north-1", "default", ""])
HOSTS = st.sampled_from(
    [
        "bucket.s3.us-east-1.amazonaws.com",
        "s3.eu-central-2.amazonaws.com",
        "localhost:9000",
        "127.0.0.1:7480",
        "[::1]:9000",
        "account.r2.cloudflarestorage.com",
    ]
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-md5", "content-type", "x-amz-acl", "x-amz-meta-a", "x-amz-meta-b-c", "x-amz-tagging", "if-none-match"]
    ),
    VALUES,
)
QUERIES = st.sampled_from(["", "partNumber=7&uploadId=2~V.x_-", "uploads=", "partNumber=1&uploadId=a%2Fb%3D%3D"])


def keys_of(access: str, secret: str, token: str | None) -> AccessKeys:
    return AccessKeys(Secret(access), Secret(secret), Secret(token) if token is not None else None)


def at(now: int) -> Any:
    """Return a context in which it is `now` for botocore."""
    return patch.object(botocore.auth, "get_current_datetime", lambda: dt.datetime.fromtimestamp(now, dt.UTC))


@pytest.mark.unmeasured
@settings(max_examples=400, deadline=None)
@given(
    *(MOMENTS, KEYS, SECRETS, SECRETS, st.none() | SECRETS, REGIONS, HOSTS, HEADERS, QUERIES),
    st.sampled_from(["http", "https"]),
    st.sampled_from(["PUT", "GET", "POST", "DELETE", "HEAD"]),
    st.integers(1, 604_800),
)
def test_a_url_equals_botocores(
    now: int,
    key: str,
    access: str,
    secret: str,
    token: str | None,
    region: str,
    host: str,
    headers: dict[str, str],
    query: str,
    scheme: str,
    method: str,
    lifetime: int,
) -> None:
    path = "/" + encoded_key(key)
    request = AWSRequest(method, f"{scheme}://{host}{path}" + (f"?{query}" if query else ""), headers=dict(headers))
    auth = botocore.auth.S3SigV4QueryAuth(Credentials(access, secret, token), "s3", region, lifetime)
    with at(now):
        auth.add_auth(request)
    target = Target(scheme, host, region)
    ours = UrlSigner(keys_of(access, secret, token), target, lifetime).sign(method, path, now, headers, query).reveal()
    assert urlsplit(ours)[:3] == urlsplit(request.url)[:3]
    # The order of the parameters has no meaning; botocore has its own.
    assert sorted(urlsplit(ours).query.split("&")) == sorted(urlsplit(request.url).query.split("&"))


@settings(max_examples=100, deadline=None)
@given(MOMENTS, KEYS, SECRETS, st.none() | SECRETS, REGIONS, HOSTS, QUERIES, st.binary(max_size=50))
def test_a_call_equals_botocores(
    now: int, key: str, secret: str, token: str | None, region: str, host: str, query: str, body: bytes
) -> None:
    path = "/" + encoded_key(key)
    request = AWSRequest("POST", f"http://{host}{path}" + (f"?{query}" if query else ""), data=body)
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    with at(now):
        botocore.auth.S3SigV4Auth(Credentials("AKIA", secret, token), "s3", region).add_auth(request)
    keys = keys_of("AKIA", secret, token)
    ours = call_headers(keys, Target("http", host, region), "POST", path, query, body, now)
    authorization = ours["Authorization"]
    assert isinstance(authorization, Secret)
    assert authorization.reveal() == request.headers["Authorization"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200_000), KEYS, HEADERS), min_size=2, max_size=8))
def test_what_a_signer_keeps_changes_no_url(requests: list[tuple[int, str, dict[str, str]]]) -> None:
    """A signer that has signed for other times, days and headers makes the URL of a new one."""
    target, keys = Target("https", "s3.example", "r-1"), keys_of("AKIA", "s3cret", "token")
    kept = UrlSigner(keys, target, 900)
    for after, key, headers in requests:
        now = 1_700_000_000 + after
        fresh = UrlSigner(keys, target, 900).sign("PUT", f"/{encoded_key(key)}", now, headers)
        assert kept.sign("PUT", f"/{encoded_key(key)}", now, headers) == fresh


def test_headers_in_another_order_are_the_same_request() -> None:
    signer = UrlSigner(keys_of("A", "s", None), Target("https", "s3.example", "r"), 60)
    first = signer.sign("PUT", "/k", 1e9, {"x-amz-acl": "private", "content-md5": "m"})
    assert signer.sign("PUT", "/k", 1e9, {"content-md5": "m", "x-amz-acl": "private"}) == first


@pytest.mark.parametrize("token", [None, "a/b+c=="])
def test_a_url_states_its_keys_and_prints_none(token: str | None) -> None:
    url = UrlSigner(keys_of("AKIA1", "s3cret", token), Target("https", "s3.example", "r-1"), 60).sign("PUT", "/k", 1e9)
    stated = dict(parse_qsl(urlsplit(url.reveal()).query))
    assert stated["X-Amz-Credential"] == "AKIA1/20010909/r-1/s3/aws4_request"
    assert stated.get("X-Amz-Security-Token") == token
    assert "Signature" not in str(url)
    assert "s3cret" not in url.reveal()
