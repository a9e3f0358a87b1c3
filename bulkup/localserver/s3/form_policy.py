"""Policies of form POSTs, signature version 2 (docs/contracts.md section 4, form POST rule): pure rules."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.s3 import s3_errors, sigv2
from bulkup.localserver.s3.put_rules import MAX_OBJECT_SIZE
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import SigningKey

# Required fields: their names in lower case, and as S3 writes them.
_REQUIRED: Final = {"key": "key", "awsaccesskeyid": "AWSAccessKeyId", "policy": "policy", "signature": "signature"}
_EXEMPT_FIELDS: Final = frozenset(_REQUIRED) - {"key"}
_RANGE = "content-length-range"


@dataclass(frozen=True, slots=True)
class PolicyCondition:
    """A condition on one field: its exact value, or how the value begins."""

    operator: str
    field: str
    value: str

    def holds(self, fields: Mapping[str, str]) -> bool:
        """Return whether the form has the field and its value fits."""
        value = fields.get(self.field)
        if value is None:
            return False
        return value == self.value if self.operator == "eq" else value.startswith(self.value)

    def __str__(self) -> str:
        return json.dumps([self.operator, f"${self.field}", self.value], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class SizeRange:
    """The allowed size of the file in bytes, both ends included."""

    minimum: int = 0
    maximum: int = MAX_OBJECT_SIZE

    def check_not_over(self, size: int) -> None:
        """Raise S3Error if the bytes received so far are too many."""
        if size > self.maximum:
            message = "Your proposed upload exceeds the maximum allowed size"
            raise S3Error(400, "EntityTooLarge", message, ProposedSize=str(size), MaxSizeAllowed=str(self.maximum))

    def check_not_under(self, size: int) -> None:
        """Raise S3Error if the whole file is too small."""
        if size < self.minimum:
            message = "Your proposed upload is smaller than the minimum allowed size"
            raise S3Error(400, "EntityTooSmall", message, ProposedSize=str(size), MinSizeAllowed=str(self.minimum))


@dataclass(frozen=True, slots=True)
class FormPolicy:
    """A parsed policy: what a form may contain until `expires` (Unix time)."""

    expires: float
    conditions: tuple[PolicyCondition, ...]
    sizes: SizeRange


def authorize_form(fields: Mapping[str, str], signing: SigningKey, now: float) -> FormPolicy:
    """Verify the signature of a form's policy, check the form against it, and return the policy.

    Names of fields are lower case, and `bucket` is one of them. `now` is Unix time. Raises S3Error.
    """
    for name, written in _REQUIRED.items():
        if name not in fields:
            raise _field_missing(written)
    if fields["awsaccesskeyid"] != signing.permanent_id:
        raise s3_errors.unknown_access_key()
    expected = sigv2.signature(signing.secret, fields["policy"])
    if not hmac.compare_digest(expected.encode(), fields["signature"].encode()):
        raise s3_errors.signature_does_not_match()
    policy = parse_policy(fields["policy"])
    check_policy(policy, fields, now)
    return policy


def check_policy(policy: FormPolicy, fields: Mapping[str, str], now: float) -> None:
    """Raise S3Error unless the policy allows the form at `now` (Unix time)."""
    if now > policy.expires:
        raise policy_expired()
    for condition in policy.conditions:
        if not condition.holds(fields):
            raise _against_policy(f"Policy Condition failed: {condition}")
    covered = {condition.field for condition in policy.conditions}
    extra = [name for name in fields if name not in covered and not _is_exempt(name)]
    if extra:
        raise _against_policy(f"Extra input fields: {', '.join(extra)}")


def parse_policy(text: str) -> FormPolicy:
    """Parse a policy in Base64. Raises S3Error InvalidPolicyDocument."""
    try:
        document = orjson.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict) or not isinstance(document.get("conditions"), list):
        raise _invalid("Policy missing conditions.")
    conditions: list[PolicyCondition] = []
    sizes = SizeRange()
    for entry in document["conditions"]:
        if isinstance(entry, list) and entry and str(entry[0]).lower() == _RANGE:
            sizes = _size_range(entry)
        else:
            conditions += _conditions(entry)
    return FormPolicy(_expiration(document.get("expiration")), tuple(conditions), sizes)


def policy_expired() -> S3Error:
    """Return the error for a form whose policy has expired."""
    return _against_policy("Policy expired.")


def _conditions(entry: Any) -> Iterator[PolicyCondition]:
    if isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values()):
        yield from (PolicyCondition("eq", name.lower(), value) for name, value in entry.items())
        return
    match entry:
        case [str(operator), str(name), str(value)] if operator.lower() in ("eq", "starts-with") and name[:1] == "$":
            yield PolicyCondition(operator.lower(), name[1:].lower(), value)
        case _:
            raise _invalid(f"Invalid Condition: {json.dumps(entry)}")


def _size_range(entry: list[Any]) -> SizeRange:
    try:
        _, minimum, maximum = entry
        return SizeRange(int(minimum), min(int(maximum), MAX_OBJECT_SIZE))
    except (ValueError, TypeError):
        raise _invalid(f"Invalid Condition: {json.dumps(entry)}") from None


def _expiration(text: Any) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _invalid(f"Invalid 'expiration' value: {text!r}")
    return moment.timestamp()


def _is_exempt(name: str) -> bool:
    return name in _EXEMPT_FIELDS or name.startswith("x-ignore-")


def _against_policy(reason: str) -> S3Error:
    return s3_errors.access_denied(f"Invalid according to Policy: {reason}")


def _invalid(reason: str) -> S3Error:
    return S3Error(400, "InvalidPolicyDocument", f"Invalid Policy: {reason}")


def _field_missing(name: str) -> S3Error:
    message = (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
    return S3Error(400, "InvalidArgument", message, ArgumentName=name, ArgumentValue="")
