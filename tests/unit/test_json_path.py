"""JMESPath expressions: those that are followed without the library, and errors without values."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.json_path import JsonPath, JsonPathError, parse_json_path

NAMES = st.sampled_from(["a", "b", "items", "upload_url"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(names=st.lists(NAMES, min_size=1, max_size=4), value=JSON)
def test_names_are_followed_as_by_the_library(names: list[str], value: Any) -> None:
    path = ".".join(names)
    assert JsonPath(path).find(value) == jmespath.search(path, value)


@pytest.mark.parametrize(
    "text", ["@", "items[0]", "items[*].url", "a || b", "!a", "values(@)", "a == 'x'", '"a-b".c', "length(items)"]
)
def test_other_expressions_are_the_librarys(text: str) -> None:
    value = {"items": [{"url": "u"}], "a": "x", "b": 1, "a-b": {"c": 5}}
    assert JsonPath(text).find(value) == jmespath.search(text, value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("items[", "cannot be read at column"),
        ("a.", "cannot be read at column"),
        ("a ||", "cannot be read at column"),
        ("a['x", "cannot be read at column"),
        ("lenght(items)", 'did you mean "length"?'),
        ("a[?nope(b)]", "no function nope()"),
        ("", "a JMESPath expression"),
        ("  ", "a JMESPath expression"),
        ("a" * 3000, "at most 2048"),
        (5, "a JMESPath expression"),
        ("[" * 2000, "a JMESPath expression"),
    ],
)
def test_wrong_expressions(text: Any, reason: str) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        parse_json_path(text)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("slot-no", """'"slot-no"'"""),
        ("data.upload-url", """'data."upload-url"'"""),
        ("items[0].x-amz-id", """'items[0]."x-amz-id"'"""),
        ("@type", """'"@type"'"""),
        ("$ref", """'"$ref"'"""),
        ("dc:id", """'"dc:id"'"""),
        ("2nd.url", """'"2nd".url'"""),
        ("a-b || c-d", """'"a-b" || "c-d"'"""),
        ('"a-b".c-d', """'"a-b"."c-d"'"""),
        ("items[-1:].up-url", """'items[-1:]."up-url"'"""),
        ("upload url", """'"upload url"'"""),
        ("data.upload url.href", """'data."upload url".href'"""),
        ("items[?a-b == 'x']", r'''"items[?\"a-b\" == 'x']"'''),
    ],
)
def test_keys_that_need_quotes(text: str, quoted: str) -> None:
    """The message has the expression with quotes, as it is written in TOML."""
    with pytest.raises(ValueError, match="expected") as raised:
        parse_json_path(text)
    assert str(raised.value).endswith(f"needs quotes: {quoted}")
    parse_json_path(tomllib.loads(f"path = {quoted}")["path"])


@pytest.mark.parametrize("text", ["items[", "a ||", "a.", "a-b[", "a['x", "{id: }", "lenght(a)"])
def test_quotes_are_not_advised_where_they_do_not_help(text: str) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        parse_json_path(text)
    assert "quotes" not in str(raised.value)


@given(st.text(max_size=30))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        path = parse_json_path(text)
    except ValueError as error:
        assert str(error).startswith("expected ")  # noqa: PT017  # either outcome is right
        return
    try:
        path.find({"a": [1]})
    except JsonPathError as error:
        assert "expression" in str(error)  # noqa: PT017  # the same


def test_an_expression_that_cannot_be_applied_shows_no_value() -> None:
    """The library's own text quotes it."""
    with pytest.raises(JsonPathError) as raised:
        JsonPath("length(a)").find({"a": 12345678})
    assert "12345678" not in str(raised.value)
    assert raised.value.__context__ is None


def test_plain_names_need_no_library() -> None:
    """A run with such a description does not import it."""
    code = (
        "import sys; from bulkup.config.json_path import JsonPath; JsonPath('a.b'); sys.exit('jmespath' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
