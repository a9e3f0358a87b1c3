"""Line numbers of TOML keys."""

import string
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.toml_lines import line_numbers, line_of

TEXT = '''\
# [profiles.comment]
[profiles.nightly]   # a comment with [brackets] and "quotes
provider = "magic-hour"
"base_url" = "https://example.com/#not-a-comment"
source = [
  "/a",  # token = "no key"
  "[profiles.trap]", '/b]',
]
destination = """
token = "inside a string"
[profiles.inside]
one quote more: \\""" ""\"""
'token' = "x"
 exclude = [ "a", [ "nested", ], ]
[profiles."a b"]
concurrency=1
[ profiles . spaced ]
journal . odd = 1
[profiles]
inline = { token = "x", list = [1,
2] }
after = 1
[[tables]]
key = \'\'\'
x = 1\'\'\'
last = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("profiles",), 2),
        (("profiles", "nightly"), 2),
        (("profiles", "nightly", "provider"), 3),
        (("profiles", "nightly", "base_url"), 4),
        (("profiles", "nightly", "source"), 5),
        (("profiles", "nightly", "destination"), 9),
        (("profiles", "nightly", "token"), 13),
        (("profiles", "nightly", "exclude"), 14),
        (("profiles", "a b"), 15),
        (("profiles", "a b", "concurrency"), 16),
        (("profiles", "spaced", "journal", "odd"), 18),
        (("profiles", "inline"), 20),
        (("profiles", "after"), 22),
        (("tables",), 23),
        (("tables", 0, "key"), 24),
        (("tables", 0, "last"), 26),
    ],
)
def test_every_key_is_found_on_its_line(path: Any, line: Any) -> None:
    tomllib.loads(TEXT)
    assert line_numbers(TEXT)[path] == line


def test_text_that_resembles_a_key_is_not_found() -> None:
    found = line_numbers(TEXT)
    assert ("profiles", "trap") not in found
    assert ("profiles", "inside") not in found
    assert ("profiles", "comment") not in found


def test_a_key_of_an_inline_table_is_on_the_line_of_its_table() -> None:
    assert line_of(line_numbers(TEXT), ("profiles", "inline", "token")) == 20


def test_an_absent_key_has_no_line() -> None:
    assert line_of(line_numbers(TEXT), ("other",)) is None


ARRAYS = """\
[[p.n.rules]]
a = 1
[[p.m.rules]]
a = 1
[[p.n.rules]]
a = 1
[p.n.rules.inner]
b = 1
[[p.n.rules.deep]]
c = 1
[[p.n.rules.deep]]
c = 1
[other]
rules = [{ a = 1 }]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("p", "n", "rules"), 1),
        (("p", "n", "rules", 0), 1),
        (("p", "n", "rules", 0, "a"), 2),
        (("p", "m", "rules", 0, "a"), 4),
        (("p", "n", "rules", 1), 5),
        (("p", "n", "rules", 1, "a"), 6),
        (("p", "n", "rules", 1, "inner", "b"), 8),
        (("p", "n", "rules", 1, "deep", 0, "c"), 10),
        (("p", "n", "rules", 1, "deep", 1, "c"), 12),
        (("other", "rules", 0, "a"), 14),
    ],
)
def test_tables_of_an_array_are_told_apart_by_their_numbers(path: Any, line: Any) -> None:
    tomllib.loads(ARRAYS)
    assert line_of(line_numbers(ARRAYS), path) == line


VALUES = st.one_of(
    st.integers().map(str),
    st.text(string.ascii_letters + " #[]=.", max_size=8).map(lambda text: f'"{text}"'),
    st.text(string.ascii_letters + ' #[]="\n', max_size=8).map(lambda text: f"'''{text}'''"),
    st.lists(st.sampled_from(['"]"', "'['", '"#"', "1"]), max_size=3).map(
        lambda items: "[\n" + ",\n".join(items) + "]"
    ),
)


@given(st.lists(VALUES, max_size=6))
def test_values_of_any_form_do_not_confuse_the_search(values: Any) -> None:
    text, expected = "[t]\n", {}
    for number, value in enumerate(values):
        expected[("t", f"key{number}")] = text.count("\n") + 1
        text += f"key{number} = {value} # [x]\n"
    tomllib.loads(text)
    found = line_numbers(text)
    assert {path: line for path, line in found.items() if len(path) == 2} == expected
