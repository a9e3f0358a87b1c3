"""The errors of Xvid's API: statuses, codes and messages (docs/contracts.md section 4)."""

from __future__ import annotations

from typing import Any

from bulkup.localserver.api_common import ApiError


class XvidError(ApiError):
    """An error with the service's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code


def invalid_input(what: str) -> XvidError:
    """Return the error for an invalid parameter, or for a call that does not fit the upload's status."""
    return XvidError(400, "0x0230001", f"Invalid Input: {what}")


def invalid_token() -> XvidError:
    """Return the error for a call without a valid token. Its status is 403, not 401."""
    return XvidError(403, "0x0000003", "Invalid access token")


def invalid_client() -> XvidError:
    """Return the error for wrong client credentials. The service does not document it."""
    return XvidError(403, "0x0000003", "Invalid client credentials")


def upload_not_found() -> XvidError:
    """Return the error for an unknown upload."""
    return XvidError(404, "0x0230002", "Requested file does not exist")


def internal_error(status: int = 500) -> XvidError:
    """Return the error for a failure of the service."""
    return XvidError(status, "0x0000001", "Internal Error")


def error_body(error: XvidError) -> dict[str, Any]:
    """Return the body of the error answer."""
    return {"error": {"error_code": error.code, "error_message": error.message}}


def translate_error(error: ApiError) -> XvidError:
    """Return an error of the shared code with this service's code and message.

    The service does not document codes for 405 and 429.
    """
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
