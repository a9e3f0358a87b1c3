"""Which signature a request to the store carries, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping

from bulkup.localserver.s3 import s3_errors, sigv2, sigv4
from bulkup.localserver.s3.signing_types import ReceivedRequest, SigningKey

_VERSION_4 = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_VERSION_2 = frozenset({"AWSAccessKeyId", "AccessKeyId", "Signature"})


def authorize(request: ReceivedRequest, signing: SigningKey, now: float) -> None:
    """Let the request pass, or raise S3Error: the URL's own signature is the only way in.

    An Authorization header is refused, as S3 refuses it beside a signed URL: API credentials have no business at the
    store (docs/contracts.md section 7).
    """
    names = request.parameters.keys()
    version_4, version_2 = bool(names & _VERSION_4), bool(names & _VERSION_2)
    if version_4 + version_2 + ("authorization" in request.headers) > 1:
        raise _invalid_argument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified"
        )
    if version_4:
        sigv4.verify(request, signing, now)
    elif version_2:
        sigv2.verify(request, signing, now)
    else:
        refuse_credentials(request.headers)
        raise s3_errors.access_denied()


def refuse_credentials(headers: Mapping[str, str]) -> None:
    """Raise S3Error where a request that carries its own proof in a form has an Authorization header as well."""
    if "authorization" in headers:
        raise _invalid_argument("Unsupported Authorization Type")


def _invalid_argument(message: str) -> s3_errors.S3Error:
    # S3 repeats the value as well; here it is a key that would end in a log.
    return s3_errors.S3Error(400, "InvalidArgument", message, ArgumentName="Authorization")
