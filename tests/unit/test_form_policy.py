"""Policies of forms: signatures, expiry, conditions, and the answers to forms that they do not allow."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bulkup.localserver.s3 import form_policy, sigv2
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import SigningKey

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


def test_the_signature_of_a_policy_matches_the_contract() -> None:
    policy = '{"expiration":"2030-01-01T00:00:00.000Z","conditions":[{"bucket":"b"},["starts-with","$key","tmp/p1/"]]}'
    signature = "2xxWL17bTxvGIXPlSwHVAlbEQ8Q="
    assert sigv2.signature(AWS_SECRET, encoded(policy.encode())) == signature
    fields = {"bucket": "b", "key": "tmp/p1/x", "awsaccesskeyid": "AKIAEXAMPLE", "signature": signature}
    form_policy.authorize_form({**fields, "policy": encoded(policy.encode())}, KEY, NOW)


def test_a_form_is_accepted_until_its_policy_expires() -> None:
    form_policy.authorize_form(form(), KEY, NOW + 1)
    error = refused(form(), NOW + 1.01)
    assert (error.status, error.code) == (403, "AccessDenied")
    assert error.message == "Invalid according to Policy: Policy expired."


@pytest.mark.parametrize("name", ["key", "AWSAccessKeyId", "policy", "signature"])
def test_the_error_names_a_missing_field(name: Any) -> None:
    fields = form()
    del fields[name.lower()]
    error = refused(fields)
    assert (error.status, error.code) == (400, "InvalidArgument")
    assert error.message == (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )


def test_another_key_or_policy_is_refused() -> None:
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
def test_the_error_shows_the_failed_condition(changes: Any, failed: Any) -> None:
    error = refused(form(fields={**FIELDS, **changes}))
    assert (error.status, error.code) == (403, "AccessDenied")
    assert error.message == f"Invalid according to Policy: Policy Condition failed: {failed}"


def test_a_condition_on_a_missing_field_fails() -> None:
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
def test_an_invalid_policy_is_refused(policy: Any) -> None:
    error = refused(form(policy=policy, signature=sigv2.signature(AWS_SECRET, policy)))
    assert (error.status, error.code) == (400, "InvalidPolicyDocument")
