"""SDK-HMAC-SHA256: the contract's vectors, and agreement with the released SDK's own signer."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkup.localserver.metastudio.sdk_signature import SignatureError, canonical_request, signature, verify
from bulkup.localserver.signing_types import ReceivedRequest

AK = "AKIDEXAMPLE000000001"
SK = "SkExample/Secret+Key0123456789abcdefABCD"
DATE = "20260102T030405Z"
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC).timestamp()
PROJECT = "6a6a1f8354f64dd9b9a614def7b59d83"

BODY_A = (
    b'{"file_name": "1.png", "file_md5": "n58IG6hfM7vqI4K0vnWpog==", "file_size": 1048576, "file_type": "png", '
    b'"asset_id": "8cb2f48a2cb006154794741933421100", "asset_file_category": "MAIN"}'
)
CANONICAL_A = f"""POST
/v1/{PROJECT}/files/

content-type:application/json
host:metastudio.cn-north-4.myhuaweicloud.com
x-project-id:{PROJECT}
x-sdk-date:{DATE}

content-type;host;x-project-id;x-sdk-date
9204a48a93235e1e137ddc59d39f5953dd033bd784fe07e33ce334b430d07d44"""


def authorization(names: Any, proof: Any, access_key: Any = AK) -> Any:
    return f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={names}, Signature={proof}"


def vector_a() -> Any:
    headers = {
        "host": "metastudio.cn-north-4.myhuaweicloud.com",
        "content-type": "application/json",
        "x-project-id": PROJECT,
        "x-sdk-date": DATE,
        "authorization": authorization(
            "content-type;host;x-project-id;x-sdk-date",
            "817e418879fbe83a9986e9c92a0d06545b22dbd305e22f8e76f45d0cf91aaf2b",
        ),
    }
    return ReceivedRequest("POST", f"/v1/{PROJECT}/files", "", headers), BODY_A


def vector_b() -> Any:
    proof = "7f9d0bc608d7b92b310d422cc01f1a6fe7e1d970c59d5f6c1187e4459f601026"
    headers = {
        "host": "127.0.0.1:8080",
        "x-sdk-date": DATE,
        "authorization": authorization("host;x-sdk-date", proof),
    }
    return ReceivedRequest("GET", "/v1/p%201/assets/", "limit=10&offset=0&name=a%20b~c/%C3%A9", headers), b""


def vector_c() -> Any:
    names = "content-type;host;x-sdk-content-sha256;x-sdk-date"
    headers = {
        "host": "127.0.0.1:8080",
        "content-type": "application/octet-stream",
        "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
        "x-sdk-date": DATE,
        "authorization": authorization(names, "21792187477c6f8c03e7bc58bf7561bd70f6f43d44f5c26ce8712f4046a82c7a"),
    }
    return ReceivedRequest("PUT", "/v1/x", "", headers), b"abc"


def changed(request: Any, **fields: Any) -> Any:
    return ReceivedRequest(
        **{name: getattr(request, name) for name in ("method", "raw_path", "raw_query", "headers")} | fields
    )


def refused(request: Any, body: Any, now: Any = NOW, access_key: Any = AK, secret_key: Any = SK) -> Any:
    with pytest.raises(SignatureError) as caught:
        verify(request, body, access_key, secret_key, now)
    return str(caught.value)


@pytest.mark.parametrize("vector", [vector_a, vector_b, vector_c])
def test_the_vectors_of_the_contract_are_verified(vector: Any) -> None:
    request, body = vector()
    verify(request, body, AK, SK, NOW)


def test_the_canonical_request_matches_the_contract() -> None:
    request, body = vector_a()
    names = ("content-type", "host", "x-project-id", "x-sdk-date")
    assert canonical_request(request, body, names) == CANONICAL_A
    assert request.headers["authorization"].endswith(signature(SK, DATE, CANONICAL_A))
    request, body = vector_b()
    assert canonical_request(request, body, ("host", "x-sdk-date")).splitlines()[1:3] == [
        "/v1/p%201/assets/",
        "limit=10&name=a%20b~c%2F%C3%A9&offset=0",
    ]


def test_the_last_slash_of_a_path_is_not_signed() -> None:
    request, body = vector_a()
    verify(changed(request, raw_path=request.raw_path + "/"), body, AK, SK, NOW)


def test_an_unsigned_payload_may_be_anything_but_empty() -> None:
    request, _ = vector_c()
    verify(request, b"another", AK, SK, NOW)
    assert refused(request, b"") == "verify aksk signature fail"


def test_the_clocks_may_differ_by_a_quarter_of_an_hour() -> None:
    request, body = vector_a()
    for skew in (-900, 900):
        verify(request, body, AK, SK, NOW + skew)
    for skew in (-901, 901):
        assert "signature expired" in refused(request, body, now=NOW + skew)


def test_another_key_is_refused() -> None:
    request, body = vector_a()
    assert refused(request, body, access_key="ANOTHER") == "Get secretKey failed,ak:******,err:ak not exist"
    assert refused(request, body, secret_key=SK + "x") == "verify aksk signature fail"


@pytest.mark.parametrize("name", ["x-security-token", "x-project-id", "x-app-userid", "x-sdk-anything", "x-domain-id"])
def test_a_meaningful_header_cannot_be_added_to_a_signed_request(name: Any) -> None:
    request, body = vector_b()
    assert "was not signed" in refused(changed(request, headers={**request.headers, name: "x"}), body)
    verify(changed(request, headers={**request.headers, "x-forwarded-for": "x"}), body, AK, SK, NOW)


def test_a_digest_in_a_header_is_not_trusted() -> None:
    """The SDK signs the digest in the header. An observer of a signed request cannot replace its body."""
    request = SdkRequest(method="POST", schema="http", host="h", resource_path="/v1/x", query_params=[], body="real")
    digest = "d8af26cb4ce0bd8bdb2c1a6e2b4b5ed1ec7d0bbd3ebd41bd0d1f6fbe6c1f0f11"
    request.header_params = {"Content-Type": "application/json", "X-Sdk-Content-Sha256": digest, "X-Sdk-Date": DATE}
    received, _ = received_of(signed(request))
    assert refused(received, b"fake") == "verify aksk signature fail"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("SDK-HMAC-SHA256", "SDK-HMAC-SM3", "not one of SDK-HMAC-SHA256"),
        ("Access=", "Credential=", "not one of"),
        ("Signature=81", "Signature=8", "not one of"),
        ("content-type;host;", "content-type;", "host must be signed"),
        (";x-sdk-date", "", "x-sdk-date must be signed"),
        ("content-type;", "content-type;accept;", "accept was not sent"),
        ("Signature=81", "Signature=82", "verify aksk signature fail"),
    ],
)
def test_all_parts_of_the_authorization_are_checked(old: Any, new: Any, reason: Any) -> None:
    request, body = vector_a()
    header = request.headers["authorization"].replace(old, new)
    assert reason in refused(changed(request, headers={**request.headers, "authorization": header}), body)


@pytest.mark.parametrize("date", ["2026-01-02T03:04:05Z", "20260102T030405", "20261302T030405Z", ""])
def test_an_invalid_date_is_refused(date: Any) -> None:
    request, body = vector_a()
    assert "YYYYMMDDTHHMMSSZ" in refused(changed(request, headers={**request.headers, "x-sdk-date": date}), body)


def test_no_authorization_and_values_that_are_not_utf8_are_refused() -> None:
    request, body = vector_a()
    bare = {name: value for name, value in request.headers.items() if name != "authorization"}
    assert "Authorization header" in refused(changed(request, headers=bare), body)
    odd = {**request.headers, "content-type": "\udcff"}
    assert refused(changed(request, headers=odd), body) == "verify aksk signature fail"


def signed(request: Any) -> Any:
    credentials = BasicCredentials(AK, SK, PROJECT)
    Signer(credentials).sign(request)
    return request


def received_of(request: Any) -> Any:
    """Return a request signed by the SDK as the server receives it. Header bytes are decoded as UTF-8."""
    path, _, query = request.uri.partition("?")
    headers = {
        name.lower(): value.encode("latin-1").decode() if name != "Authorization" else value
        for name, value in request.header_params.items()
    }
    return ReceivedRequest(request.method, quote(path, safe="/%~"), query, headers), request.body or b""


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
values = text | st.integers() | st.booleans() | st.lists(text, min_size=1, max_size=3)
words = st.text("abcXYZ019-._~ é/", min_size=1, max_size=8)
segments = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/%"), min_size=1, max_size=8)
plain_values = st.text("abcXYZ019-._~;=", min_size=1, max_size=8)


@st.composite
def requests(draw: Any) -> Any:
    request = SdkRequest(
        method=draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"])),
        schema="http",
        host="127.0.0.1:8080",
        resource_path="/v1/" + "/".join(quote(part, safe="~") for part in draw(st.lists(segments, max_size=3))),
        query_params=list(draw(st.dictionaries(words, values, max_size=4)).items()),
        body=draw(st.sampled_from([None, "", '{"a": 1}', "é", "x" * 1000])),
    )
    request.header_params = {
        "Content-Type": draw(st.sampled_from(["application/json", "application/json;charset=utf8"])),
        "User-Agent": draw(plain_values),
        "X-Project-Id": draw(plain_values),
        "X-App-UserId": draw(plain_values),
        "X-Sdk-Date": DATE,
    }
    return signed(request)


@given(requests())
def test_requests_signed_by_the_sdk_are_accepted(request: Any) -> None:
    received, body = received_of(request)
    verify(received, body, AK, SK, NOW)


@given(requests(), st.sampled_from(["method", "path", "query", "header", "body", "date"]), st.data())
def test_any_change_to_a_request_signed_by_the_sdk_is_refused(request: Any, what: Any, data: Any) -> None:
    received, body = received_of(request)
    match what:
        case "method":
            received = changed(received, method="PATCH")
        case "path":
            received = changed(received, raw_path=received.raw_path + "x")
        case "query":
            received = changed(received, raw_query=received.raw_query + "&added=1")
        case "header":
            name = data.draw(st.sampled_from(sorted(received.headers.keys() - {"authorization", "x-sdk-date"})))
            received = changed(received, headers={**received.headers, name: received.headers[name] + "x"})
        case "body":
            other = data.draw(st.binary(max_size=20))
            assume(other != body)
            body = other
        case "date":
            received = changed(received, headers={**received.headers, "x-sdk-date": "20260102T030406Z"})
    assert refused(received, body) == "verify aksk signature fail"
