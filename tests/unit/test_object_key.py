"""The template of object keys: an accepted template can always be filled in, and its keys differ."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config import Settings
from bulkup.config.object_key import PLACEHOLDERS, check_object_key

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
LITERALS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="{}"), max_size=8)
PARTS = st.lists(st.one_of(LITERALS, st.sampled_from(["{{", "}}", *(f"{{{name}}}" for name in PLACEHOLDERS)])))


def accepted(template: str) -> bool:
    try:
        return check_object_key(template) == template
    except ValueError as error:
        return not str(error).startswith("expected a template of text and {path}, {name}, {stem}, {ext}, {date}: ")


@given(PARTS)
def test_text_and_placeholders_in_any_order_are_a_template(parts: Any) -> None:
    template = "".join(parts)
    telling = any(f"{{{name}}}" in parts for name in ("path", "name", "stem"))
    assert accepted(template) is (telling and not {"", ".", ".."}.intersection(template.split("/")))


@given(st.one_of(st.text("{}pathnmesx.!:[]0/ -", max_size=12), st.text(max_size=12)))
def test_an_accepted_template_needs_only_the_placeholders(text: Any) -> None:
    for template in (text, text + "{path}", "{name}" + text):
        if accepted(template):
            filled = template.format(**VALUES)
            assert any(VALUES[name] in filled for name in ("path", "name", "stem"))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "it is empty"),
        (5, "it is not text"),
        ("/{path}", 'begins with "/"'),
        ("a//{path}", "a part between its .* is empty"),
        ("{path}/", "a part between its .* is empty"),
        ("../{path}", "consists only of dots"),
        ("a/./{path}", "consists only of dots"),
        ("a\n{path}", "control character"),
        ("a\x7f{path}", "control character"),
        ("a\x85{path}", "control character"),
        ("\udcff{path}", "not UTF-8"),
        ("{path", "not balanced"),
        ("path}", "not balanced"),
        ("{path}{", "not balanced"),
        ("{", "not balanced"),
        ("{file}", "unknown placeholder"),
        ("{}", "unknown placeholder"),
        ("{0}", "unknown placeholder"),
        ("{path.x}", "unknown placeholder"),
        ("{path[0]}", "unknown placeholder"),
        ("{ path }", "unknown placeholder"),
        ("{path!r}", "nothing else"),
        ("{path:>5}", "nothing else"),
        ("{path:{name}}", "nothing else"),
        ("uploads", "many files would get the same key"),
        ("{date}/{ext}", "many files would get the same key"),
        ("{{path}}", "many files would get the same key"),
    ],
)
def test_an_invalid_template_is_refused_with_the_reason(template: Any, why: Any) -> None:
    with pytest.raises(ValueError, match=why):
        check_object_key(template)


def test_the_default_is_a_template() -> None:
    assert check_object_key(Settings().object_key) == "uploads/{path}"
