"""Values that a path found in an answer, as the types that are needed."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup.providers.http.json_values import not_found, number_in, pairs_in, said_in


@pytest.mark.parametrize(
    ("found", "number"),
    [
        *[(3, 3.0), (2.5, 2.5), ("3600", 3600.0), (" 7 ", 7.0), ("1e3", 1000.0), (-1, -1.0)],
        *[(True, None), (None, None), ("", None), ("soon", None), ([3], None), ({"s": 3}, None)],
        *[("nan", None), ("inf", None), (float("nan"), None), (10**400, None), ("9" * 400, None)],
    ],
)
def test_a_number_is_finite_and_may_be_written_as_a_text(found: Any, number: float | None) -> None:
    assert number_in(found) == number


@pytest.mark.parametrize(
    "found",
    [
        {"a": "1", "b": 2, "c": 0.5, "d": ["x"]},
        [["a", "1"], ["b", 2], ["c", 0.5], ["d", "x"]],
        ["a: 1", "b:2", " c :0.5", "d: x"],
        [
            {"name": "a", "value": "1"},
            {"key": "b", "value": 2},
            {"Name": "c", "Value": 0.5},
            {"Key": "d", "Value": "x"},
        ],
    ],
    ids=["table", "lists", "texts", "objects"],
)
def test_pairs_have_many_forms(found: Any) -> None:
    assert pairs_in(found) == [("a", "1"), ("b", "2"), ("c", "0.5"), ("d", "x")]


@pytest.mark.parametrize("found", [{}, []], ids=str)
def test_no_pairs_are_pairs(found: Any) -> None:
    assert pairs_in(found) == []


@pytest.mark.parametrize(
    "found",
    [
        *[None, "a", 7, {"a": None}, {"a": True}, {"a": ["x", "y"]}, {"a": {"b": "c"}}],
        *[["a"], [["a"]], [[1, "x"]], [["a", None]], [{"name": "a"}], [{"value": "x"}], [{"name": 1, "value": "x"}]],
        ["a: 1", None],
    ],
    ids=str,
)
def test_values_that_are_no_texts_make_no_pairs(found: Any) -> None:
    assert pairs_in(found) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        *[("no", "no"), (404, "404"), (None, ""), (True, ""), (0.5, ""), ("", ""), ([], ""), ({}, "")],
        *[({"message": "no"}, "no"), ({"detail": {"code": 7}}, ""), ({"message": "", "code": "E7"}, "E7")],
        *[(["no", "never"], "no"), ([{"detail": "no"}], "no"), ([["no"]], "")],
    ],
)
def test_the_text_of_a_message(found: Any, said: str) -> None:
    assert said_in(found) == said


@pytest.mark.parametrize(
    ("found", "text"),
    [
        *[(None, "found nothing"), ("", "found nothing"), (["secret", "b"], "found 2 values, not a text")],
        *[({"url": "secret"}, "found {url: text}, not a text"), (7, "found number, not a text")],
    ],
)
def test_a_message_about_another_value_does_not_repeat_it(found: Any, text: str) -> None:
    assert not_found(found, "a text") == text
