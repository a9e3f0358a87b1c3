"""Numbers, sizes and durations for people."""

from __future__ import annotations

import pytest

from bulkup.reports.formatting import count_text, duration_text, rate_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.7, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (999.9 * 1024**2, "999.9 MiB"),
        (1010.9 * 1024**2, "1.0 GiB"),
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
