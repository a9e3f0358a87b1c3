"""Patterns in the form of a `.gitignore` file."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from bulkup.helpers.gitignore import Patterns, compile_pattern

# Parts that the library matches as git does: its brackets may match a slash, and `***` the end of a directory.
PARTS = st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b", "*a*b*", "**a", "[ab]", "[!x]b", "a?", "", "\\a", "ab"])
LINES = st.builds(
    lambda negated, parts: negated + "/".join(parts),
    st.sampled_from(["", "", "!"]),
    st.lists(PARTS, min_size=1, max_size=5),
)
PATHS = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(st.text("abx", min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from(["", "", "/"]),
)


def accepted(line: str) -> bool:
    try:
        compile_pattern(line)
    except ValueError:
        return False
    return True


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the expressions that pathspec builds
@given(st.lists(LINES.filter(accepted), min_size=1, max_size=4), PATHS)
def test_the_result_is_that_of_the_library_pathspec(lines: list[str], path: str) -> None:
    """It builds one regular expression for each pattern."""
    assert Patterns(lines).match(path) == GitIgnoreSpec.from_lines(lines, backend="simple").match_file(path)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the expressions that pathspec builds
@given(st.text("ab*?[]!^-\\/ #", max_size=8))
def test_the_same_lines_are_accepted(line: str) -> None:
    """And the same lines match nothing."""
    try:
        theirs = list(GitIgnoreSpec.from_lines([line], backend="simple").patterns)
    except (ValueError, re.error):
        assert not accepted(line)
        return
    assert (compile_pattern(line) is not None) == any(one.include is not None for one in theirs)


@pytest.mark.parametrize(
    ("line", "path", "matches"),
    [
        ("[!a]", "/", False),
        ("a[!b]c", "a/c", False),
        ("a[+-0]c", "a/c", False),
        ("[]a]", "]", True),
        ("[]-a]", "^", True),
        ("[a-]", "-", True),
        ("[[&&|~~]", "&", True),
        ("[\\]", "\\", True),
        ("*.mp4", "line\nbreak/a.mp4", True),
        ("*.mp4", "a.mp4\n", False),
        ("a/**/b", "a/line\nbreak/b", True),
        ("\\!a", "!a", True),
        ("\\#a", "#a", True),
        ("a\\ ", "a ", True),
        ("a ", "a", True),
        (" a", " a", True),
    ],
)
def test_odd_lines_and_names(line: str, path: str, matches: bool) -> None:
    """Brackets never match a slash, and names may hold line breaks."""
    assert Patterns([line]).match(path) is matches


SLOW = {
    "stars": ("*_*_*_*_*_*_*_*.tmp", "_" * 255),
    "stars in a row": ("*" * 200 + "x", "a" * 255),
    "stars and questions": ("*?" * 60 + "x", "a" * 255),
    "stars and brackets": ("*[ab]*[!c]" * 20 + ".tmp", "ab" * 127),
    "any parts": ("a/**/" * 20 + "b", "a/" * 2000 + "a"),
    "any parts at any depth": ("**/a/" * 20 + "**/b/**", "a/" * 2000 + "a"),
    "everything": ("**/*_*_*_*.tmp/" * 10 + "x", ("_" * 200 + "/") * 20 + "y"),
    "a long pattern": ("*a" * 2000, "a" * 255),
}


@pytest.mark.parametrize(("line", "path"), SLOW.values(), ids=SLOW.keys())
def test_no_pattern_takes_long(line: str, path: str) -> None:
    """The longest paths and names of Linux take milliseconds, not hours."""
    patterns = Patterns([line])
    begun = time.process_time()
    patterns.match(path)
    patterns.match(path + "/")
    assert time.process_time() - begun < 1
