"""Templates of a described service: text with placeholders such as `{path}`. Pure.

A template is parsed, never evaluated: a placeholder is a name in braces, without attributes, indices or formats. `{{`
and `}}` stand for braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from bulkup.helpers.secrets import MASK

EXPECTED = "a template, which is text with placeholders such as {path}"

_TOKEN = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[a-z][a-z0-9_]{0,63})\}|(?P<text>[^{}]+)|(?P<wrong>.)", re.DOTALL)
_SECRET_NAME = re.compile(
    r"auth|token|secret|passw|api[-_]?key|access[-_]?key|cookie|credential|signature|^sig$", re.IGNORECASE
)
_HARMLESS = re.compile(r"[A-Za-z-]{1,16} |[^A-Za-z0-9]*")  # a scheme such as "Bearer ", or punctuation
_QUERY_VALUE = re.compile(r"(?P<name>[?&][^=&]*=)(?P<value>[^&]+)")
_LONGEST = 8192  # characters
_DEEPEST = 16  # tables inside one another
_NUMBERS = (bool, int, float)


class Placeholder(NamedTuple):
    """A name in braces."""

    name: str


class Template:
    """A parsed template. `secret` says that its place holds secrets, so `str()` shows no value written there."""

    __slots__ = ("parts", "secret", "text")

    def __init__(self, text: str, *, secret: bool = False) -> None:
        self.text = text
        self.secret = secret
        self.parts = tuple(_joined(text))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its placeholders, each once, in order."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Placeholder)))

    @property
    def alone(self) -> str | None:
        """The name of its only placeholder if it has nothing else, else None."""
        (part, *more) = self.parts or ("",)
        return part.name if isinstance(part, Placeholder) and not more else None

    def __str__(self) -> str:
        if not self.secret:
            return _QUERY_VALUE.sub(_masked_value, self.text) if "?" in self.text else self.text
        return "".join(
            f"{{{part.name}}}" if isinstance(part, Placeholder) else part if _HARMLESS.fullmatch(part) else MASK
            for part in self.parts
        )

    def __repr__(self) -> str:
        return f"Template({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and (other.text, other.secret) == (self.text, self.secret)

    def __hash__(self) -> int:
        return hash((self.text, self.secret))


def holds_secrets(name: str) -> bool:
    """Return whether a header, field or parameter of this name holds a secret, by its name."""
    return _SECRET_NAME.search(name) is not None


def parse_template(value: object, *, name: str = "") -> Template:
    """Return a template. `name` is that of its header or key, which may hold a secret. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"expected {EXPECTED}")
    if len(value) > _LONGEST:
        raise ValueError(f"expected {EXPECTED}, with at most {_LONGEST} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"expected {EXPECTED}: it is not UTF-8 text") from None
    return Template(value, secret=holds_secrets(name))


def parse_tree(value: object, *, name: str = "", depth: int = 0) -> Any:
    """Return a value of JSON in which each text is a template. Raises ValueError."""
    if depth > _DEEPEST:
        raise ValueError(f"expected at most {_DEEPEST} tables inside one another")
    if isinstance(value, str):
        return parse_template(value, name=name)
    if isinstance(value, dict):
        return {str(key): parse_tree(part, name=str(key), depth=depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [parse_tree(part, name=name, depth=depth + 1) for part in value]
    if isinstance(value, _NUMBERS):
        return value
    raise ValueError("expected text, a number, true, false, a list or a table; write a date as text")


def templates_in(tree: Any) -> Iterator[Template]:
    """Yield the templates of a tree."""
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from templates_in(part)


def _joined(text: str) -> Iterator[str | Placeholder]:
    """Yield the parts of a template; texts between placeholders are in one piece."""
    literal = ""
    for found in _TOKEN.finditer(text):
        if found["name"] is not None:
            if literal:
                yield literal
            literal = ""
            yield Placeholder(found["name"])
        elif found["wrong"] is not None:
            raise ValueError(f"expected {EXPECTED}: {_fault(text, found.start())}")
        else:
            literal += found["brace"][0] if found["brace"] is not None else found["text"]
    if literal:
        yield literal


def _fault(text: str, at: int) -> str:
    """Return why the brace at a position is wrong."""
    inside = re.match(r"\{([^{}]*)\}", text[at:])
    if inside is None:
        return "its braces are not balanced; a brace itself is written {{ or }}"
    if not inside[1]:
        return "a placeholder has a name, and {} has none"
    return "a placeholder is a name in lower case and braces, without . : ! or []"


def _masked_value(found: re.Match[str]) -> str:
    """Return a parameter of a query with its value masked, if its name is that of a secret."""
    if "{" in found["value"] or not holds_secrets(found["name"][1:-1]):
        return found[0]
    return found["name"] + MASK
