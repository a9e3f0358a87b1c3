"""Types of settings: the values that they take, and those that they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bulkup.config import Settings


@pytest.mark.parametrize(
    ("given", "address"),
    [("203.0.113.7", "203.0.113.7"), (3405803783, "203.0.113.7"), ("3405803783", "203.0.113.7"), (0, "0.0.0.0")],
)
def test_the_address_of_the_uploader(given: Any, address: str) -> None:
    assert Settings(ip=given).ip == address


@pytest.mark.parametrize(
    "given", ["", "2001:db8::7", "203.0.113", "203.0.113.256", "a.example", 2**32, "4294967296", -1, True, 1.5, ["1"]]
)
def test_other_addresses_are_refused(given: Any) -> None:
    with pytest.raises(ValidationError, match="expected an IPv4 address"):
        Settings(ip=given)
