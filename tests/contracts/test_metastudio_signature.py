"""Signatures with SDK-HMAC-SHA256: the test vectors of the contract, and agreement with the released SDK."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from unittest import mock
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import Secret
from bulkup.providers.metastudio import signature
from bulkup.providers.metastudio.signature import CallToSign, SigningKeys, sign

AK = "AKIDEXAMPLE000000001"
SK = "SkExample/Secret+Key0123456789abcdefABCD"
KEYS = SigningKeys(Secret(AK), Secret(SK))
DATE = "20260102T030405Z"
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC).timestamp()
PROJECT = "6a6a1f8354f64dd9b9a614def7b59d83"
BODY_A = (
    b'{"file_name": "1.png", "file_md5": "n58IG6hfM7vqI4K0vnWpog==", "file_size": 1048576, "file_type": "png", '
    b'"asset_id": "8cb2f48a2cb006154794741933421100", "asset_file_category": "MAIN"}'
)
VECTOR_A = CallToSign(
    "POST",
    "metastudio.cn-north-4.myhuaweicloud.com",
    f"/v1/{PROJECT}/files",
    {"Content-Type": "application/json", "X-Project-Id": PROJECT},
    BODY_A,
)
CANONICAL_A = f"""POST
/v1/{PROJECT}/files/

content-type:application/json
host:metastudio.cn-north-4.myhuaweicloud.com
x-project-id:{PROJECT}
x-sdk-date:{DATE}

content-type;host;x-project-id;x-sdk-date
9204a48a93235e1e137ddc59d39f5953dd033bd784fe07e33ce334b430d07d44"""
VECTOR_B = CallToSign("GET", "127.0.0.1:8080", "/v1/p%201/assets/?limit=10&offset=0&name=a%20b~c%2F%C3%A9", headers={})
VECTOR_C = CallToSign("PUT", "127.0.0.1:8080", "/v1/x", {"Content-Type": "application/octet-stream"}, b"abc")
PROOF_A = "817e418879fbe83a9986e9c92a0d06545b22dbd305e22f8e76f45d0cf91aaf2b"
PROOF_B = "7f9d0bc608d7b92b310d422cc01f1a6fe7e1d970c59d5f6c1187e4459f601026"
PROOF_C = "21792187477c6f8c03e7bc58bf7561bd70f6f43d44f5c26ce8712f4046a82c7a"


def authorization(call: CallToSign, keys: SigningKeys = KEYS) -> str:
    header = sign(call, keys, NOW)["Authorization"]
    assert isinstance(header, Secret)
    return header.reveal()


def canonical(call: CallToSign) -> str:
    """Return the canonical request that is signed."""
    with mock.patch.object(signature, "string_to_sign", wraps=signature.string_to_sign) as made:
        sign(call, KEYS, NOW)
    text: str = made.call_args.args[0]
    return text


@pytest.mark.parametrize(
    ("call", "names", "signature"),
    [
        (VECTOR_A, "content-type;host;x-project-id;x-sdk-date", PROOF_A),
        (VECTOR_B, "host;x-sdk-date", PROOF_B),
        (VECTOR_C, "content-type;host;x-sdk-content-sha256;x-sdk-date", PROOF_C),
    ],
    ids="ABC",
)
def test_the_vectors_of_the_contract(call: CallToSign, names: str, signature: str) -> None:
    """Access key, signed headers and signature in the Authorization header."""
    expected = f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={names}, Signature={signature}"
    assert authorization(call) == expected


def test_the_canonical_request_of_the_contract() -> None:
    """Exactly, and so is its hash, which is signed."""
    made = canonical(VECTOR_A)
    assert made == CANONICAL_A
    assert hashlib.sha256(made.encode()).hexdigest() == (
        "778c96dfa59768aae3eb83f758748e6dbdcde393e66541e80440645a1da3e987"
    )


def test_path_and_query_are_encoded_once_and_sorted() -> None:
    """Each part of the path separately, with a final slash. Slashes in query values are encoded."""
    lines = canonical(VECTOR_B).split("\n")
    assert lines[1:3] == ["/v1/p%201/assets/", "limit=10&name=a%20b~c%2F%C3%A9&offset=0"]


def test_a_payload_that_is_not_json_is_not_hashed() -> None:
    """A signed header states that. Without a body, the hash is that of the empty text."""
    assert sign(VECTOR_C, KEYS, NOW)["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    assert canonical(VECTOR_C).endswith("\nUNSIGNED-PAYLOAD")
    assert canonical(VECTOR_B).endswith("\n" + hashlib.sha256().hexdigest())


def test_added_headers_hide_the_keys() -> None:
    """The Authorization header and the token of temporary keys are secrets."""
    added = sign(VECTOR_A, SigningKeys(Secret(AK), Secret(SK), Secret("temporary-token")), NOW)
    assert {name for name, value in added.items() if isinstance(value, Secret)} == {
        "Authorization",
        "X-Security-Token",
    }
    assert (added["Host"], added["X-Sdk-Date"]) == (VECTOR_A.host, DATE)
    for secret in (SK, "temporary-token", "Signature="):
        assert secret not in str(added)


characters = st.characters(exclude_categories=["Cs", "Cc"])
texts = st.text(characters, max_size=8)
segments = st.text(characters, max_size=8).filter(lambda text: text not in (".", ".."))
names = st.text("abcXYZ019-", min_size=1, max_size=8).map(lambda name: "X-" + name)
headers = st.dictionaries(names, texts, max_size=4).filter(lambda them: len({n.lower() for n in them}) == len(them))
types = st.sampled_from([None, "application/json", "application/json;charset=utf8", "application/bson", "text/plain"])


def signed_by_the_sdk(
    method: str, path: str, query: list[tuple[str, str]], given: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    request = SdkRequest(
        method=method,
        schema="https",
        host="h.example:8443",
        resource_path=path,
        query_params=list(query),
        header_params={**given, "X-Sdk-Date": DATE},
        body=body,
    )
    signed: Mapping[str, str] = Signer(BasicCredentials(AK, SK, "p")).sign(request).header_params
    return signed


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.lists(segments, max_size=4),
    st.lists(st.tuples(st.text(characters, min_size=1, max_size=8), texts), max_size=4),
    headers,
    types,
    st.binary(max_size=40),
    st.none() | st.text("abcXYZ019+/=", min_size=1, max_size=20),
)
def test_signatures_equal_those_of_the_released_sdk(
    method: str,
    segments: list[str],
    query: list[tuple[str, str]],
    extra: dict[str, str],
    content_type: str | None,
    body: bytes,
    token: str | None,
) -> None:
    """For any path, query, headers, type, body and temporary key."""
    path = "/v1/" + "/".join(quote(part, safe="~") for part in segments)
    plain = {**extra, **({"Content-Type": content_type} if content_type else {})}
    theirs = signed_by_the_sdk(method, path, query, {**plain, **({"X-Security-Token": token} if token else {})}, body)
    target = path + ("?" if query else "") + "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in query)
    keys = SigningKeys(Secret(AK), Secret(SK), Secret(token) if token else None)
    call = CallToSign(method, "h.example:8443", target, plain, body)
    assert authorization(call, keys) == theirs["Authorization"]
    assert sign(call, keys, NOW).get("X-Sdk-Content-Sha256") == theirs.get("X-Sdk-Content-Sha256")
