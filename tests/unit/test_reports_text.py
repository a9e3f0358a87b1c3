"""Text and JSON made of what others named: file names, servers' messages."""

from __future__ import annotations

import base64
import enum
import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Span, Text

from bulkup.errors import ExitCode
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Place
from bulkup.model.states import FileState
from bulkup.reports.formatting import count_text, duration_text, rate_text, size_text
from bulkup.reports.json_text import dumps, path_fields, public_remote_id, public_state, time_text
from bulkup.reports.safe_text import markup_safe, printable, printable_path

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NASTY = "\x1b\x9b\x00\n\r\ta[]/\\\udcff" + BIDI
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(st.sampled_from(NASTY))


@given(ANY_TEXT)
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
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
def test_what_escapes_look_like(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_nothing_in_a_name_acts_as_markup(text: str) -> None:
    rendered = Text.from_markup(f"[bold]{markup_safe(text)}[/bold]!", emoji=False)
    assert rendered.plain.replace("\\", "") == f"{printable(text)}!".replace("\\", "")
    assert rendered.spans in ([], [Span(0, len(rendered) - 1, "bold")])


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", "[@click=x]", "\\", "\\\\", "\\\\\\", "\\[red]"])
def test_names_that_look_like_markup(name: str) -> None:
    assert Text.from_markup(f"[bold]{markup_safe(name)}[/bold]").plain == name


def test_a_path_that_is_not_utf8_shows_its_bytes() -> None:
    assert printable_path(b"a\xff\x1b/\xc3\xa4") == r"a\xff\x1b/ä"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_json_is_valid_whatever_goes_in(value: Any) -> None:
    line = dumps(value)
    orjson.loads(line)
    assert b"\n" not in line


@given(st.text(max_size=30))
def test_json_keeps_text_that_is_unicode(text: str) -> None:
    assert orjson.loads(dumps({"a": text})) == {"a": text}


def test_json_shows_no_secret() -> None:
    line = dumps({"t": Secret("hunter2"), "u": [SecretUrl("https://h/p?sig=hunter2")], "s": "\udcff"})
    assert orjson.loads(line) == {"t": "***", "u": ["https://h/p?***"], "s": "\ufffd"}


def test_json_shows_unknown_values_as_text() -> None:
    class Colour(enum.Enum):
        RED = "red"

    value = {"d": Place("x"), "c": Colour.RED, "n": 2**70, "e": ExitCode.OK, "bad": "\ud800"}
    assert orjson.loads(dumps(value)) == {
        "d": str(Place("x")),
        "c": "red",
        "n": str(2**70),
        "e": 0,
        "bad": "\ufffd",
    }


@given(st.binary(max_size=40))
def test_the_exact_path_can_always_be_had(path: bytes) -> None:
    fields = path_fields("path", path)
    text, exact = fields["path"], fields.get("path_b64")
    assert text is not None
    assert (text.encode() if exact is None else base64.b64decode(exact)) == path
    assert path_fields("path", None) == {"path": None}


def test_times_are_rfc3339() -> None:
    assert time_text(0.0) == "1970-01-01T00:00:00.000Z"
    assert time_text(1_700_000_000.123) == "2023-11-14T22:13:20.123Z"
    assert time_text(None) is None
    assert time_text(1e18) is None
    assert time_text(float("nan")) is None


@pytest.mark.parametrize("state", list(FileState))
def test_states_as_users_know_them(state: FileState) -> None:
    internal = state in {FileState.ASKED, FileState.TICKETED, FileState.STORED}
    assert public_state(state) == ("pending" if internal else state.value)
    held = state in {FileState.UPLOADED, FileState.UNVERIFIED}
    assert public_remote_id(state, "id") == ("id" if held else None)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.7, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1.5 * 1024**3, "1.5 GiB"),
        (5 * 1024**6, "5.0 EiB"),
        (1024**7, "1,024.0 EiB"),
    ],
)
def test_sizes_are_binary(size: float, text: str) -> None:
    assert size_text(size) == text
    assert rate_text(size) == f"{text}/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
        (273600, "3 d 04 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_counts() -> None:
    assert count_text(1, "file") == "1 file"
    assert count_text(10_000_000, "file") == "10,000,000 files"
    assert count_text(1234) == "1,234"
