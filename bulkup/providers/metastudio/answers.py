"""The meaning of errors of MetaStudio and of the API gateway in front of it (docs/contracts.md section 3).

Both have the form `{"error_code", "error_msg"}`, and the code is more specific than the status.
"""

from __future__ import annotations

import re

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.http import ApiAnswer
from bulkup.model.problems import ProblemKind
from bulkup.providers.answer_parsing import raise_for_status
from bulkup.providers.metastudio.signature import MAX_CLOCK_SKEW

SERVICE = "MetaStudio"

_KINDS = {
    "APIGW.0301": ProblemKind.UNAUTHORIZED,
    "APIGW.0302": ProblemKind.UNAUTHORIZED,
    "APIGW.0306": ProblemKind.UNAUTHORIZED,
    "APIGW.0307": ProblemKind.UNAUTHORIZED,
    "APIGW.0308": ProblemKind.THROTTLED,
    "MSS.00000001": ProblemKind.UNAUTHORIZED,
    "MSS.00000003": ProblemKind.REJECTED,
    "MSS.00000004": ProblemKind.TRANSIENT,
}
_STATUSES = {400: ProblemKind.REJECTED, 403: ProblemKind.UNAUTHORIZED, 409: ProblemKind.REJECTED}
_RIGHTS = "check the keys, and that project_id belongs to their account, in the region of base_url"
# The message for a file that is complete already is not documented. It must not be confused with the messages for a
# file that failed or was cancelled, or for an asset that has its MAIN already.
_COMPLETED = lazy_pattern(r"(?=.*already)(?=.*(?:complet|confirm|creat))", re.IGNORECASE | re.DOTALL)
_NOT_COMPLETED = lazy_pattern(r"\bMAIN\b|fail|cancel|delet|\bnot\b", re.IGNORECASE)


def error_of(answer: ApiAnswer) -> tuple[str, str]:
    """Return the code and message of an error body, empty texts if it has none."""
    try:
        body = answer.json()
    except ValueError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    code, message = body.get("error_code"), body.get("error_msg")
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def raise_for(answer: ApiAnswer, *, signs: bool, closing: bool = False) -> None:
    """Raise `ProblemError` unless the call succeeded.

    `signs` means that calls are signed, so a wrong clock can be the cause. `closing` means that the call was about a
    file that had been created.
    """
    if answer.status in (200, 201):
        return
    code, message = error_of(answer)
    said = f"{code}: {message}" if code and message else code or message
    kind = _KINDS.get(code) or _STATUSES.get(answer.status)
    if answer.status == 404 and code.startswith("MSS."):
        # The service does not know this asset or file. Other files are not affected.
        kind = ProblemKind.REJECTED
    if closing and kind is ProblemKind.REJECTED and answer.status != 409:
        kind = ProblemKind.FAILED  # the service accepted the file, and refuses only its completion
    hint = _RIGHTS if kind is ProblemKind.UNAUTHORIZED else None
    if kind is ProblemKind.UNAUTHORIZED and signs and code == "APIGW.0301":
        hint = _clock_hint(answer) or hint
    raise_for_status(answer, SERVICE, said, kind=kind, hint=hint)


def token_expired(answer: ApiAnswer) -> bool:
    """Return whether the token was refused because it expired, or because rights or the password changed."""
    return answer.status == 401 and error_of(answer)[0] == "APIGW.0307"


def has_completed(answer: ApiAnswer, *, again: bool) -> bool:
    """Return whether the file is complete after a closing call. If in doubt return False: the file is uploaded again.

    After an earlier call that may have been received (`again`), a conflict without another reason also means complete.
    """
    if answer.status in (200, 201):
        return True
    message = error_of(answer)[1]
    if answer.status not in (400, 409) or _NOT_COMPLETED.search(message):
        return False
    return _COMPLETED.search(message) is not None or (again and answer.status == 409)


def _clock_hint(answer: ApiAnswer) -> str | None:
    """Return a hint if this machine's clock makes signatures invalid, else None."""
    ahead = answer.sent_at - answer.server_time()
    if abs(ahead) <= MAX_CLOCK_SKEW:
        return None
    way = "ahead of" if ahead > 0 else "behind"
    allowed = f"a signature is valid for {MAX_CLOCK_SKEW / 60:.0f}"
    return f"this machine's clock is {abs(ahead) / 60:.0f} minutes {way} the service's, and {allowed}: set the clock"
