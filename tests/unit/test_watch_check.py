"""Settings that a watch cannot have."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup import Settings
from bulkup.api.watch.watch_check import check_watch
from bulkup.errors import UsageError


@pytest.mark.parametrize(
    "changes",
    [
        {"files_from": "-"},
        {"urls": "list.csv"},
        {"cluster": "local:2"},
        {"max_duration": "1h"},
        {"until": "06:00"},
        {"max_files": 3},
        {"max_bytes": "1M"},
        {"metrics_addr": "127.0.0.1:9000"},
    ],
)
def test_settings_of_a_run_that_ends(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"watch cannot be combined with {next(iter(changes))}") as refused:
        check_watch(Settings(**changes))
    assert refused.value.hint


def test_settings_that_a_watch_can_have() -> None:
    check_watch(Settings(min_age=60.0, order="newest", delete_after_upload=True, max_failures=3))
