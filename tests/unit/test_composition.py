"""The options of a run, from the settings and the provider."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup import Settings
from bulkup.api import composition
from bulkup.config.description_parsing import parse_description
from bulkup.providers import ProviderConfig, create

GROUPS = {
    "batch_size": 50,
    "presign": {"path": "/", "item": {"n": "{name}"}, "body": ["{items}"]},
    "answer": {"url": "u"},
}
CONFIRM = {"confirm": {"path": "/{id}"}}


@pytest.mark.parametrize(
    ("table", "calls_in_flight", "calls", "closing_calls"),
    [
        ({**GROUPS, **CONFIRM}, None, 4, 32),
        ({**GROUPS, **CONFIRM}, 8, 8, 32),
        ({**GROUPS, **CONFIRM}, 64, 64, 64),
        ({**GROUPS, **CONFIRM}, 2, 2, 2),
        (GROUPS, None, 4, 4),
    ],
)
def test_closing_calls_at_a_time(
    table: dict[str, Any], calls_in_flight: int | None, calls: int, closing_calls: int
) -> None:
    """A few groups are many files, and each has a closing call. A setting below the default limits both."""
    settings = Settings(provider="http", calls_in_flight=calls_in_flight)
    config = ProviderConfig("https://api.example", {}, {"http": parse_description(table), "confirm": True})
    options = composition.pipeline_options(settings, create("http", config), composition.scan_options(settings))
    assert (options.calls_in_flight, options.most_closing_calls) == (calls, closing_calls)
