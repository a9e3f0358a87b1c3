"""Xvid's refusals (docs/contracts.md section 4)."""

from __future__ import annotations

from typing import Any

from bulkup.localserver.api_common import ApiError


class XvidError(ApiError):
    """A refusal with the service's own code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code


def invalid_input(what: str) -> XvidError:
    """Return what a wrong parameter gets, and a call that does not fit the upload's status."""
    return XvidError(400, "0x0230001", f"Invalid Input: {what}")


def invalid_token() -> XvidError:
    """Return what a call gets without a good token: 403, not 401."""
    return XvidError(403, "0x0000003", "Invalid access token")


def invalid_client() -> XvidError:
    """Return what other client credentials get. The service's pages give no error for it; this one is ours."""
    return XvidError(403, "0x0000003", "Invalid client credentials")


def upload_not_found() -> XvidError:
    """Return what an unknown upload gets."""
    return XvidError(404, "0x0230002", "Requested file does not exist")


def internal_error(status: int = 500) -> XvidError:
    """Return what a call gets when the service fails."""
    return XvidError(status, "0x0000001", "Internal Error")


def error_body(error: XvidError) -> dict[str, Any]:
    """Return the answer's body."""
    return {"error": {"error_code": error.code, "error_message": error.message}}


def translate_error(error: ApiError) -> XvidError:
    """Return a refusal that all APIs have in common as this service words it; the codes for 405 and 429 are ours."""
    if isinstance(error, XvidError):
        return error
    match error.status:
        case 401:
            return invalid_token()
        case 405:
            return XvidError(405, "0x0000002", "Method not allowed")
        case 429:
            return XvidError(429, "0x0000004", "Too many requests")
        case 503:
            return internal_error(503)
    return XvidError(error.status, "0x0230001", f"Invalid Input: {error.message}")
