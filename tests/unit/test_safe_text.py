"""Text from outside is safe to print on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.reports.safe_text import printable, printable_path

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NASTY = "\x1b\x9b\x00\n\r\ta[]/\\\udcff" + BIDI
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(st.sampled_from(NASTY))


@given(ANY_TEXT)
def test_no_control_character_is_left(text: str) -> None:
    shown = printable(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in BIDI for c in shown)
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b", r"\x9b"),
        ("\u202egpj", r"\u202egpj"),
        ("\udcff\ud800", r"\xff\ud800"),
        ("Zoë 日本 👩\u200d👧", "Zoë 日本 👩\u200d👧"),
    ],
)
def test_the_form_of_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_path_that_is_not_utf8_shows_its_bytes() -> None:
    assert printable_path(b"a\xff\x1b/\xc3\xa4") == r"a\xff\x1b/ä"
