"""Parses Xvid's answers, in JSON or XML, and its errors (docs/contracts.md section 4).

The structure of the XML is not documented. It is read as one element per name, with the names of the JSON.
"""

from __future__ import annotations

import codecs
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bulkup.model.http import ApiAnswer, is_web_page
from bulkup.model.problems import ProblemKind
from bulkup.providers.answer_parsing import json_object, malformed, raise_for_status

SERVICE = "Xvid"

_BAD_TOKEN = "0x0000003"  # noqa: S105  # an error code
_NO_SUCH_FILE = "0x0230002"
_MAX_DEPTH = 16  # of nested elements; the service's answers have four
_KINDS = {
    "0x0230001": ProblemKind.REJECTED,
    _NO_SUCH_FILE: ProblemKind.REJECTED,
    _BAD_TOKEN: ProblemKind.UNAUTHORIZED,
    "0x0000001": ProblemKind.TRANSIENT,
}


def upload_of(answer: ApiAnswer) -> dict[str, Any]:
    """Return the `upload` of an answer. Raises `ProblemError` if it has none."""
    upload = _object(answer).get("upload")
    if not isinstance(upload, dict):
        raise malformed(SERVICE, "no upload")
    return upload


def error_of(answer: ApiAnswer) -> tuple[str, str]:
    """Return the code and message of an error body, empty texts if it has none."""
    try:
        error = (_from_xml(answer.body) if _is_xml(answer) else answer.json()).get("error")
    except (ValueError, AttributeError, ParseError, DefusedXmlException):
        return "", ""
    if not isinstance(error, dict):
        return "", ""
    code, message = error.get("error_code"), error.get("error_message")
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def token_refused(answer: ApiAnswer) -> bool:
    """Return whether the token was refused: by the service with a 403, or by a gateway in front of it with a 401."""
    return answer.status == 401 or (answer.status == 403 and error_of(answer)[0] == _BAD_TOKEN)


def raise_for(answer: ApiAnswer, *, closing: bool = False) -> None:
    """Raise `ProblemError` unless the call succeeded. `closing` means that it was about an upload in progress."""
    if answer.status in (200, 201):
        return
    code, message = error_of(answer)
    said = f"{code}: {message}" if code and message else code or message
    kind = _KINDS.get(code)
    if closing and (answer.status == 404 or code == _NO_SUCH_FILE):
        kind = ProblemKind.FAILED
    raise_for_status(answer, SERVICE, said, kind=kind)


def _object(answer: ApiAnswer) -> dict[str, Any]:
    if not _is_xml(answer):
        return json_object(answer, SERVICE)
    try:
        return _from_xml(answer.body)
    except (ValueError, ParseError, DefusedXmlException):
        problem = malformed(SERVICE, "XML that cannot be read")
    raise problem  # outside the except block, whose error would hold the whole body as its context


def _is_xml(answer: ApiAnswer) -> bool:
    kind = answer.headers.get("content-type", "").lower()
    if is_web_page(kind, answer.body):
        return False
    return "xml" in kind or answer.body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<"


def _from_xml(body: bytes) -> dict[str, Any]:
    """Return the document as nested dicts. A root named `upload` or `error` becomes a key of its own."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except LookupError as error:
        raise ValueError("an unknown encoding") from error
    value = _value(root, _MAX_DEPTH)
    if root.tag in ("upload", "error"):
        return {root.tag: value}
    return value if isinstance(value, dict) else {}


def _value(element: Element, depth: int) -> Any:
    if len(element) == 0:
        return element.text or ""
    if not depth:
        raise ValueError("elements nested too deeply")
    return {child.tag: _value(child, depth - 1) for child in element}
