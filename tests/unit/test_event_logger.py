"""Loggers of events with fields."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bulkup.helpers.event_logger import EventLogger, render_with


@pytest.fixture(autouse=True)
def _reset() -> None:
    structlog.reset_defaults()


def test_a_program_receives_the_lines_through_structlog() -> None:
    log = EventLogger("bulkup.test")
    with capture_logs() as lines:
        log.debug("a", count=1)
        log.info("b")
        log.warning("c", reason="full")
        log.error("d")
    assert lines == [
        {"event": "a", "count": 1, "log_level": "debug"},
        {"event": "b", "log_level": "info"},
        {"event": "c", "reason": "full", "log_level": "warning"},
        {"event": "d", "log_level": "error"},
    ]


def test_a_function_receives_the_lines_instead() -> None:
    lines: list[Any] = []
    render_with(lambda *line: lines.append(line))
    with capture_logs() as others:
        EventLogger("bulkup.test").warning("c", reason="full")
    assert lines == [("warning", "c", {"reason": "full"})]
    assert others == []


_SCRIPT = """
import sys
from bulkup.helpers.event_logger import EventLogger
log = EventLogger("bulkup.test")
assert "structlog" not in sys.modules
{configure}
log.info("hello", count=1)
assert "structlog" in sys.modules
"""


@pytest.mark.parametrize(
    ("configure", "stream"),
    [
        ("", "stderr"),  # standard output belongs to the program
        ("import structlog; structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stdout))", "stdout"),
    ],
    ids=["not configured", "configured"],
)
def test_the_program_chooses_where_lines_go(configure: str, stream: str) -> None:
    script = _SCRIPT.format(configure=configure)
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    assert "hello" in getattr(done, stream)
    assert getattr(done, other) == ""
