"""Encodes Xvid's answers (docs/contracts.md section 4) as JSON, or as XML if `format` or `Accept` asks for it.

The service does not document its XML. Here every field is an element of its name, nested as in the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

import orjson

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.xvid.api_errors import invalid_input

# Characters that XML 1.0 cannot contain, not even escaped.
_INVALID_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ESCAPED: Final = {"\r": "&#13;"}  # parsers of XML read a plain carriage return as a line feed
_FORMATS: Final = ("json", "xml")
_BOOLEANS: Final = ("true", "false")


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The format of an answer. `human` adds line breaks and indentation."""

    xml: bool = False
    human: bool = False


def requested_format(parameters: Mapping[str, str], accept: str) -> AnswerFormat:
    """Return the format that a call asks for. `format` wins over the Accept header. Raises XvidError 400."""
    form, human = parameters.get("format"), parameters.get("human", "false")
    if form not in (None, *_FORMATS):
        raise invalid_input("format must be json or xml")
    if human not in _BOOLEANS:
        raise invalid_input("human must be true or false")
    return AnswerFormat(_prefers_xml(accept) if form is None else form == "xml", human == "true")


def encode_answer(body: Mapping[str, Any], answer_format: AnswerFormat) -> tuple[bytes, str]:
    """Return the encoded body and its content type."""
    if not answer_format.xml:
        return orjson.dumps(body, option=orjson.OPT_INDENT_2 if answer_format.human else None), "application/json"
    separator = "\n" if answer_format.human else ""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', *_elements(body, answer_format.human, 0)]
    return separator.join(lines).encode(), "application/xml"


def fits_xml(text: str) -> bool:
    """Return whether XML can contain a text."""
    return not _INVALID_IN_XML.search(text)


def _prefers_xml(accept: str) -> bool:
    accept = accept.lower()
    xml, json = accept.find("application/xml"), accept.find("application/json")
    return xml >= 0 and not 0 <= json < xml


def _elements(body: Mapping[str, Any], human: bool, depth: int) -> Iterator[str]:
    indent = "  " * depth if human else ""
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield f"{indent}<{name}>"
            yield from _elements(value, human, depth + 1)
            yield f"{indent}</{name}>"
        else:
            yield f"{indent}<{name}>{escape(str(value), _ESCAPED)}</{name}>"
