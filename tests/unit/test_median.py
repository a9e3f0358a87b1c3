"""The median."""

from __future__ import annotations

import random
import statistics

import pytest

from bulkup.helpers.median import median


@pytest.mark.parametrize("count", range(1, 8))
def test_it_is_that_of_the_standard_library(count: int) -> None:
    values = [random.Random(count).uniform(-5, 5) for _ in range(count)]
    assert median(values) == statistics.median(values)
    assert median(iter([1] * count)) == 1


def test_nothing_has_no_median() -> None:
    with pytest.raises(IndexError):
        median([])
