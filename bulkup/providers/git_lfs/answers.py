"""Reads the answer to a batch call: objects with their actions, objects that the server has, and errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkup.helpers.secrets import Secret
from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Rejection
from bulkup.providers.answer_parsing import (
    MESSAGE_LIMIT,
    error_message,
    json_object,
    lease_from,
    malformed,
    raise_for_status,
    text_field,
    unix_time,
)

SERVICE = "the Git LFS server"
MEDIA_TYPE = "application/vnd.git-lfs+json"

_ENDPOINT = "is base_url the LFS endpoint of the repository, such as https://host/owner/repository.git/info/lfs?"
_HINTS = {
    401: "set token, or lfs_user and lfs_password; or add the host to netrc or to a credential helper of git",
    403: "the account may not write to this repository",
    404: _ENDPOINT,
    405: _ENDPOINT,
    507: "the server has no room left",
    509: "the bandwidth of the account is used up",
}
# A 507 or 509 does not pass within a run.
_KINDS = {507: ProblemKind.UNUSABLE, 509: ProblemKind.UNUSABLE}
# Codes of an object's error that may pass. All others are final for the object.
_PASSING = {408: ProblemKind.TRANSIENT, 425: ProblemKind.TRANSIENT, 429: ProblemKind.THROTTLED}
_GONE = (404, 410)  # codes of objects that the server does not have
_CODES = {**_PASSING, **_KINDS}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")
# Of the connection, or computed from the body.
_LEFT_OUT = frozenset({"content-length", "transfer-encoding", "host", "connection", "expect"})
_MOST_HEADERS = 64
_MOST_SECONDS = 2_147_483_647
_YEAR_2000 = 946_684_800.0  # servers write the year 1 for no time


class LfsAction(NamedTuple):
    """A request that the server asks for. `expires_at` is Unix time by this machine's clock, None for never."""

    href: str
    headers: Mapping[str, Secret]
    expires_at: float | None


class LfsOffer(NamedTuple):
    """The server's answer about an object that it does not have. `authenticated` says that no login is to be added."""

    upload: LfsAction
    verify: LfsAction | None
    authenticated: bool


Answered = LfsOffer | Rejection | Problem | None  # None: the server has the object. A problem may pass


def raise_for(answer: ApiAnswer, *, closing: bool = False) -> None:
    """Raise `ProblemError` unless the call succeeded. In a closing call, a 404 concerns the object alone."""
    status = answer.status
    if closing and 200 <= status < 300:
        return
    kind, hint = _KINDS.get(status), _HINTS.get(status)
    if closing and status in (404, 410, 422):
        kind, hint = ProblemKind.FAILED, "it does not have the object as it was sent"
    raise_for_status(answer, SERVICE, error_message(answer), kind=kind, hint=hint)


def objects_of(answer: ApiAnswer, asked: Mapping[str, int]) -> dict[str, Answered]:
    """Return the answer for each object asked for, by its id. `asked` has their sizes.

    Raises `ProblemError` for an answer about other objects, and for an object's error that concerns all others too.
    """
    items = _items_of(answer, asked)
    return {oid: _answered(item, oid, asked[oid], answer) for oid, item in items.items()}


def downloads_of(answer: ApiAnswer, asked: Mapping[str, int]) -> dict[str, LfsOffer | None]:
    """Return the download of each object asked for, in place of an upload; None for one that the server does not have.

    Raises `ProblemError` as `objects_of` does.
    """
    items = _items_of(answer, asked)
    return {oid: _download(item, oid, asked[oid], answer) for oid, item in items.items()}


def _items_of(answer: ApiAnswer, asked: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
    body = json_object(answer, SERVICE)
    _check_agreement(body)
    items = body.get("objects")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise malformed(SERVICE, "no list of objects")
    found: dict[str, Mapping[str, Any]] = {}
    for item in items:
        oid = text_field(item, "oid", SERVICE).lower()
        if oid not in asked or oid in found:
            raise malformed(SERVICE, f"an object that was not asked for, {shortened(oid, 64)!r}")
        found[oid] = item
    if len(found) < len(asked):
        raise malformed(SERVICE, f"{len(found)} objects for {len(asked)}")
    return found


def _check_agreement(body: Mapping[str, Any]) -> None:
    """Raise `ProblemError` if the server names objects or transfers them in a way that is not supported."""
    transfer, algorithm = body.get("transfer") or "basic", body.get("hash_algo") or "sha256"
    if transfer != "basic":
        said = shortened(str(transfer), 64)
        text = f"{SERVICE} wants the transfer {said!r}; only `basic` is supported, not multipart or ssh"
        raise ProblemError(Problem(ProblemKind.UNUSABLE, text))
    if algorithm != "sha256":
        text = f"{SERVICE} names objects by {shortened(str(algorithm), 64)!r}; only sha256 is supported"
        raise ProblemError(Problem(ProblemKind.UNUSABLE, text))


def _answered(item: Mapping[str, Any], oid: str, size: int, answer: ApiAnswer) -> Answered:
    error = item.get("error")
    if error is not None:
        return _refused(error)
    if item.get("size", size) != size:
        raise malformed(SERVICE, f"another size for the object {oid}")
    actions = item.get("actions")
    if not actions:
        return None
    if not isinstance(actions, dict) or "upload" not in actions:
        raise malformed(SERVICE, "an object with actions and without an upload")
    verify = actions.get("verify")
    return LfsOffer(
        _action(actions["upload"], "upload", answer),
        None if verify is None else _action(verify, "verify", answer),
        item.get("authenticated") is True,
    )


def _download(item: Mapping[str, Any], oid: str, size: int, answer: ApiAnswer) -> LfsOffer | None:
    error = item.get("error")
    if isinstance(error, dict) and error.get("code") in _GONE:
        return None
    if error is not None:
        refused = _refused(error)
        raise ProblemError(refused if isinstance(refused, Problem) else Problem(ProblemKind.FAILED, refused.reason))
    if item.get("size", size) != size:
        raise malformed(SERVICE, f"another size for the object {oid}")
    actions = item.get("actions")
    if not isinstance(actions, dict) or "download" not in actions:
        raise malformed(SERVICE, "an object without a download")
    return LfsOffer(_action(actions["download"], "download", answer), None, item.get("authenticated") is True)


def _refused(error: object) -> Rejection | Problem:
    """Return the rejection of an object, or the problem if the error may pass.

    Raises `ProblemError` for one of the account.
    """
    code = error.get("code") if isinstance(error, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    text = f"{SERVICE} answered {code if isinstance(code, int) else 'an error'} for the object"
    text += f": {shortened(said, MESSAGE_LIMIT)}" if isinstance(said, str) and said else ""
    if not isinstance(code, int):
        return Rejection(text)
    kind = _CODES.get(code, ProblemKind.TRANSIENT if code >= 500 else None)
    if kind is None:
        return Rejection(text)
    if code in _KINDS:
        raise ProblemError(Problem(kind, text))
    return Problem(kind, text)


def _action(value: object, name: str, answer: ApiAnswer) -> LfsAction:
    href = text_field(value, "href", SERVICE)
    assert isinstance(value, dict)
    headers = value.get("header") or {}
    if not isinstance(headers, dict) or len(headers) > _MOST_HEADERS:
        raise malformed(SERVICE, f"the headers of {name} in a form that cannot be read")
    kept: dict[str, Secret] = {}
    for header, text in headers.items():
        valid = isinstance(text, str) and _HEADER_VALUE.fullmatch(text) and _HEADER_NAME.fullmatch(header)
        if not valid or header.lower() in {other.lower() for other in kept}:
            raise malformed(SERVICE, f"a header of {name} that cannot be sent")
        if header.lower() not in _LEFT_OUT:
            kept[header] = Secret(text)
    return LfsAction(href, kept, _expiry(value, answer))


def _expiry(value: Mapping[str, Any], answer: ApiAnswer) -> float | None:
    """Return the end of an action by the local clock. `expires_in` takes precedence, and 0 stands for none."""
    seconds, text = value.get("expires_in"), value.get("expires_at")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
        raise malformed(SERVICE, "an expires_in that is not a number")
    if seconds:
        return answer.sent_at + max(-_MOST_SECONDS, min(seconds, _MOST_SECONDS))
    if not text:
        return None
    at = unix_time(text) if isinstance(text, str) else None
    if at is None:
        raise malformed(SERVICE, "an expires_at that is not an RFC 3339 time")
    return lease_from(at, answer) if at >= _YEAR_2000 else None
