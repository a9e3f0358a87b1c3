"""Loggers of events with fields."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import capture_logs

from bulkup.helpers.event_logger import EventLogger, log_fields, render_with
from bulkup.helpers.secrets import Secret

LOG = EventLogger("bulkup.test")


@pytest.fixture(autouse=True)
def _reset() -> None:
    structlog.reset_defaults()


def test_a_program_receives_the_lines_through_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "bulkup"):
        LOG.debug("a", count=1)
        LOG.warning("b", reason="disk full\x1b[2J", token=Secret("hunter2"))
    first, second = caplog.records
    assert (first.name, first.levelname, first.getMessage()) == ("bulkup.test", "DEBUG", "a count=1")
    assert (first.event, first.fields) == ("a", {"count": 1})  # type: ignore[attr-defined]  # set by the logger
    assert second.getMessage() == r"b reason='disk full\x1b[2J' token=***"
    assert first.filename == "test_event_logger.py"


def test_the_level_of_a_logger_decides(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "bulkup"):
        LOG.info("a")
        LOG.error("b")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_program_that_uses_structlog_receives_the_lines_through_it() -> None:
    with capture_logs() as lines:
        LOG.debug("a", count=1)
        LOG.info("b")
        LOG.warning("c", reason="full")
        LOG.error("d")
    assert lines == [
        {"event": "a", "count": 1, "log_level": "debug"},
        {"event": "b", "log_level": "info"},
        {"event": "c", "reason": "full", "log_level": "warning"},
        {"event": "d", "log_level": "error"},
    ]


def test_a_function_receives_the_lines_instead(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[Any] = []
    render_with(lambda *line: lines.append(line))
    with capture_logs() as others:
        LOG.warning("c", reason="full")
    assert lines == [("warning", "c", {"reason": "full"})]
    assert others == []
    assert caplog.records == []


async def test_lines_of_a_context_share_fields() -> None:
    """Those of tasks and threads that are started in it too. Two contexts at the same time do not meet."""
    lines: list[tuple[str, Any]] = []
    render_with(lambda _, event, fields: lines.append((event, dict(fields))))

    async def run(name: str) -> None:
        with log_fields(run=name):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(log_in_task, name)
                await anyio.to_thread.run_sync(LOG.info, f"thread {name}")

    async def log_in_task(name: str) -> None:
        await anyio.sleep(0)
        LOG.info(*[f"task {name}"], count=1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "one")
        tasks.start_soon(run, "two")
    LOG.info("outside")
    assert sorted(lines, key=lambda line: line[0]) == [
        ("outside", {}),
        ("task one", {"run": "one", "count": 1}),
        ("task two", {"run": "two", "count": 1}),
        ("thread one", {"run": "one"}),
        ("thread two", {"run": "two"}),
    ]


_SCRIPT = """
import sys
from bulkup.helpers.event_logger import EventLogger
{configure}
EventLogger("bulkup.test").warning("hello", count=1)
assert "structlog" not in sys.modules
"""


@pytest.mark.parametrize(
    ("configure", "expected"),
    [
        ("", ""),
        ("import logging; logging.basicConfig(stream=sys.stderr)", "WARNING:bulkup.test:hello count=1\n"),
    ],
    ids=["not configured", "configured"],
)
def test_the_program_decides_whether_there_is_a_log(configure: str, expected: str) -> None:
    """The process is not configured by the library, and nothing is printed by default."""
    script = _SCRIPT.format(configure=configure)
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", expected)


def test_handlers_of_the_program_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    logger, own = logging.getLogger("bulkup"), logging.NullHandler()
    before = list(logger.handlers)
    logger.handlers[:] = [own]
    try:
        LOG.info("a")
        assert logger.handlers == [own]
    finally:
        logger.handlers[:] = before
