"""Read one entry of a URL list. Messages never repeat a URL or the value of a header, because both may be secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from bulkup.config.list_rows import ListForm, Row, path_of
from bulkup.config.value_text import quote_value
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.problems import ProblemError
from bulkup.providers.answer_parsing import unix_time, upload_url

FORM = ListForm(
    ("path", "url", "id", "expires", "headers", "method", "md5"),
    needed=2,
    example='{"path": "a.mp4", "url": "https://..."}',
)

_METHODS = ("PUT", "POST", "PATCH")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110 section 5.6.2
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~]{0,8190}[!-~])?)?")
# They describe the body or the connection, which the sender knows better.
_OF_THE_SENDER = frozenset({"content-length", "transfer-encoding", "connection", "host", "expect", "content-md5"})
_ID = re.compile(r"[^\x00-\x1f\x7f]{1,1024}")
_MAX_EXPIRES = 1e11  # Unix seconds in the year 5138; larger numbers are milliseconds
_LIST = "the list"


class UrlLine(NamedTuple):
    """One entry. `expires_at` is Unix time, None if the list does not state it. `md5` is Base64."""

    path: bytes
    url: SecretUrl
    remote_id: str | None = None
    expires_at: float | None = None
    headers: Mapping[str, Secret] = {}
    method: str = "PUT"
    md5: str | None = None

    def packed(self) -> bytes:
        """Return the entry as one line, without a line end. Holds secrets in clear text."""
        headers = {name: value.reveal() for name, value in self.headers.items()}
        rest = (self.remote_id, self.expires_at, headers, self.method, self.md5)
        return orjson.dumps((base64.b64encode(self.path).decode(), self.url.reveal(), *rest))

    @classmethod
    def unpacked(cls, line: bytes) -> UrlLine:
        """Return the entry of a line that `packed` returned."""
        path, url, remote_id, expires_at, headers, method, md5 = orjson.loads(line)
        secrets = {name: Secret(value) for name, value in headers.items()}
        return cls(base64.b64decode(path), SecretUrl(url), remote_id, expires_at, secrets, method, md5)


def url_line(row: Row) -> UrlLine:
    """Return the entry in a row. Raises ValueError, whose text holds no secret."""
    values = row.values
    return UrlLine(
        path_of(values),
        _url(values.get("url")),
        _remote_id(values.get("id")),
        _expires_at(values.get("expires")),
        _headers(values.get("headers")),
        _method(values.get("method")),
        _md5(values.get("md5")),
    )


def _url(value: Any) -> SecretUrl:
    if value is None or value == "":
        raise ValueError("url is missing")
    if not isinstance(value, str):
        raise ValueError("url: expected text")
    try:
        return upload_url(value.strip(), "", _LIST, "a URL")
    except ProblemError as error:
        fault = error.problem.message.partition("a URL ")[2]
        raise ValueError(f"url: expected an http or https URL, not one {fault}") from error


def _remote_id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError("id: expected 1 to 1,024 characters, none of them a control character")
    return value


def _expires_at(value: Any) -> float | None:
    if value is None:
        return None
    at = None
    if isinstance(value, str):
        at = float(value) if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", value) else unix_time(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        at = float(value)
    if at is None or not 0 < at < _MAX_EXPIRES:
        raise ValueError(f"expires: expected an RFC 3339 time or Unix seconds, not {quote_value(value)}")
    return at


def _headers(value: Any) -> Mapping[str, Secret]:
    if value is None:
        return {}
    if isinstance(value, str):  # a cell of a table
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError('headers: expected a JSON object, such as {"x-ms-blob-type": "BlockBlob"}') from error
    if not isinstance(value, dict):
        raise ValueError('headers: expected an object, such as {"x-ms-blob-type": "BlockBlob"}')
    return {name: _header(name, text) for name, text in value.items()}


def _header(name: str, value: Any) -> Secret:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"headers: {quote_value(name)} is not the name of a header")
    if name.lower() in _OF_THE_SENDER:
        hint = "; use the column md5" if name.lower() == "content-md5" else ""
        raise ValueError(f"headers: {name} is set by bulkup{hint}")
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"headers: the value of {name} must be printable ASCII text")
    return Secret(value)


def _method(value: Any) -> str:
    if value is None:
        return "PUT"
    if not isinstance(value, str) or value.upper() not in _METHODS:
        raise ValueError(f"method: expected {', '.join(_METHODS[:-1])} or {_METHODS[-1]}, not {quote_value(value)}")
    return value.upper()


def _md5(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if re.fullmatch(r"[0-9A-Fa-f]{32}", value):
            return base64.b64encode(bytes.fromhex(value)).decode()
        try:
            if len(base64.b64decode(value, validate=True)) == 16:
                return value
        except (binascii.Error, ValueError):
            pass
    raise ValueError(f"md5: expected 32 hexadecimal digits, or 16 bytes in Base64, not {quote_value(value)}")
