"""Parses and checks the bodies of calls for files (docs/contracts.md section 3)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.api_common import as_integer
from bulkup.localserver.metastudio.api_errors import invalid_parameter

MAX_FILE_SIZE = 5 << 30  # bytes
MAX_LARGE_FILE_SIZE = 500 << 30  # bytes
MAX_PARTS = 10_000  # the limit of OBS for one object

# The union of the lists in the guide and in the SDK.
CATEGORIES: Final = frozenset(
    {"MAIN", "COVER", "PAGE", "SAMPLE", "OTHER", "WHOLE_MODEL", "USER_MODIFIED_MODEL", "TEMPORARY", "PACKAGE"}
)
STATES: Final = frozenset({"CREATED", "FAILED", "CANCELLED"})

_ASSET_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INVALID_TYPE = re.compile(r"[/\\\x00-\x1f\x7f]")
_MAX_TYPE_LENGTH = 64  # characters
_MAX_EXTENSION_LENGTH = 200  # bytes; file systems limit the name of the object: id, dot and extension
_MAX_NAME_LENGTH = 256  # characters


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A file to create. `size` is in bytes, `md5` in Base64. A file in `parts` has no MD5."""

    extension: str
    size: int
    asset: str
    category: str
    md5: str = ""
    parts: int = 0


def parse_file(body: Any) -> FileRequest:
    """Parse the body of a call of `files`. Raises MetaStudioError 400."""
    return FileRequest(*_common(body, MAX_FILE_SIZE), md5=_md5(body.get("file_md5")))


def parse_large_file(body: Any) -> FileRequest:
    """Parse the body of a call of `large-files`. Raises MetaStudioError 400."""
    common = _common(body, MAX_LARGE_FILE_SIZE)
    return FileRequest(*common, parts=_whole("file_multipart_count", body.get("file_multipart_count", 1), MAX_PARTS))


def parse_state(body: Any) -> str:
    """Parse the body of a completion and return the state. Raises MetaStudioError 400."""
    state = body.get("state") if isinstance(body, dict) else None
    if not isinstance(state, str) or state not in STATES:
        raise invalid_parameter("state must be one of CREATED, FAILED, CANCELLED")
    return state


def _common(body: Any, largest: int) -> tuple[str, int, str, str]:
    if not isinstance(body, dict):
        raise invalid_parameter("the body must be an object")
    _name(body.get("file_name"))
    return (
        _type(body.get("file_type")),
        _whole("file_size", body.get("file_size"), largest),
        _asset(body.get("asset_id")),
        _category(body.get("asset_file_category")),
    )


def _name(name: Any) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME_LENGTH:
        raise invalid_parameter(f"file_name must have 1 to {_MAX_NAME_LENGTH} characters")


def _type(extension: Any) -> str:
    if not isinstance(extension, str) or not 1 <= len(extension) <= _MAX_TYPE_LENGTH:
        raise invalid_parameter(f"file_type must have 1 to {_MAX_TYPE_LENGTH} characters")
    if _INVALID_TYPE.search(extension) or len(extension.encode()) > _MAX_EXTENSION_LENGTH:
        raise invalid_parameter("file_type must be a file extension")
    return extension


def _whole(name: str, value: Any, largest: int) -> int:
    number = as_integer(value)
    if number is None or not 1 <= number <= largest:
        raise invalid_parameter(f"{name} must be a whole number from 1 to {largest}")
    return number


def _asset(asset: Any) -> str:
    if not isinstance(asset, str) or not _ASSET_ID.fullmatch(asset):
        raise invalid_parameter("asset_id must have 1 to 64 letters, digits, '-' or '_'")
    return asset


def _category(category: Any) -> str:
    if not isinstance(category, str) or category not in CATEGORIES:
        raise invalid_parameter(f"asset_file_category must be one of {', '.join(sorted(CATEGORIES))}")
    return category


def _md5(text: Any) -> str:
    try:
        digest = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16 or len(text) != 24:
        raise invalid_parameter("file_md5 must be the Base64 of the 16 bytes of the MD5, 24 characters")
    return str(text)
