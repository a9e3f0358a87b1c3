"""The report as a page: one file without scripts, that loads nothing and may show nothing but its own style.

Every value passes two filters on its way into the page: `printable` makes control characters, surrogates and marks that
change the direction of text visible, and the template engine escapes markup.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from collections.abc import Mapping
from typing import Any

from bulkup.errors import UsageError
from bulkup.reports.run_report.charts import HEIGHT, WIDTH
from bulkup.reports.run_report.page_view import page_view
from bulkup.reports.run_report.run_facts import RunFacts
from bulkup.reports.safe_text import printable

_PACKAGE = "jinja2"
_TEMPLATES = "bulkup.reports.run_report"
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|min|h|d|B|[KMGTPE]iB|files/s)\b)")


def require_jinja2() -> None:
    """Raise `UsageError` if jinja2 is missing."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise UsageError(
            f"a report as HTML needs the package {_PACKAGE}",
            hint="pip install 'bulkup[report]', or choose --format markdown, terminal or json",
        )


def html_report(facts: RunFacts) -> str:
    """Return the page. Raises `UsageError` if jinja2 is missing."""
    require_jinja2()
    import jinja2  # noqa: PLC0415  # of an extra

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    assert environment.loader is not None
    css, _, _ = environment.loader.get_source(environment, "report.css")
    environment.filters["unbroken"] = _unbroken
    environment.globals |= {"height": HEIGHT, "width": WIDTH}
    values: Mapping[str, Any] = {"view": page_view(facts), "css": _Style(css), "policy": _policy(css)}
    return environment.get_template("report.html.j2").render(values)


class _Style(str):
    """Text of bulkup itself, which is not escaped: the engine asks for `__html__`."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _policy(css: str) -> str:
    """Return a content security policy that allows this style and no other content."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _unbroken(sentence: str) -> str:
    """Return a sentence in which no line ends between a number and its unit."""
    return _UNIT.sub("\u00a0", sentence)


def _printable(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
