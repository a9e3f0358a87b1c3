"""The kinds of value a setting can hold: pydantic types that take text from any layer and check it at load.

Every ValueError raised here begins with "expected" and does not repeat the value; `explain` adds it where
that is safe.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, ValidationInfo

from bulkup.config.base_url import EXPECTED, normalise_base_url
from bulkup.config.expiry import Expiry, parse_expiry
from bulkup.config.host_names import EXPECTED as A_HOST
from bulkup.config.host_names import normalise_host
from bulkup.config.object_key import check_object_key
from bulkup.config.secret_source import SecretSource
from bulkup.config.units import parse_duration, parse_size
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret

IDENTIFIER_FORM = r"^[A-Za-z0-9_-]{1,64}$"
IDENTIFIER = "1 to 64 letters, digits, _ or -"
HEADER_TEXT = "1 to 64 printable ASCII characters, without a space at either end"

_LONGEST_SHOWN = 80  # characters of a wrong value


def setting(default: Any, expects: str, description: str, **limits: Any) -> Any:
    """Declare one setting. `expects` completes the sentence "expected ..." in errors and in the
    documentation."""
    return Field(default=default, description=description, json_schema_extra={"expects": expects}, **limits)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")
    return value


def _path(value: Any) -> str:
    """Take text, bytes and path objects. Bytes that are not UTF-8 stay as surrogates, as `os.fsdecode` makes
    them."""
    if not isinstance(value, str | bytes | os.PathLike):
        raise ValueError("expected a path")
    path = os.fsdecode(value)
    if not path or "\0" in path:
        raise ValueError("expected a path; it is empty or holds a NUL")
    return path


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a pattern in gitignore form")
    import pathspec  # noqa: PLC0415  # few runs have patterns, and all would wait for it

    try:
        compiled = list(pathspec.GitIgnoreSpec.from_lines([value]).patterns)
    except (ValueError, re.error) as error:  # a range that runs backwards is found by the regular expression alone
        raise ValueError("expected patterns in gitignore form; one is not") from error
    if not any(pattern.include is not None for pattern in compiled):
        raise ValueError("expected patterns in gitignore form; one is empty, a comment, or can match nothing")
    return value


def _many(value: Any) -> Any:
    """A single value stands for a list of one."""
    return (value,) if isinstance(value, str | bytes | os.PathLike) else value


def _base_url(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {EXPECTED}")
    return normalise_base_url(value)


def _host(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {A_HOST}")
    return normalise_host(value)


def _secret(value: Any, info: ValidationInfo) -> SecretSource:
    setting = info.field_name or "secret"
    if isinstance(value, SecretSource):
        return value
    if isinstance(value, Secret):
        return SecretSource(setting, "literal", value)
    if not isinstance(value, str):
        raise ValueError("expected text")
    return SecretSource.parse(setting, value)


def _expiry(value: Any) -> Expiry:
    return parse_expiry(value, SystemClock().now())


def printable(text: str) -> str:
    """Return text that every terminal, log and JSON reader can take; what is no character is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(value: Any) -> str:
    """Return a wrong value as a message repeats it: printable, and cut where it is long."""
    text = printable(repr(value))
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


# Plain validators, because pydantic's own text type refuses names that are not UTF-8.
_PRINTABLE = PlainSerializer(printable, return_type=str, when_used="json")
PathText = Annotated[str, PlainValidator(_path), _PRINTABLE]
Pattern = Annotated[str, PlainValidator(_pattern), _PRINTABLE]
Paths = Annotated[tuple[PathText, ...], BeforeValidator(_many)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_many)]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]
Identifier = Annotated[str, Field(pattern=IDENTIFIER_FORM)]
HeaderText = Annotated[str, Field(pattern=r"^[!-~]([ -~]{0,62}[!-~])?$")]
BaseUrl = Annotated[str, PlainValidator(_base_url)]
Hosts = Annotated[tuple[Annotated[str, PlainValidator(_host)], ...], BeforeValidator(_many)]
Count = Annotated[int, BeforeValidator(_number)]
Concurrency = Annotated[Literal["auto"] | Annotated[int, Field(ge=1, le=1024)], BeforeValidator(_number)]
Processes = Annotated[Literal["auto"] | Annotated[int, Field(ge=1, le=64)], BeforeValidator(_number)]
Rate = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
ObjectKey = Annotated[str, PlainValidator(check_object_key)]
_READABLE = PlainSerializer(str, return_type=str, when_used="json")
ExpiryTime = Annotated[Expiry, PlainValidator(_expiry), _READABLE]
SecretText = Annotated[SecretSource, PlainValidator(_secret), _READABLE]
