"""Parses `multipart/form-data` (docs/contracts.md section 4, form POST rule): fields first, then one file.

The fields are small and are parsed in one piece. The file is extracted from blocks of any size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.s3.s3_errors import S3Error

MAX_BEFORE_FILE = 20 << 10  # bytes of fields, their headers and boundaries
MAX_AFTER_FILE = 20 << 10  # bytes that are ignored; S3 documents no limit

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^;\s"]{1,70}))\s*(?:;|$)', re.IGNORECASE)
_DISPOSITION = re.compile(rb"^content-disposition:\s*form-data(.*)$", re.IGNORECASE | re.MULTILINE)
_PARAMETER = re.compile(rb';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_LINE_END: Final = b"\r\n"
_HEADERS_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class FormHead:
    """The fields before the file. Their names are lower case. The file's bytes begin at `start`."""

    fields: Mapping[str, str]
    filename: str
    start: int


class _DataEndsError(Exception):
    """The data ends before the file begins."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    filename: str
    start: int


def form_boundary(content_type: str) -> bytes:
    """Return the boundary between the parts. Raises S3Error for another content type, or one without a boundary."""
    if not content_type.lower().startswith("multipart/form-data"):
        condition = "Bucket POST must be of the enclosure-type multipart/form-data"
        message = "At least one of the pre-conditions you specified did not hold"
        raise S3Error(412, "PreconditionFailed", message, Condition=condition)
    match = _BOUNDARY.search(content_type)
    if match is None or not content_type.isascii():
        raise malformed_form()
    return (match[1] or match[2]).encode()


def parse_form_head(data: bytes, boundary: bytes) -> FormHead:
    """Return the fields before the file. `data` is the whole body, or at least `MAX_BEFORE_FILE` bytes of it.

    Raises S3Error: MalformedPOSTRequest, MaxPostPreDataLengthExceededError, IncorrectNumberOfFilesInPostRequest.
    """
    try:
        head = _head(data, boundary)
    except _DataEndsError:
        raise (_too_much_before_file() if len(data) > MAX_BEFORE_FILE else malformed_form()) from None
    if head.start > MAX_BEFORE_FILE:
        raise _too_much_before_file()
    return head


class FileExtractor:
    """Extracts the file from a body that arrives in blocks, and checks the rest of the body."""

    def __init__(self, boundary: bytes) -> None:
        self._mark = _LINE_END + b"--" + boundary
        self._held = b""
        self._after: bytes | None = None

    def feed(self, block: bytes) -> bytes:
        """Return the next bytes that belong to the file for certain. Raises S3Error for too many bytes after it."""
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
        """Raise S3Error if the body was not a form, or had a second file."""
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
    """Return the error for a body that is not a form."""
    message = "The body of your POST request is not well-formed multipart/form-data."
    return S3Error(400, "MalformedPOSTRequest", message)


def wrong_number_of_files() -> S3Error:
    """Return the error for a form without a file, or with several."""
    message = "POST requires exactly one file upload per request."
    return S3Error(400, "IncorrectNumberOfFilesInPostRequest", message)


def _too_much_before_file() -> S3Error:
    message = "Your POST request fields preceding the upload file were too large."
    return S3Error(400, "MaxPostPreDataLengthExceededError", message, MaxPostPreDataLengthBytes=str(MAX_BEFORE_FILE))


def _head(data: bytes, boundary: bytes) -> FormHead:
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
        raise _DataEndsError
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
