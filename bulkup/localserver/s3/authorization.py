"""Finds out which signature a request to the store has, and verifies it."""

from __future__ import annotations

from collections.abc import Mapping

from bulkup.localserver.s3 import s3_errors, sigv2, sigv4
from bulkup.localserver.signing_types import ReceivedRequest, SigningKey

_VERSION_4 = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_VERSION_2 = frozenset({"AWSAccessKeyId", "AccessKeyId", "Signature"})


def authorize(
    request: ReceivedRequest, signing: SigningKey, now: float, *users: SigningKey, body: bytes | None = None
) -> None:
    """Raise S3Error unless the request has a valid signature, by the store's own key or by that of a user.

    An Authorization header is taken only with the `body` of a request, and only of version 4. Beside a signed URL it is
    refused, as S3 refuses it: API credentials must not be sent to storage (docs/contracts.md section 7).
    """
    names = request.parameters.keys()
    version_4, version_2 = bool(names & _VERSION_4), bool(names & _VERSION_2)
    if version_4 + version_2 + ("authorization" in request.headers) > 1:
        raise _invalid_argument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified"
        )
    if version_4:
        sigv4.verify(request, (signing, *users), now)
    elif body is not None and sigv4.in_header(request):
        sigv4.verify_header(request, (signing, *users), now, body)
    elif version_2:
        sigv2.verify(request, signing, now)
    else:
        refuse_credentials(request.headers)
        raise s3_errors.access_denied()


def refuse_credentials(headers: Mapping[str, str]) -> None:
    """Raise S3Error if a request that needs no Authorization header has one."""
    if "authorization" in headers:
        raise _invalid_argument("Unsupported Authorization Type")


def _invalid_argument(message: str) -> s3_errors.S3Error:
    # S3 also repeats the value of the header. It could be a credential and end up in a log.
    return s3_errors.S3Error(400, "InvalidArgument", message, ArgumentName="Authorization")
