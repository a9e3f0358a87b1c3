"""The meaning of S3's answers where the user owns keys and bucket. Messages name the setting to check."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from bulkup.model.http import ApiAnswer, StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.providers.error_documents import code_and_message, plain_body
from bulkup.providers.storage_answers import classify_s3

_PROPERTIES = "check sse, storage_class, acl, tags and checksum_algorithm: the store may not have them"
_CLOCK = "set the clock of this machine"
# The kind of problem by the code of the error document, None for the usual kind, and a hint.
_CODES: Mapping[str, tuple[ProblemKind | None, str]] = {
    "NoSuchBucket": (None, "check bucket, region, addressing and base_url"),
    "InvalidBucketName": (None, "check bucket"),
    "PermanentRedirect": (None, "the bucket is in another region: set region"),
    "TemporaryRedirect": (ProblemKind.TRANSIENT, "the bucket was created a short time ago"),
    "AuthorizationHeaderMalformed": (None, "check region"),
    "AuthorizationQueryParametersError": (None, "check region, and url_lifetime"),
    "IllegalLocationConstraintException": (None, "the bucket is in another region: set region"),
    "InvalidAccessKeyId": (ProblemKind.UNAUTHORIZED, "check access_key, or the AWS profile in use"),
    "SignatureDoesNotMatch": (None, "check secret_key and region; a proxy must not change the host or the path"),
    "RequestTimeTooSkewed": (ProblemKind.EXPIRED, _CLOCK),
    "InvalidToken": (ProblemKind.UNAUTHORIZED, "check security_token, or log in again"),
    "ExpiredToken": (None, "the session has ended: log in again"),
    "AccessDenied": (None, "the keys need the right s3:PutObject on the bucket"),
    "KMS.DisabledException": (None, "check sse_kms_key"),
    "PreconditionFailed": (None, "an object with this key exists, and if_none_match keeps it"),
    "ConditionalRequestConflict": (ProblemKind.TRANSIENT, "another upload of the same key was under way"),
    "OperationAborted": (ProblemKind.TRANSIENT, "another operation on the bucket was under way"),
    "NotImplemented": (None, "the store lacks a feature that the settings ask for"),
    "InvalidStorageClass": (None, "check storage_class"),
    "InvalidDigest": (None, ""),
    "InvalidRequest": (None, _PROPERTIES),
    "InvalidArgument": (None, _PROPERTIES),
    "KeyTooLongError": (None, "check key"),
    "QuotaExceeded": (None, "the bucket is full"),
    "InvalidObjectState": (None, ""),
    "NoSuchUpload": (ProblemKind.GONE, "the parts were deleted at the store"),
}


# The kind of a refused call by its status. A code in `_OF_A_CALL` comes first.
_STATUSES = {401: ProblemKind.UNAUTHORIZED, 403: ProblemKind.UNAUTHORIZED, 404: ProblemKind.UNUSABLE}
_OF_A_CALL = {
    "ExpiredToken": ProblemKind.UNAUTHORIZED,
    "InvalidToken": ProblemKind.UNAUTHORIZED,
    "TokenRefreshRequired": ProblemKind.UNAUTHORIZED,
    "NoSuchBucket": ProblemKind.UNUSABLE,
    "NoSuchUpload": ProblemKind.FAILED,
    "RequestTimeTooSkewed": ProblemKind.UNUSABLE,
    "PermanentRedirect": ProblemKind.UNUSABLE,
    "AuthorizationHeaderMalformed": ProblemKind.UNUSABLE,
}


def problem_of_call(answer: ApiAnswer) -> Problem | None:
    """Return the problem in the answer to a call about the bucket, None for success.

    An answer with the status 200 may hold an error document: stores begin it before they know the result.
    """
    problem = classify(StorageAnswer(answer.status, answer.headers, answer.body), answer.sent_at)
    if problem is None:
        return None
    code = code_of(answer)
    kind = _OF_A_CALL.get(code) or _STATUSES.get(answer.status, problem.kind)
    if kind in (ProblemKind.REFUSED, ProblemKind.EXPIRED):
        kind = ProblemKind.UNAUTHORIZED
    return dataclasses.replace(problem, kind=kind, maybe_created=kind is ProblemKind.TRANSIENT)


# Codes for a signature that was good a moment ago, or would be by another clock.
SESSION_OVER = frozenset({"ExpiredToken", "TokenRefreshRequired"})
CLOCK_WRONG = "RequestTimeTooSkewed"


def code_of(answer: StorageAnswer | ApiAnswer) -> str:
    """Return the code of an error document, empty if there is none."""
    return code_and_message(plain_body(answer.body, answer.headers.get("content-encoding", "")))[0]


def classify(answer: StorageAnswer, now: float) -> Problem | None:
    """Return the problem in an answer, None if the store accepted the bytes. `now` is Unix time."""
    problem = classify_s3(answer, now)
    if problem is None:
        return None
    code = code_of(answer)
    kind, hint = _CODES.get(code, (None, ""))
    if not code and answer.status == 412:
        hint = _CODES["PreconditionFailed"][1]
    if code == "AccessDenied" and problem.kind is ProblemKind.EXPIRED:
        return problem  # a URL that was used too late
    if code == "AccessDenied" and "not yet valid" in problem.message:
        kind, hint = _CODES["RequestTimeTooSkewed"]
    message = f"{problem.message} ({hint})" if hint else problem.message
    return dataclasses.replace(problem, kind=kind or problem.kind, message=message)
