"""The errors of MetaStudio and of its gateway: statuses, codes and messages (docs/contracts.md section 3)."""

from __future__ import annotations

from bulkup.localserver.api_common import ApiError


class MetaStudioError(ApiError):
    """An error with the service's code. Only bodies of gateway errors have a `request_id`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code

    @property
    def by_gateway(self) -> bool:
        """Whether the gateway refused the call, so that it did not reach the service."""
        return self.code.startswith("APIGW.")


def unauthorized(reason: str) -> MetaStudioError:
    """Return the error for a call without valid authentication."""
    return MetaStudioError(401, "APIGW.0301", f"Incorrect IAM authentication information: {reason}")


def invalid_token() -> MetaStudioError:
    """Return the error for a token that has expired or was never issued."""
    return MetaStudioError(401, "APIGW.0307", "The token must be updated.")


def wrong_project() -> MetaStudioError:
    """Return the error for a project that is not the caller's."""
    return MetaStudioError(403, "APIGW.0306", "API access denied, the project is not that of the caller.")


def throttled() -> MetaStudioError:
    """Return the error for too many calls. It has no Retry-After."""
    message = "The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 second"
    return MetaStudioError(429, "APIGW.0308", message)


def invalid_parameter(what: str) -> MetaStudioError:
    """Return the error for an invalid parameter."""
    return MetaStudioError(400, "MSS.00000003", f"Invalid parameter: {what}")


def no_such_file() -> MetaStudioError:
    """Return the error for an unknown file id. The service does not document its code."""
    return MetaStudioError(404, "MSS.00000005", "The file does not exist.")


def already_completed() -> MetaStudioError:
    """Return the error for a second completion. The service does not document its code."""
    return MetaStudioError(409, "MSS.00000006", "The file has been completed already.")


def duplicate_main() -> MetaStudioError:
    """Return the error for a second MAIN file of an asset. The service does not document its code."""
    return MetaStudioError(409, "MSS.00000007", "The asset has a MAIN file already.")


def internal() -> MetaStudioError:
    """Return the error for a failure of the disk."""
    return MetaStudioError(500, "MSS.00000004", "Internal Error")


def translate_error(error: ApiError) -> MetaStudioError:
    """Return an error of the shared code with this service's code and message."""
    if isinstance(error, MetaStudioError):
        return error
    match error.status:
        case 401:
            return unauthorized("verify aksk signature fail")
        case 405:
            return MetaStudioError(
                405, "APIGW.0101", "The API does not exist or has not been published in the environment"
            )
        case 413:
            return MetaStudioError(413, "APIGW.0201", "Request entity too large")
        case 429:
            return throttled()
        case 503:
            return MetaStudioError(503, "APIGW.0202", "Backend unavailable")
    return invalid_parameter(error.message)
