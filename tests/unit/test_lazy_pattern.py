"""Patterns that are compiled at their first use."""

from __future__ import annotations

import re

import pytest

from bulkup.helpers.lazy_pattern import lazy_pattern


def test_a_pattern_behaves_like_a_compiled_one() -> None:
    pattern = lazy_pattern(r"(?P<word>[a-z]+)-(\d+)", re.IGNORECASE)
    for _ in range(2):
        found = pattern.fullmatch("Ab-12")
        assert found is not None
        assert found["word"] == "Ab"
    assert pattern.sub("x", "a-1 b-2") == "x x"
    assert pattern.pattern == r"(?P<word>[a-z]+)-(\d+)"
    assert pattern.groups == 2
    assert [found[2] for found in pattern.finditer("a-1 b-2")] == ["1", "2"]


def test_bytes_are_searched_with_a_pattern_of_bytes() -> None:
    assert lazy_pattern(rb"<a>").search(b"x<a>") is not None


def test_a_wrong_expression_is_an_error_at_its_first_use() -> None:
    pattern = lazy_pattern("(")
    with pytest.raises(re.error):
        pattern.match("")


def test_an_unknown_attribute_is_an_error() -> None:
    with pytest.raises(AttributeError):
        lazy_pattern("a").missing  # type: ignore[attr-defined]  # noqa: B018  # the access is the test
