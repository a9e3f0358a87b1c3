"""Lists of numbers in the options of `bulkup bench`."""

from __future__ import annotations

import pytest

from bulkup.cli.bench_lists import parse_concurrency, parse_numbers, parse_whole_number
from bulkup.errors import UsageError


def test_lists_of_numbers() -> None:
    """Separated by commas, in order; `auto` only where it is allowed."""
    assert parse_numbers("--batch-size", "25, 100", 100) == (25, 100)
    assert parse_concurrency("--concurrency", "auto,4", 1024) == ("auto", 4)
    assert parse_numbers("--batch-size", None, 100) is parse_concurrency("--concurrency", None, 1024) is None
    assert parse_whole_number("--files", "7", 1, 7) == 7
    for wrong in ("", "0", "101", "-1", "4;5", "4,,5", "auto", "٤", "1e2", "9" * 30):
        with pytest.raises(UsageError, match="from 1 to 100"):
            parse_numbers("--batch-size", wrong, 100)
        with pytest.raises(UsageError, match="from 1 to 100"):
            parse_whole_number("--files", wrong, 1, 100)
