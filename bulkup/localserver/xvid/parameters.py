"""Parses and checks the parameters of Xvid's calls (docs/contracts.md section 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.api_common import as_integer
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import encoded_path
from bulkup.localserver.xvid.answer_encoding import fits_xml
from bulkup.localserver.xvid.api_errors import invalid_input
from bulkup.localserver.xvid.upload_form import object_path

MAX_OBJECT_KEY_LENGTH = 1024  # bytes
TOKEN_TTL = 7200  # seconds
MAX_TOKEN_TTL = 7 * 24 * 3600  # seconds; the service documents no maximum
SCOPES = frozenset(
    {
        *("me", "mediahub", "mediahub_read", "mediahub_write"),
        *("mediahub_submit_jobs", "mediahub_download_files", "autograph"),
    }
)
WRITING_SCOPES = frozenset({"mediahub", "mediahub_write"})

_PIPELINE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGITS = re.compile(r"[0-9]{1,11}")
_LARGEST_IP = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A requested upload. `expires_at` is when its object may be deleted (Unix time; 0: never, None: not given)."""

    pipeline: str
    object_key: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A requested token: the client's credentials, the lifetime in seconds, and whether it allows uploads."""

    client_id: str
    client_secret: str
    ttl: int
    may_upload: bool


def parse_form_fields(text: str) -> dict[str, str]:
    """Return the fields of a query or of a urlencoded body. Raises XvidError 400 if it is not UTF-8."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise invalid_input("the parameters are not valid application/x-www-form-urlencoded") from None


def parse_upload(parameters: Mapping[str, str]) -> UploadRequest:
    """Parse the query of a call that begins a session. Raises XvidError 400."""
    pipeline = parameters.get("pipeline_id", "")
    if not _PIPELINE.fullmatch(pipeline):
        raise invalid_input("pipeline_id must have 1 to 64 letters, digits, '-' or '_'")
    _number("ip", parameters.get("ip"), _LARGEST_IP)
    expires_at = _number("expires_at", parameters.get("expires_at"))
    return UploadRequest(pipeline, _object_key(parameters.get("object_key", ""), pipeline), expires_at)


def parse_chunks(body: Any) -> int:
    """Parse the body of a finish call and return the number of chunks. Raises XvidError 400.

    It must be 1, as in the form, because the service does not document the names of chunks.
    """
    upload = body.get("upload") if isinstance(body, dict) else None
    chunks = upload.get("nb_chunks") if isinstance(upload, dict) else None
    if as_integer(chunks) != 1:
        raise invalid_input("upload.nb_chunks must be 1")
    return 1


def parse_token_request(content_type: str, body: bytes, query: Mapping[str, str]) -> TokenRequest:
    """Parse a request for a token. `expires_in` may be in the query. Raises XvidError 400."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise invalid_input("the body must be application/x-www-form-urlencoded")
    form = parse_form_fields(body.decode("latin-1"))
    if form.get("grant_type") != "client_credential":
        raise invalid_input("grant_type must be client_credential")
    scopes = form.get("scope", "").split(",")
    if not SCOPES.issuperset(scopes):
        raise invalid_input(f"scope must be one or more of {', '.join(sorted(SCOPES))}, separated by commas")
    ttl = _number("expires_in", form.get("expires_in", query.get("expires_in")), MAX_TOKEN_TTL)
    may_upload = not WRITING_SCOPES.isdisjoint(scopes)
    return TokenRequest(form.get("client_id", ""), form.get("client_secret", ""), ttl or TOKEN_TTL, may_upload)


def _object_key(key: str, pipeline: str) -> str:
    if not 1 <= len(key.encode("utf-8", "surrogateescape")) <= MAX_OBJECT_KEY_LENGTH:
        raise invalid_input(f"object_key must have 1 to {MAX_OBJECT_KEY_LENGTH} bytes")
    try:
        object_key(encoded_path(object_path(pipeline, key)))
    except (S3Error, UnicodeEncodeError):
        raise invalid_input("object_key is not one that the store accepts") from None
    if not fits_xml(key):
        raise invalid_input("object_key has a character that the XML answers of this server cannot contain")
    return key


def _number(name: str, text: str | None, maximum: int | None = None) -> int | None:
    if text is None:
        return None
    if not _DIGITS.fullmatch(text) or (maximum is not None and int(text) > maximum):
        raise invalid_input(f"{name} must be a whole number")
    return int(text)
