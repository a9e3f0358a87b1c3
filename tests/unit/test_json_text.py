"""JSON text is valid and contains no secrets."""

from __future__ import annotations

import base64
import enum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ExitCode
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Place
from bulkup.model.states import FileState
from bulkup.reports.json_text import dumps, path_fields, public_remote_id, public_state, time_text

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NASTY = "\x1b\x9b\x00\n\r\ta[]/\\\udcff" + BIDI
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(st.sampled_from(NASTY))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_json_is_valid_for_any_value(value: Any) -> None:
    line = dumps(value)
    orjson.loads(line)
    assert b"\n" not in line


@given(st.text(max_size=30))
def test_json_keeps_unicode_text(text: str) -> None:
    assert orjson.loads(dumps({"a": text})) == {"a": text}


def test_json_contains_no_secret() -> None:
    line = dumps({"t": Secret("hunter2"), "u": [SecretUrl("https://h/p?sig=hunter2")], "s": "\udcff"})
    assert orjson.loads(line) == {"t": "***", "u": ["https://h/p?***"], "s": "\ufffd"}


def test_unknown_values_become_text() -> None:
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
def test_the_exact_path_can_be_restored(path: bytes) -> None:
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
def test_public_states_and_ids(state: FileState) -> None:
    internal = state in {FileState.ASKED, FileState.TICKETED, FileState.STORED}
    assert public_state(state) == ("pending" if internal else state.value)
    held = state in {FileState.UPLOADED, FileState.UNVERIFIED}
    assert public_remote_id(state, "id") == ("id" if held else None)
