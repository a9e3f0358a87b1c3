"""Values in units, read again by systemd's rules: quotes, backslashes, percent signs and variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.schedule.systemd_text import command_line, plain, quoted
from bulkup.errors import UsageError

CHARACTERS = st.characters(blacklist_categories=("Cs", "Cc"))
TEXTS = st.text(CHARACTERS | st.sampled_from("\\\"'%$ {};#!@-:+"), min_size=1, max_size=30)


def words(line: str) -> list[str]:
    """Split a line as systemd.syntax(7) says: quotes around words, escapes with backslashes."""
    found: list[str] = []
    word, quote, escaped = None, "", False
    for char in line:
        if escaped:
            word, escaped = (word or "") + {"\\": "\\", '"': '"', "'": "'", "s": " "}[char], False
        elif char == "\\":
            escaped = True
        elif quote:
            if char == quote:
                quote = ""
            else:
                word = (word or "") + char
        elif char in "\"'" and word is None:
            quote, word = char, ""
        elif char == " ":
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + char
    assert not quote
    assert not escaped
    return found if word is None else [*found, word]


def without_specifiers(text: str) -> str:
    """Replace specifiers as systemd.unit(5) says. Only `%%` may be there."""
    assert "%" not in text.replace("%%", "")
    return text.replace("%%", "%")


def without_variables(text: str) -> str:
    """Replace variables as systemd.service(5) says. Only `$$` may be there."""
    assert "$" not in text.replace("$$", "")
    return text.replace("$$", "$")


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_words_are_read_as_they_were(texts: list[str]) -> None:
    line = " ".join(map(quoted, texts))
    assert [without_specifiers(word) for word in words(line)] == texts


@given(TEXTS, st.lists(TEXTS, max_size=4))
def test_a_command_line_is_read_as_it_was(name: str, arguments: list[str]) -> None:
    program, *others = words(command_line(f"/{name}", *arguments))
    assert without_specifiers(program) == f"/{name}"
    assert [without_variables(without_specifiers(other)) for other in others] == arguments


@given(TEXTS)
def test_a_value_without_quotes_ends_with_its_line(text: str) -> None:
    if text != text.strip() or text.endswith("\\"):
        with pytest.raises(UsageError, match="cannot be written"):
            plain(text)
    else:
        assert without_specifiers(plain(text)) == text


@pytest.mark.parametrize("text", ["a\nExecStart=/bin/sh", "a\tb", "\x00", "\x7f", "\udcff"])
def test_a_line_break_or_a_byte_that_is_not_utf8_is_refused(text: str) -> None:
    """A line break would begin another assignment."""
    for render in (quoted, plain, lambda value: command_line("/bin/true", value)):
        with pytest.raises(UsageError, match="cannot be written into a unit"):
            render(text)
