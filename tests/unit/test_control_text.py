"""The state of a run as lines for people."""

from __future__ import annotations

from typing import Any

import pytest
from made_progress import HALF

from bulkup.api.control.progress_message import progress_object
from bulkup.cli.control_text import control_lines, end_line
from bulkup.errors import UsageError

LIMITS: dict[str, Any] = {"concurrency": "auto", "bwlimit": "2M", "bytes_per_second": 2 * 1024**2}


def test_a_run_with_limits() -> None:
    found = {**progress_object(HALF), "profile": "night\x1b", "pid": 7, "limits": {**LIMITS, "until": "06:00"}}
    first, second, third = control_lines(found)
    assert first == "Run r1 of profile night\\x1b: running (process 7)"
    assert second.startswith("  42 %, 21,400 of 50,991 files")
    assert third == "  concurrency auto (64 now), bwlimit 2M (2.0 MiB/s now), until 06:00"


def test_a_paused_run_without_limits() -> None:
    limits = {"concurrency": 8, "bwlimit": None, "bytes_per_second": None}
    lines = control_lines({**progress_object(HALF), "state": "paused", "limits": limits})
    assert lines[0] == "Run r1: paused (process unknown)"
    assert ", paused, " in lines[1]
    assert lines[2] == "  concurrency 8, no bwlimit"


def test_the_answer_of_another_version() -> None:
    with pytest.raises(UsageError, match="another version"):
        control_lines({"run": 1})


def test_the_end() -> None:
    assert end_line(0) == "The run has ended: complete (exit code 0)."
