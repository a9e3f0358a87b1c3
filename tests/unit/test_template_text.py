"""Templates: their grammar, their placeholders, and what is shown of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.template_text import Placeholder, Template, holds_secrets, parse_template, parse_tree, templates_in


def test_text_and_placeholders() -> None:
    """Texts between placeholders are in one piece, with doubled braces as braces."""
    assert Template("a{path}b{{c}}d{size}").parts == ("a", Placeholder("path"), "b{c}d", Placeholder("size"))
    assert Template("{path}/{path}-{id}").names == ("path", "id")


def test_a_placeholder_alone() -> None:
    """It keeps the type of its value."""
    assert Template("{size}").alone == "size"
    assert Template("{size} bytes").alone is None
    assert Template("").alone is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{path", "braces are not balanced"),
        ("path}", "braces are not balanced"),
        ("{}", "{} has none"),
        ("{path.__class__}", "without . : ! or []"),
        ("{path!r}", "without . : ! or []"),
        ("{size:>10}", "without . : ! or []"),
        ("{0}", "without . : ! or []"),
        ("{items[0]}", "without . : ! or []"),
        ("{Path}", "in lower case"),
    ],
)
def test_what_is_no_template(text: str, reason: str) -> None:
    """Nothing of Python's formats is accepted."""
    with pytest.raises(ValueError, match="expected a template") as raised:
        parse_template(text)
    assert reason in str(raised.value)


@pytest.mark.parametrize("value", [1, None, ["{path}"], {"a": 1}, "a" * 9000, "\ud800"])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a template"):
        parse_template(value)


@given(st.text(max_size=60))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    """And a template keeps all of its text."""
    try:
        template = parse_template(text)
    except ValueError:
        return
    shown = "".join(
        f"{{{part.name}}}" if isinstance(part, Placeholder) else part.replace("{", "{{").replace("}", "}}")
        for part in template.parts
    )
    assert shown == text


@given(st.text(alphabet=st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=60))
def test_text_without_braces_is_unchanged(text: str) -> None:
    assert "".join(str(part) for part in parse_template(text).parts) == text


def test_a_tree_keeps_its_values() -> None:
    tree = parse_tree({"a": "{size}", "b": [1, 2.5, True, "x"], "c": {"d": "{path}"}})
    assert tree["b"][:3] == [1, 2.5, True]
    assert [template.text for template in templates_in(tree)] == ["{size}", "x", "{path}"]


def test_a_date_of_toml_is_refused() -> None:
    import datetime as dt

    with pytest.raises(ValueError, match="write a date as text"):
        parse_tree({"a": dt.date(2026, 1, 1)})


def test_a_very_deep_tree_is_refused() -> None:
    tree: Any = "x"
    for _ in range(100):
        tree = [tree]
    with pytest.raises(ValueError, match="inside one another"):
        parse_tree(tree)


@pytest.mark.parametrize("name", ["Authorization", "X-Auth-Token", "x-api-key", "Cookie", "password", "client_secret"])
def test_names_of_secrets(name: str) -> None:
    assert holds_secrets(name)


@pytest.mark.parametrize("name", ["Content-Type", "name", "key", "x-ms-blob-type", "size", "md5"])
def test_names_without_secrets(name: str) -> None:
    assert not holds_secrets(name)


def test_a_secret_that_is_written_out_is_not_shown() -> None:
    """Its scheme is."""
    assert str(parse_template("Bearer abc123", name="Authorization")) == "***"
    assert str(parse_template("Bearer {token}", name="Authorization")) == "Bearer {token}"
    assert str(parse_template("Bearer {token}abc123", name="Authorization")) == "Bearer {token}***"
    assert "abc123" not in repr(parse_template("abc123", name="x-api-key"))


def test_a_signature_in_a_url_is_not_shown() -> None:
    shown = str(parse_template("https://s.example/{path}?sv=2024&sig=abc%2B&token={token}"))
    assert shown == "https://s.example/{path}?sv=2024&sig=***&token={token}"
