"""Parses `multipart/form-data` (docs/contracts.md section 4, form POST rule): fields first, then one file.

All that comes before the file's bytes is read at once, and is small; the file itself comes in blocks of any size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bulkup.localserver.s3.s3_errors import S3Error

MAX_BEFORE_FILE = 20 << 10  # bytes of fields, their headers and boundaries
MAX_AFTER_FILE = 20 << 10  # bytes of what is ignored; S3 states no limit

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^;\s"]{1,70}))\s*(?:;|$)', re.IGNORECASE)
_DISPOSITION = re.compile(rb"^content-disposition:\s*form-data(.*)$", re.IGNORECASE | re.MULTILINE)
_PARAMETER = re.compile(rb';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_LINE_END: Final = b"\r\n"
_HEADERS_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class FormHead:
    """What stands before the file's bytes, which begin at `start`. Names of fields are lower case."""

    fields: Mapping[str, str]
    filename: str
    start: int


class _EndsEarly(Exception):  # noqa: N818 - it is an answer
    """The data ends before the file begins."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    filename: str
    start: int


def form_boundary(content_type: str) -> bytes:
    """Return what separates the parts. Raises S3Error for another type, or one without a boundary."""
    if not content_type.lower().startswith("multipart/form-data"):
        condition = "Bucket POST must be of the enclosure-type multipart/form-data"
        message = "At least one of the pre-conditions you specified did not hold"
        raise S3Error(412, "PreconditionFailed", message, Condition=condition)
    match = _BOUNDARY.search(content_type)
    if match is None or not content_type.isascii():
        raise malformed_form()
    return (match[1] or match[2]).encode()


def parse_form_head(data: bytes, boundary: bytes) -> FormHead:
    """Return what stands before the file. `data` is the whole body, or more of it than may stand there.

    Raises S3Error: MalformedPOSTRequest, MaxPostPreDataLengthExceededError, IncorrectNumberOfFilesInPostRequest.
    """
    try:
        opening = _opening(data, boundary)
    except _EndsEarly:
        raise (_too_much_before_file() if len(data) > MAX_BEFORE_FILE else malformed_form()) from None
    if opening.start > MAX_BEFORE_FILE:
        raise _too_much_before_file()
    return opening


class FileExtractor:
    """Finds where the file ends in a body that comes in blocks, and looks at what follows it."""

    def __init__(self, boundary: bytes) -> None:
        self._mark = _LINE_END + b"--" + boundary
        self._held = b""
        self._after: bytes | None = None

    def feed(self, block: bytes) -> bytes:
        """Return the bytes of the file that are certain by now. Raises S3Error for too much behind it."""
        if self._after is not None:
            self._add_after(block)
            return b""
        data = self._held + block
        end = data.find(self._mark)
        if end >= 0:
            self._after = b""
            self._add_after(data[end + len(self._mark) :])
            return data[:end]
        certain = max(0, len(data) - len(self._mark) + 1)
        self._held = data[certain:]
        return data[:certain]

    def finish(self) -> None:
        """Raise S3Error where the body was no form, or had another file."""
        if self._after is None or not self._after.startswith((b"--", _LINE_END)):
            raise malformed_form()
        if any(_names_a_file(part) for part in self._after.split(self._mark)):
            raise wrong_number_of_files()

    def _add_after(self, block: bytes) -> None:
        self._after = (self._after or b"") + block
        if len(self._after) > MAX_AFTER_FILE:
            self.finish()
            raise malformed_form()


def malformed_form() -> S3Error:
    """Return what a body gets that is no form."""
    message = "The body of your POST request is not well-formed multipart/form-data."
    return S3Error(400, "MalformedPOSTRequest", message)


def wrong_number_of_files() -> S3Error:
    """Return what a form gets with another number of files than one."""
    message = "POST requires exactly one file upload per request."
    return S3Error(400, "IncorrectNumberOfFilesInPostRequest", message)


def _too_much_before_file() -> S3Error:
    message = "Your POST request fields preceding the upload file were too large."
    return S3Error(400, "MaxPostPreDataLengthExceededError", message, MaxPostPreDataLengthBytes=str(MAX_BEFORE_FILE))


def _opening(data: bytes, boundary: bytes) -> FormHead:
    first, mark = b"--" + boundary, _LINE_END + b"--" + boundary
    if not data.startswith(first + _LINE_END):
        raise malformed_form()
    fields: dict[str, str] = {}
    position = len(first)
    while (part := _part(data, position)).name != "file":
        end = _found(data, mark, part.start)
        if part.name in fields:
            raise malformed_form()
        fields[part.name] = _text(data[part.start : end])
        position = end + len(mark)
        if data.startswith(b"--", position):
            raise wrong_number_of_files()
    return FormHead(fields, part.filename, part.start)


def _found(data: bytes, wanted: bytes, position: int) -> int:
    at = data.find(wanted, position)
    if at < 0:
        raise _EndsEarly
    return at


def _part(data: bytes, position: int) -> _Part:
    """Return the part whose boundary ends at `position`."""
    if not data.startswith(_LINE_END, position):
        raise malformed_form()
    end = _found(data, _HEADERS_END, position)
    parameters = _parameters(data[position:end])
    if b"name" not in parameters:
        raise malformed_form()
    name = _text(parameters[b"name"]).lower()
    return _Part(name, _text(parameters.get(b"filename", b"")), end + len(_HEADERS_END))


def _parameters(headers: bytes) -> dict[bytes, bytes]:
    match = _DISPOSITION.search(headers.replace(_LINE_END, b"\n"))
    found = _PARAMETER.finditer(match[1]) if match else ()
    return {one[1].lower(): one[3] if one[2] is None else one[2] for one in found}


def _names_a_file(part: bytes) -> bool:
    return _parameters(part.partition(_HEADERS_END)[0]).get(b"name", b"").lower() == b"file"


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise malformed_form() from None
