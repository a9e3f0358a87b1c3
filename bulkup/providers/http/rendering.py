"""Compiles the templates of a description into functions, once for a run. No text is evaluated as code.

Values of the account (settings and secrets) are filled in when a template is compiled, those of a file when it is
rendered. A template that a secret was filled into yields a `Secret`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from bulkup.config.template_text import Placeholder, Template
from bulkup.helpers.secrets import Secret
from bulkup.providers.base import valid_text
from bulkup.providers.http.file_values import FileValues, Get, Value, getter_of

_PATHS = frozenset({"path", "dir"})  # whose slashes separate folders at the service, too
_SAFE_IN_PATH = "-._~!$'()*,;:@"
_PRINTABLE = "".join(chr(code) for code in range(32, 127) if chr(code) != "%")
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")

Render = Callable[[FileValues], str]
RenderTree = Callable[[FileValues], Any]


class DotSegmentError(ValueError):
    """A URL would have a part that is `.` or `..`, which servers and proxies remove."""


class Compiler:
    """Compiles templates for one account. `account` has its settings and secrets by name, `types` those of extensions.

    A name in `dynamic` is a secret whose value is known only when a call is made. `part_size` is that of the parts of a
    file, if the description has one.
    """

    def __init__(
        self,
        account: Mapping[str, str | Secret],
        types: Mapping[str, str],
        dynamic: frozenset[str] = frozenset(),
        part_size: int | None = None,
    ) -> None:
        self._account = account
        self._types = types
        self._dynamic = dynamic
        self._part_size = part_size

    def header(self, template: Template) -> Callable[[FileValues], str | Secret]:
        """Return the function for a header's value. Characters of a file that a header cannot hold are encoded."""
        secret = template.secret or any(self._is_secret(name) for name in template.names)
        render = self._joined([self._part(part, self._header_form(part)) for part in template.parts])
        if callable(render):
            return (lambda values: Secret(render(values))) if secret else render
        constant = Secret(render) if secret else render
        return lambda _values: constant

    def headers(self, templates: Mapping[str, Template]) -> Callable[[FileValues], dict[str, str | Secret]]:
        """Return the function for a table of headers."""
        compiled = [(name, self.header(template)) for name, template in templates.items()]
        return lambda values: {name: render(values) for name, render in compiled}

    def text(self, template: Template) -> Render:
        """Return the function for a text that is valid in JSON."""
        render = self._joined([self._part(part, _for_text) for part in template.parts])
        return render if callable(render) else lambda _values: render

    def tree(self, tree: Any) -> RenderTree:
        """Return the function for a value of JSON. A placeholder that stands alone keeps the type of its value."""
        if isinstance(tree, Template):
            if tree.alone is not None and tree.alone not in self._account:
                return _as_value(
                    getter_of(tree.alone, self._types, self._part_size), dynamic=tree.alone in self._dynamic
                )
            return self.text(tree)
        if isinstance(tree, dict):
            pairs = [(key, self.tree(part)) for key, part in tree.items()]
            return lambda values: {key: render(values) for key, render in pairs}
        if isinstance(tree, list):
            parts = [self.tree(part) for part in tree]
            return lambda values: [render(values) for render in parts]
        return lambda _values: tree

    def url(self, template: Template) -> Render:
        """Return the function for a URL, or a path with a query. Values are escaped for their place in it.

        A value of the account that is a whole part of the query, as in `?{sas}`, is taken unchanged: it is a query.
        """
        parts: list[str | Render] = []
        before = ""
        for at, part in enumerate(template.parts):
            after = template.parts[at + 1] if at + 1 < len(template.parts) else ""
            if isinstance(part, str):
                parts.append(quote(part, safe=_PRINTABLE + "%"))
                before += part
                continue
            in_query = "?" in before
            whole = in_query and before[-1:] in ("?", "&") and (not after or str(after)[:1] == "&")
            parts.append(self._part(part, _escape_for(part.name, in_query=in_query, whole=whole, own=self._account)))
            before += "_"
        render = self._joined(parts)
        if not callable(render):
            return lambda _values: render
        return _without_dot_segments(render)

    def _is_secret(self, name: str) -> bool:
        return name in self._dynamic or isinstance(self._account.get(name), Secret)

    def _header_form(self, part: str | Placeholder) -> Callable[[Value], str]:
        """Return how a value is written in a header: one of the account unchanged, as the user gave it."""
        own = isinstance(part, Placeholder) and (part.name in self._account or part.name in self._dynamic)
        return str if own else _for_header

    def _part(self, part: str | Placeholder, form: Callable[[Value], str]) -> str | Render:
        """Return the text of a part, or the function for it."""
        if isinstance(part, str):
            return part
        if part.name in self._account:
            value = self._account[part.name]
            return form(value.reveal() if isinstance(value, Secret) else value)
        get = getter_of(part.name, self._types, self._part_size)
        if part.name in self._dynamic:
            return lambda values: form(_revealed(get(values)))
        return lambda values: form(get(values))

    @staticmethod
    def _joined(parts: list[str | Render]) -> str | Render:
        """Return one text if no part belongs to a file, else a function."""
        if all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
        if len(parts) == 1 and callable(parts[0]):
            return parts[0]
        return lambda values: "".join([part if isinstance(part, str) else part(values) for part in parts])


def _as_value(get: Get, *, dynamic: bool) -> RenderTree:
    if dynamic:
        return lambda values: _revealed(get(values))

    def value(values: FileValues) -> Any:
        found: Any = get(values)
        return valid_text(found) if isinstance(found, str) and not found.isascii() else found

    return value


def _revealed(value: Any) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _for_text(value: Value) -> str:
    text = str(value)
    return text if text.isascii() else valid_text(text)


def _for_header(value: Value) -> str:
    text = str(value)
    if text.isascii() and text.isprintable() and "%" not in text:
        return text
    return quote(text, safe=_PRINTABLE, errors="surrogateescape")


def _escape_for(name: str, *, in_query: bool, whole: bool, own: Mapping[str, Any]) -> Callable[[Value], str]:
    if name == "base_url" and not in_query:
        return str
    if whole and name in own:
        return lambda value: str(value).removeprefix("?")
    if in_query:
        return lambda value: quote(str(value), safe="", errors="surrogateescape")
    safe = _SAFE_IN_PATH + ("/" if name in _PATHS else "")
    return lambda value: quote(str(value), safe=safe, errors="surrogateescape")


def _without_dot_segments(render: Render) -> Render:
    def checked(values: FileValues) -> str:
        url = render(values)
        if "/." in url and _DOTS.search(url.partition("?")[0]):
            raise DotSegmentError
        return url

    return checked
