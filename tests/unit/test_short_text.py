"""Texts that are shortened."""

from __future__ import annotations

import pytest

from bulkup.helpers.short_text import shortened


@pytest.mark.parametrize(("text", "short"), [("", ""), ("12345", "12345"), ("123456", "1234…"), ("é" * 9, "éééé…")])
def test_a_longer_text_is_cut_and_marked(text: str, short: str) -> None:
    assert shortened(text, 5) == short
