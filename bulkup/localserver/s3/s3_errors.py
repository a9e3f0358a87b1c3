"""The errors of the store, as S3 answers them: a status, a code and an XML body (docs/contracts.md section 5)."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.sax.saxutils import escape

HOST_ID = "bulkup-local-store"


class S3Error(Exception):
    """An error answer of the store. `details` become elements of the body, between message and resource."""

    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def body(self, resource: str, request_id: str) -> bytes:
        """Return the XML document for a request to the path `resource`."""
        elements = {"Code": self.code, "Message": self.message, **self.details}
        elements |= {"Resource": resource, "RequestId": request_id, "HostId": HOST_ID}
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def access_denied(message: str = "Access Denied", **details: str) -> S3Error:
    """Return the error 403 AccessDenied."""
    return S3Error(403, "AccessDenied", message, **details)


def request_expired(expiry: float, now: float, **details: str) -> S3Error:
    """Return the error for a URL that expired at `expiry` (Unix time, as `now`)."""
    return access_denied("Request has expired", **details, Expires=_iso(expiry), ServerTime=_iso(now))


def signature_does_not_match() -> S3Error:
    """Return the error 403 SignatureDoesNotMatch. Unlike S3 it does not contain the string to sign."""
    return S3Error(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    )


def unknown_access_key() -> S3Error:
    """Return the error 403 InvalidAccessKeyId."""
    return S3Error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")


def invalid_token() -> S3Error:
    """Return the error 400 InvalidToken."""
    return S3Error(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")


def expired_token() -> S3Error:
    """Return the error 400 ExpiredToken."""
    return S3Error(400, "ExpiredToken", "The provided token has expired.")


def invalid_uri() -> S3Error:
    """Return the error 400 InvalidURI."""
    return S3Error(400, "InvalidURI", "Couldn't parse the specified URI.")


def method_not_allowed(method: str) -> S3Error:
    """Return the error 405 MethodNotAllowed."""
    return S3Error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.", Method=method)


def bad_digest(expected: str, calculated: str) -> S3Error:
    """Return the error 400 BadDigest. Both digests are in Base64, as in Content-MD5."""
    return S3Error(
        400,
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
        ExpectedDigest=expected,
        CalculatedDigest=calculated,
    )


def slow_down() -> S3Error:
    """Return the error 503 SlowDown."""
    return S3Error(503, "SlowDown", "Please reduce your request rate.")


def internal_error() -> S3Error:
    """Return the error 500 InternalError."""
    return S3Error(500, "InternalError", "We encountered an internal error. Please try again.")


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
