"""Properties of the embedded server's parsers: any input is parsed, or refused with the error of its service."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from graphql import GraphQLSyntaxError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret
from bulkup.localserver import FaultSpec, ServerConfig
from bulkup.localserver.api_common import ApiError, as_integer
from bulkup.localserver.faults import FaultName
from bulkup.localserver.local import local_api
from bulkup.localserver.magic_hour import magic_hour_api
from bulkup.localserver.metastudio import iam, sdk_signature
from bulkup.localserver.metastudio import parameters as metastudio
from bulkup.localserver.move_ugc.documents import DocumentCache
from bulkup.localserver.move_ugc.schema import move_schema
from bulkup.localserver.record_log import RecordLog
from bulkup.localserver.s3 import authorization, form_policy
from bulkup.localserver.s3.form_parser import MAX_BEFORE_FILE, FileExtractor, FormHead, form_boundary, parse_form_head
from bulkup.localserver.s3.object_keys import MAX_KEY_LENGTH, object_key
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signed_tokens import TokenSigner
from bulkup.localserver.signing_types import ReceivedRequest, SigningKey, encoded_path
from bulkup.localserver.xvid import parameters as xvid
from bulkup.transport.form_body import FormBody

NOW = 1_700_000_000.0
KEY = SigningKey("AKIAEXAMPLE", "ASIAEXAMPLE", "secret", "token")
CONFIG = ServerConfig(store="")
DOCUMENTS = DocumentCache(move_schema())
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.sampled_from(
    [
        *("items", "type", "extension", "files", "size", "file_name", "file_type", "file_size", "file_md5", "asset_id"),
        *("asset_file_category", "file_multipart_count", "state", "upload", "nb_chunks", "auth", "identity", "methods"),
        *("password", "user", "domain", "name", "scope", "project", "id", "expiration", "conditions"),
    ]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.sampled_from(["MAIN", "CREATED", "mp4"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=10,
)


@given(
    st.lists(
        texts.filter(lambda name: name not in ("", ".", "..") and "/" not in name and "\0" not in name), min_size=2
    )
)
def test_a_key_survives_encoding_and_decoding(parts: list[str]) -> None:
    """Unless it is too long."""
    key = "/".join(parts)
    try:
        assert object_key(encoded_path(key)) == key
    except S3Error as error:
        assert error.code == "KeyTooLongError"  # noqa: PT017  # either outcome is right


@given(st.lists(st.sampled_from(["..", ".", "%2e", "a%2F", "%00", "%c3", "a", "%", "\\", "", "%0a"])).map("/".join))
def test_keys_never_leave_the_store(path: str) -> None:
    """The path is made of dots, escapes and separators."""
    try:
        key = object_key("/" + path)
    except S3Error as error:
        assert error.status in (400, 405)  # noqa: PT017  # either outcome is right
        return
    assert os.path.normpath(os.path.join("/store", key)) == f"/store/{key}"
    assert len(key.encode()) <= MAX_KEY_LENGTH


parameters = st.sampled_from(
    [
        *(
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
        ),
        *("AWSAccessKeyId", "AccessKeyId", "Expires", "Signature", "x-amz-security-token", "uploadId", "partNumber"),
    ]
)
proofs = st.sampled_from(
    [
        *(
            "AWS4-HMAC-SHA256",
            "20231114T221320Z",
            "20231114T221320",
            "host",
            "3600",
            "1700003600",
            "0",
            "-1",
            "AKIAEXAMPLE",
        ),
        *("AKIAEXAMPLE/20231114/us-east-1/s3/aws4_request", "99999999999", "00010101T000000Z", "\u0663", "x" * 300),
    ]
)


@given(st.dictionaries(parameters, proofs | texts), st.dictionaries(st.sampled_from(["host", "authorization"]), texts))
def test_requests_without_a_valid_signature_are_refused(query: dict[str, str], headers: dict[str, str]) -> None:
    """With 400 or 403, and no other error."""
    raw = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    with pytest.raises(S3Error) as raised:
        authorization.authorize(ReceivedRequest("PUT", "/b/k", raw, headers), KEY, NOW)
    assert raised.value.status in (400, 403)


signed_headers = st.dictionaries(
    st.sampled_from(["host", "x-sdk-date", "x-security-token", "x-sdk-content-sha256", "content-type"]), proofs | texts
)
authorizations = st.builds(
    "SDK-HMAC-SHA256 Access={}, SignedHeaders={}, Signature={}".format,
    st.sampled_from(["LOCALACCESSKEY000001", "x", ""]),
    st.lists(st.sampled_from(["host", "\udcff", "", "a b", "\xe9"]), max_size=2).map(
        lambda more: ";".join([*more, "host", "x-sdk-date"])
    ),
    st.sampled_from(["0" * 64, "0", "\u0660" * 64]),
)


@given(signed_headers, authorizations | texts, st.binary(max_size=9))
def test_calls_without_a_valid_signature_are_refused(headers: dict[str, str], given_: str, body: bytes) -> None:
    """The message of the error can be encoded as JSON."""
    request = ReceivedRequest("POST", "/v1/p/files", "", {**headers, "authorization": given_})
    with pytest.raises(sdk_signature.SignatureError) as raised:
        sdk_signature.verify(request, body, CONFIG.access_key, CONFIG.secret_key, NOW)
    str(raised.value).encode()


FILE = {
    "file_name": "1.png",
    "file_md5": "n58IG6hfM7vqI4K0vnWpog==",
    "file_size": 1048576,
    "file_type": "png",
    "asset_id": "a-1",
    "asset_file_category": "MAIN",
    "file_multipart_count": 2,
}
USER = {"name": CONFIG.iam_user, "password": CONFIG.iam_password, "domain": {"name": CONFIG.iam_domain}}
READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "magic-hour": (magic_hour_api.parse_request, {"items": [{"type": "video", "extension": "mp4"}]}),
    "local": (local_api.parse_request, {"files": [{"extension": "mp4", "size": 1}]}),
    "metastudio file": (metastudio.parse_file, FILE),
    "metastudio large file": (metastudio.parse_large_file, FILE),
    "metastudio state": (metastudio.parse_state, {"state": "CREATED"}),
    "xvid chunks": (xvid.parse_chunks, {"upload": {"nb_chunks": 1}}),
    "iam": (
        lambda body: iam.check_request(body, CONFIG),
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": USER}},
                "scope": {"project": {"name": "p"}},
            }
        },
    ),
}


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Return all containers and keys in a value, at any depth."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *places_in(value[key]))]


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=60)
def test_bodies_of_any_json_are_parsed_or_refused(name: str, data: st.DataObject) -> None:
    """Any value of a valid body is replaced. The result is a parsed request, or a 4xx whose message can be encoded."""
    read, good = READERS[name]
    read(good)
    value = json.loads(json.dumps(good))
    holder, key = data.draw(st.sampled_from(places_in(value)), label="place")
    holder[key] = data.draw(json_values)
    try:
        read(value)
    except ApiError as error:
        assert 400 <= error.status < 500  # noqa: PT017  # either outcome is right
        error.message.encode()


@given(st.floats() | st.integers() | st.booleans() | st.none() | texts)
def test_integers_are_read_in_either_notation(value: Any) -> None:
    """JSON makes no difference between 5 and 5.0. Booleans and strings are not integers."""
    number = as_integer(value)
    if number is None:
        assert isinstance(value, bool | str | None) or not float(value).is_integer()
    else:
        assert number == value
        assert type(number) is int


@given(texts, texts, st.dictionaries(st.sampled_from(["ip", "expires_at"]), texts))
def test_queries_for_a_session_are_parsed_or_refused(key: str, pipeline: str, more: Mapping[str, str]) -> None:
    """An accepted key is a valid object key."""
    try:
        wanted = xvid.parse_upload({"object_key": key, "pipeline_id": pipeline, **more})
    except ApiError as error:
        assert error.status == 400  # noqa: PT017  # either outcome is right
        return
    assert object_key(encoded_path(f"xvid-mediahub/tmp/{pipeline}/{wanted.object_key}")).endswith(key)


pieces = st.sampled_from(
    [
        *(
            "{",
            "}",
            "(",
            ")",
            "mutation",
            "query",
            "fragment F on File",
            "...F",
            "... on File",
            "f0:",
            "createFile",
            "getFile",
        ),
        *(
            '(type: "mp4")',
            '(fileId: "f")',
            "{ id }",
            "$t: String!",
            '"""',
            '"\\ud800"',
            '"\\u{110000}"',
            "@skip(if: true)",
        ),
        *("[" * 50, "{a" * 50, "subscription", "#", "\0", "&", "!", "input", "extend type File", "__schema"),
    ]
)


@given(st.lists(pieces | texts, max_size=12).map(" ".join))
def test_graphql_queries_are_parsed_or_refused(query: str) -> None:
    """The only error is GraphQLSyntaxError, and a parsed document can be searched for fields."""
    try:
        document = DOCUMENTS.parse(query)
    except GraphQLSyntaxError:
        return
    for error in DOCUMENTS.validation_errors(document):
        error.message.encode()
    assert document.selects("createFile", None) in (True, False)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_policies_of_any_bytes_are_parsed_or_refused(document: bytes) -> None:
    """The policy is in Base64."""
    try:
        policy = form_policy.parse_policy(base64.b64encode(document).decode())
    except S3Error as error:
        assert error.code == "InvalidPolicyDocument"  # noqa: PT017  # either outcome is right
        error.body("/b/", "id")
        return
    assert policy.sizes.maximum <= 5 << 30


@given(texts, st.binary(max_size=80), st.binary(max_size=20).filter(lambda start: not start.startswith(b"--B\r\n")))
def test_forms_of_any_bytes_are_parsed_or_refused(content_type: str, data: bytes, start: bytes) -> None:
    """With any content type."""
    for kind in (content_type, f"multipart/form-data; boundary={content_type}"):
        try:
            assert 1 <= len(form_boundary(kind)) <= 70
        except S3Error as error:
            assert error.status in (400, 412)  # noqa: PT017  # either outcome is right
    for body in (data, b"--B\r\n" + data, b'--B\r\nContent-Disposition: form-data; name="k"\r\n\r\n' + data):
        try:
            opening = parse_form_head(body, b"B")
        except S3Error as error:
            assert error.status == 400  # noqa: PT017  # either outcome is right
        else:
            assert opening.start <= MAX_BEFORE_FILE
    with pytest.raises(S3Error):
        parse_form_head(start, b"B")


class _File:
    failure = None
    data = None

    def __init__(self, data: bytes) -> None:
        self.size, self._data = len(data), data

    async def chunks(self) -> Any:
        yield memoryview(self._data)


fields = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\%'), min_size=1, max_size=9)
    .map(str.lower)
    .filter(lambda name: name != "file" and name == name.lower()),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    max_size=4,
)


@given(fields, st.binary(max_size=60))
def test_forms_of_the_client_are_parsed_correctly(form: dict[str, str], data: bytes) -> None:
    """Client and server share no code for forms."""
    body = FormBody([(name, Secret(value)) for name, value in form.items()], _File(data))

    async def sent() -> bytes:
        return b"".join([bytes(chunk) async for chunk in body.chunks()])

    whole, boundary = asyncio.run(sent()), form_boundary(body.content_type)
    opening: FormHead = parse_form_head(whole, boundary)
    end = FileExtractor(boundary)
    assert (dict(opening.fields), opening.filename) == (form, "file")
    assert end.feed(whole[opening.start :]) == data
    end.finish()


@given(
    texts
    | st.sampled_from([f"{name}=0.5,first=2" for name in FaultName]).flatmap(lambda t: st.sampled_from([t, t[:-1]]))
)
def test_fault_options_are_parsed_or_refused(text: str) -> None:
    """The error has a hint."""
    try:
        spec = FaultSpec.parse(text)
    except UsageError as error:
        assert error.hint  # noqa: PT017  # either outcome is right
        return
    assert FaultSpec.parse(str(spec)) == spec


@given(texts, texts, st.floats(1, 4e9))
def test_a_token_is_valid_only_for_its_credential_and_until_its_expiry(
    credential: str, other: str, ends: float
) -> None:
    """A changed token, or any other text, is not valid."""
    mint = TokenSigner("secret", "test")
    token = mint.issue(credential, ends)
    assert mint.is_valid(token, credential, int(ends) - 1)
    assert not mint.is_valid(token, credential, int(ends))
    assert other == credential or not mint.is_valid(token, other, 0)
    assert not mint.is_valid(token[:-1] + ("A" if token[-1] != "A" else "B"), credential, 0)
    assert not mint.is_valid(other, credential, 0)


@given(st.binary(max_size=60), st.dictionaries(texts, texts, max_size=3), st.integers(0, 30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_damaged_log_loses_only_damaged_records(tmp_path: Path, noise: bytes, kept: dict[str, str], cut: int) -> None:
    """The log begins with random bytes and ends with an incomplete entry."""
    path = tmp_path / "log"
    path.write_bytes(noise.replace(b'"id"', b""))
    log = RecordLog(str(path), 100)
    for record_id, value in kept.items():
        log.put(record_id, {"value": value})
    log.close()
    with path.open("ab") as file:
        file.write(b'\n{"id":"cut","record":{"value":1}}'[:cut])
    again = RecordLog(str(path), 100)
    found = dict(again.items())
    again.close()
    assert {record_id: found[record_id] for record_id in kept} == {name: {"value": text} for name, text in kept.items()}
