"""The check of asserts, which `make lint` runs over the tests."""

from __future__ import annotations

import pytest
from tools.check_asserts import find_problems


@pytest.mark.parametrize(
    "test",
    [
        "x == 4 if ready else 5",
        "(a if b else c)",
        "True",
        "'text'",
        "f'text {x}'",
        "(x, 'text')",
        "[x]",
        "{'a': x}",
        "(x for x in y)",
        "lambda: False",
        "x or 'text'",
        "x == 1 or (y and z) or 5",
        "not None",
        "not ()",
        "(x := 'text')",
    ],
)
def test_asserts_that_cannot_fail(test: str) -> None:
    """Each is reported with its line."""
    assert [line for line, _ in find_problems(f"\nassert {test}\n")] == [2]


@pytest.mark.parametrize(
    "test",
    [
        "x == (4 if ready else 5)",
        "False",
        "x and 'text'",
        "x or y",
        "not x",
        "[*x]",
        "{**x}",
        "f'{x}'",
        "x.cached is x.cached",
        "[x for x in y]",
        "all(x for x in y)",
    ],
)
def test_asserts_that_can_fail(test: str) -> None:
    """None is reported."""
    assert not list(find_problems(f"assert {test}"))
