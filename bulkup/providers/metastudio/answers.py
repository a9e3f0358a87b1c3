"""What MetaStudio's errors mean, the service's own and those of the gateway before it (docs/contracts.md section 3).

Both are `{"error_code", "error_msg"}`, and the code says more than the status does.
"""

from __future__ import annotations

import re

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
_RIGHTS = "check the keys, and that project_id is a project of theirs in the region that base_url names"
# How the service says that a file is complete already is not documented; what it must not be taken from is a file that
# failed or was cancelled, and an asset that has its MAIN already.
_COMPLETED = re.compile(r"(?=.*already)(?=.*(?:complet|confirm|creat))", re.IGNORECASE | re.DOTALL)
_NOT_COMPLETED = re.compile(r"\bMAIN\b|fail|cancel|delet|\bnot\b", re.IGNORECASE)


def error_of(answer: ApiAnswer) -> tuple[str, str]:
    """Return code and message of an error body; empty texts where it has none."""
    try:
        body = answer.json()
    except ValueError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    code, message = body.get("error_code"), body.get("error_msg")
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def raise_for(answer: ApiAnswer, *, signs: bool, closing: bool = False) -> None:
    """Raise `ProblemError` unless the call succeeded. `signs` says that a wrong clock can be at fault, `closing` that
    the call was about a file that had been created."""
    if answer.status in (200, 201):
        return
    code, message = error_of(answer)
    said = f"{code}: {message}" if code and message else code or message
    kind = _KINDS.get(code) or _STATUSES.get(answer.status)
    if answer.status == 404 and code.startswith("MSS."):
        # The service was reached and does not know the asset, or the file: no other file is concerned.
        kind = ProblemKind.REJECTED
    if closing and kind is ProblemKind.REJECTED and answer.status != 409:
        kind = ProblemKind.FAILED  # it took the file once; what it does not take is that the bytes are there
    hint = _RIGHTS if kind is ProblemKind.UNAUTHORIZED else None
    if kind is ProblemKind.UNAUTHORIZED and signs and code == "APIGW.0301":
        hint = _clock(answer) or hint
    raise_for_status(answer, SERVICE, said, kind=kind, hint=hint)


def token_expired(answer: ApiAnswer) -> bool:
    """Say whether the token was refused for its age, or because rights or password changed."""
    return answer.status == 401 and error_of(answer)[0] == "APIGW.0307"


def has_completed(answer: ApiAnswer, *, again: bool) -> bool:
    """Say whether a closing call did, or found done, what it was to do. In doubt it did not: the file goes up again.

    A conflict that names no other reason is no doubt where an earlier call may have been heard (`again`).
    """
    if answer.status in (200, 201):
        return True
    message = error_of(answer)[1]
    if answer.status not in (400, 409) or _NOT_COMPLETED.search(message):
        return False
    return _COMPLETED.search(message) is not None or (again and answer.status == 409)


def _clock(answer: ApiAnswer) -> str | None:
    """Return what is wrong with this machine's clock where that is why the signature does not hold."""
    ahead = answer.sent_at - answer.server_time()
    if abs(ahead) <= MAX_CLOCK_SKEW:
        return None
    way = "ahead of" if ahead > 0 else "behind"
    allowed = f"a signature holds for {MAX_CLOCK_SKEW / 60:.0f}"
    return f"this machine's clock is {abs(ahead) / 60:.0f} minutes {way} the service's, and {allowed}: set the clock"
