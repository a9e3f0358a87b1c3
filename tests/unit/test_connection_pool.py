"""How long an idle connection is kept."""

from __future__ import annotations

import pytest

from bulkup.transport.lean.connection_pool import keep_alive_seconds

SECONDS = {
    "timeout=5": 4,
    "timeout=5, max=9": 4,
    "Timeout = 1": 0.5,
    "timeout=0": 0,
    'timeout="7"': 6,
    # Without a usable timeout, the default applies.
    "": 60,
    "max=3": 60,
    "timeout=x": 60,
    "timeout=999999999": 60,
}


@pytest.mark.parametrize(("header", "seconds"), SECONDS.items())
def test_a_connection_is_kept_for_a_little_less_than_the_servers_time(header: str, seconds: float) -> None:
    assert keep_alive_seconds(header) == seconds
