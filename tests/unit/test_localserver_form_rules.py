"""Forms and their policies as pure rules: what is read, what is allowed, wherever a body is cut into blocks."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.localserver.s3 import form_policy, sigv2
from bulkup.localserver.s3.form_parser import MAX_BEFORE_FILE, FileExtractor, form_boundary, parse_form_head
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.s3.signing_types import SigningKey

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = SigningKey("AKIAEXAMPLE", "ASIAEXAMPLE", AWS_SECRET, "token")
NOW = 1_700_000_000.0
LATER = "2023-11-14T22:13:21.000Z"  # one second later
CONDITIONS = [{"bucket": "b"}, ["starts-with", "$key", "tmp/p1/"], {"acl": "private"}]
FIELDS = {"bucket": "b", "key": "tmp/p1/a", "acl": "private"}


def encoded(document: Any) -> Any:
    return base64.b64encode(document if isinstance(document, bytes) else json.dumps(document).encode()).decode()


def form(conditions: Any = CONDITIONS, fields: Any = FIELDS, expiration: Any = LATER, **changes: Any) -> Any:
    policy = encoded({"expiration": expiration, "conditions": conditions})
    signature = sigv2.signature(AWS_SECRET, policy)
    return {**fields, "awsaccesskeyid": "AKIAEXAMPLE", "policy": policy, "signature": signature, **changes}


def refused(fields: Any, now: Any = NOW) -> Any:
    with pytest.raises(S3Error) as caught:
        form_policy.authorize_form(fields, KEY, now)
    return caught.value


def refused_as_malformed(call: Any, *arguments: Any) -> Any:
    with pytest.raises(S3Error) as caught:
        call(*arguments)
    return caught.value.code


def body(*parts: Any, boundary: Any = b"B") -> Any:
    """Return a form of names and contents; a name that begins with `file` has a file name as well."""
    written = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name, content)
        for name, content in parts
    ]
    return b"".join(written) + b"--%b--\r\n" % boundary


def test_the_signature_of_a_policy_is_the_contracts_vector() -> None:
    policy = '{"expiration":"2030-01-01T00:00:00.000Z","conditions":[{"bucket":"b"},["starts-with","$key","tmp/p1/"]]}'
    signature = "2xxWL17bTxvGIXPlSwHVAlbEQ8Q="
    assert sigv2.signature(AWS_SECRET, encoded(policy.encode())) == signature
    fields = {"bucket": "b", "key": "tmp/p1/x", "awsaccesskeyid": "AKIAEXAMPLE", "signature": signature}
    form_policy.authorize_form({**fields, "policy": encoded(policy.encode())}, KEY, NOW)


def test_a_form_is_let_in_until_its_policy_ends() -> None:
    form_policy.authorize_form(form(), KEY, NOW + 1)
    error = refused(form(), NOW + 1.01)
    assert (error.status, error.code) == (403, "AccessDenied")
    assert error.message == "Invalid according to Policy: Policy expired."


@pytest.mark.parametrize("name", ["key", "AWSAccessKeyId", "policy", "signature"])
def test_what_a_form_needs_is_named(name: Any) -> None:
    fields = form()
    del fields[name.lower()]
    error = refused(fields)
    assert (error.status, error.code) == (400, "InvalidArgument")
    assert error.message == (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )


def test_another_key_or_policy_than_was_signed_is_refused() -> None:
    assert refused(form(awsaccesskeyid="AKIAOTHER")).code == "InvalidAccessKeyId"
    assert refused(form(awsaccesskeyid="ASIAEXAMPLE")).code == "InvalidAccessKeyId"
    assert refused(form(signature="x")).code == "SignatureDoesNotMatch"
    assert refused(form(signature="é")).code == "SignatureDoesNotMatch"
    longer = encoded({"expiration": "2030-01-01T00:00:00.000Z", "conditions": CONDITIONS})
    assert refused(form(policy=longer)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"acl": "public-read"}, '["eq", "$acl", "private"]'),
        ({"key": "tmp/p2/a"}, '["starts-with", "$key", "tmp/p1/"]'),
        ({"bucket": "c"}, '["eq", "$bucket", "b"]'),
    ],
)
def test_a_condition_that_does_not_hold_is_shown(changes: Any, failed: Any) -> None:
    error = refused(form(fields={**FIELDS, **changes}))
    assert (error.status, error.code) == (403, "AccessDenied")
    assert error.message == f"Invalid according to Policy: Policy Condition failed: {failed}"


def test_a_condition_on_a_field_that_is_not_there_does_not_hold() -> None:
    error = refused(form([*CONDITIONS, ["starts-with", "$name", ""]]))
    assert error.message == 'Invalid according to Policy: Policy Condition failed: ["starts-with", "$name", ""]'


def test_every_field_needs_a_condition() -> None:
    assert refused(form(chunk="0")).message == "Invalid according to Policy: Extra input fields: chunk"
    error = refused(form(**{"chunk": "0", "content-type": "x"}))
    assert error.message == "Invalid according to Policy: Extra input fields: chunk, content-type"
    assert refused(form(CONDITIONS[1:])).message == "Invalid according to Policy: Extra input fields: bucket"
    form_policy.authorize_form(form(**{"x-ignore-this": "1"}), KEY, NOW)


def test_conditions_may_be_written_in_any_case_and_shape() -> None:
    conditions = [{"Bucket": "b", "ACL": "private"}, ["EQ", "$Key", "tmp/p1/a"], ["content-length-range", "1", 2]]
    policy = form_policy.authorize_form(form(conditions), KEY, NOW)
    assert (policy.sizes.minimum, policy.sizes.maximum) == (1, 2)
    assert form_policy.authorize_form(form(), KEY, NOW).sizes.maximum == 5 << 30


@pytest.mark.parametrize(
    "policy",
    [
        *("", "no base64!", encoded(b"no json"), encoded(b"[]"), encoded({}), encoded({"conditions": []})),
        encoded({"conditions": [], "expiration": "2030-01-01T00:00:00"}),
        encoded({"conditions": [], "expiration": 2030}),
        *(
            encoded({"conditions": [condition], "expiration": LATER})
            for condition in (1, [], {"a": 1}, ["ends-with", "$a", ""], ["eq", "a", ""], ["eq", "$a", 1], ["eq", "$a"])
        ),
        *(
            encoded({"conditions": [["content-length-range", *bounds]], "expiration": LATER})
            for bounds in ((), (1,), (1, 2, 3), ("x", 1), (None, 1))
        ),
    ],
)
def test_a_policy_that_is_none_is_refused(policy: Any) -> None:
    error = refused(form(policy=policy, signature=sigv2.signature(AWS_SECRET, policy)))
    assert (error.status, error.code) == (400, "InvalidPolicyDocument")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=----x", b"----x"),
    ],
)
def test_the_boundary_is_found(content_type: Any, boundary: Any) -> None:
    assert form_boundary(content_type) == boundary


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("", 412, "PreconditionFailed"),
        ("application/x-www-form-urlencoded", 412, "PreconditionFailed"),
        ("multipart/form-data", 400, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=" + "x" * 71, 400, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=é", 400, "MalformedPOSTRequest"),
    ],
)
def test_a_body_that_says_it_is_no_form_is_refused(content_type: Any, status: Any, code: Any) -> None:
    with pytest.raises(S3Error) as caught:
        form_boundary(content_type)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_fields_are_read_until_the_file_begins() -> None:
    data = body((b"Key", "é/${filename}".encode()), (b"empty", b""), (b"lines", b"a\r\nb"), (b"file", b"content"))
    opening = parse_form_head(data, b"B")
    assert opening.fields == {"key": "é/${filename}", "empty": "", "lines": "a\r\nb"}
    assert data[opening.start :].startswith(b"content\r\n--B--")


def test_headers_of_parts_may_be_written_in_any_case_and_order() -> None:
    data = (
        b"--B\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=key\r\n\r\nx\r\n--B\r\n"
        b'Content-Disposition: form-data; filename="a; name=\\"b\\".txt"; name="file"\r\nX: y\r\n\r\n'
    )
    opening = parse_form_head(data, b"B")
    assert opening.fields == {"key": "x"}
    assert opening.filename == 'a; name=\\"b\\".txt'
    assert opening.start == len(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "MalformedPOSTRequest"),
        (b"x", "MalformedPOSTRequest"),
        (b"--B", "MalformedPOSTRequest"),
        (b"--B--\r\n", "MalformedPOSTRequest"),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\n", "MalformedPOSTRequest"),
        (b"--B\r\nContent-Type: text/plain\r\n\r\n", "MalformedPOSTRequest"),
        (b'--B\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n', "MalformedPOSTRequest"),
        (body((b"key", b"\xff"), (b"file", b"")), "MalformedPOSTRequest"),
        (body((b"key", b"x"), (b"KEY", b"y"), (b"file", b"")), "MalformedPOSTRequest"),
        (body((b"key", b"x"))[:-6], "MalformedPOSTRequest"),
        (
            body((b"key", b"x"), (b"file", b"")).replace(b"--B\r\nContent", b"--Bx\r\nContent", 1),
            "MalformedPOSTRequest",
        ),
        (body((b"key", b"x")), "IncorrectNumberOfFilesInPostRequest"),
        (body((b"key", b"x" * MAX_BEFORE_FILE), (b"file", b"")), "MaxPostPreDataLengthExceededError"),
        (body((b"key", b"x" * (MAX_BEFORE_FILE - 300)), (b"a", b"x" * 100), (b"file", b"")), None),
    ],
)
def test_what_stands_before_the_file_is_checked(data: Any, code: Any) -> None:
    if code is None:
        assert parse_form_head(data, b"B").start <= MAX_BEFORE_FILE
    else:
        assert refused_as_malformed(parse_form_head, data, b"B") == code


def taken(after_start: Any, cuts: Any, boundary: Any = b"B") -> Any:
    end, edges = FileExtractor(boundary), [0, *sorted(min(cut, len(after_start)) for cut in cuts), len(after_start)]
    content = b"".join(end.feed(after_start[a:b]) for a, b in itertools.pairwise(edges))
    end.finish()
    return content


@given(st.text("\r\n-Bx", max_size=40).map(str.encode), st.lists(st.integers(0, 60), max_size=8))
def test_the_file_ends_at_its_boundary_however_the_body_is_cut(content: Any, cuts: Any) -> None:
    expected = content.partition(b"\r\n--BOUND")[0]
    assert taken(content + b"\r\n--BOUND--\r\n", cuts, b"BOUND") == expected


@given(st.binary(max_size=300), st.integers(1, 50))
def test_bytes_of_any_kind_come_out_as_they_went_in(content: Any, step: Any) -> None:
    assert taken(content + b"\r\n--a-long-boundary--", range(0, 400, step), b"a-long-boundary") == content


def test_what_follows_the_file_is_ignored_unless_it_is_another_file() -> None:
    after = body((b"key", b"ignored"), (b"submit", b"x"))
    assert taken(b"content\r\n" + after, []) == b"content"
    second = body((b"submit", b"x"), (b"File", b"another"))
    assert refused_as_malformed(taken, b"content\r\n" + second, []) == "IncorrectNumberOfFilesInPostRequest"
    large = body((b"file", b"x" * (1 << 20)))
    assert refused_as_malformed(taken, b"content\r\n" + large, [1 << 16]) == "IncorrectNumberOfFilesInPostRequest"
    assert refused_as_malformed(taken, b"c\r\n" + body((b"a", b"x" * (1 << 16))), []) == "MalformedPOSTRequest"


@pytest.mark.parametrize("after", [b"", b"content", b"content\r\n--", b"content\r\n--B", b"content\r\n--Bx"])
def test_a_file_without_an_end_is_refused(after: Any) -> None:
    assert refused_as_malformed(taken, after, [3]) == "MalformedPOSTRequest"
