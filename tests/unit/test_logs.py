"""The log."""

from __future__ import annotations

import io
import re
from typing import Literal

import orjson
import pytest
import structlog
from rich.console import Console
from rich.live import Live

from bulkup.helpers.event_logger import EventLogger, log_fields
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.log_events import LogEvent
from bulkup.reports.log_lines import named_line
from bulkup.reports.logs import configure_logging

LOG = EventLogger("bulkup.test")
URL = SecretUrl("https://bucket/key?X-Amz-Signature=hunter2")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def log_everything(log_format: Literal["console", "json"], stream: io.StringIO) -> str:
    configure_logging(log_format, "debug", stream)
    file = FoundFile(Source(b"/d"), b"a", Identity(1, 2, 3, 4, 5))
    token = Secret("hunter2")
    LOG.info("sent\x1b[2J", url=URL, token=token, nested={"t": token}, name="\udcff\u202e", file=file)
    LOG.debug("stumbled", reason=ValueError("bad\x1b[2J\nforged"), seconds=1.5, host=None)
    return stream.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_log_contains_no_secret(log_format: Literal["console", "json"]) -> None:
    text = log_everything(log_format, io.StringIO())
    assert "hunter2" not in text
    assert "https://bucket/key" in text


def test_the_console_log_contains_no_control_characters() -> None:
    text = log_everything("console", io.StringIO())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
    assert "\\x1b[2J" in text
    assert len(text.splitlines()) == 2


def test_the_fields_of_json_lines() -> None:
    first, second = (orjson.loads(line) for line in log_everything("json", io.StringIO()).splitlines())
    assert first["level"] == "info"
    assert first["token"] == "***"
    assert first["name"] == "\ufffd\u202e"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", first["timestamp"])
    assert (second["level"], second["reason"]) == ("debug", "bad\x1b[2J\nforged")


def test_json_lines_have_the_name_of_an_event() -> None:
    """Its sentence is for people."""
    stream = io.StringIO()
    configure_logging("json", stream=stream)
    LOG.warning(LogEvent.STORAGE_PAUSED, seconds=1.5)
    line = orjson.loads(stream.getvalue())
    assert (line["event"], line["seconds"]) == ("storage.paused", 1.5)


def test_the_console_has_the_sentence_of_an_event() -> None:
    """Fields that the sentence shows are not repeated; the others follow it."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    LOG.warning(LogEvent.BENCH_DISK_SKIPPED, reason="gone\x1b[2J", path="a")
    text = stream.getvalue()
    assert "the disk is not measured: gone\\x1b[2J" in text
    assert "path=a" in text
    assert "reason=" not in text
    assert "bench.disk_skipped" not in text


def test_a_terminal_has_colours_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in log_everything("console", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in log_everything("console", Terminal())


def test_a_dumb_terminal_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b[" not in log_everything("console", Terminal())


def test_a_text_that_says_everything_stands_alone() -> None:
    """The console has it without the fields, and JSON has both."""
    stream, lines = io.StringIO(), io.StringIO()
    configure_logging("console", stream=stream)
    LOG.info(LogEvent.PROGRESS, text="42 %, 1 of 3 files", percent=42)
    configure_logging("json", stream=lines)
    LOG.info(LogEvent.PROGRESS, text="42 %, 1 of 3 files", percent=42)
    assert stream.getvalue().rstrip().endswith("progress: 42 %, 1 of 3 files")
    assert orjson.loads(lines.getvalue())["percent"] == 42


def test_events_below_the_level_are_dropped() -> None:
    stream = io.StringIO()
    configure_logging("json", "WARNING", stream)
    LOG.info("no")
    LOG.warning("yes")
    assert [orjson.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]
    with pytest.raises(ValueError, match="loud"):
        configure_logging("json", "loud")


def test_lines_go_above_a_live_view() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=30, height=10, color_system=None)
    configure_logging(console=console)
    with Live("the bar", console=console, auto_refresh=False):
        LOG.info("a long line with [bold]markup[/bold] in it")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "a long line with [bold]markup[/bold] in it" in text
    assert text.index("a long line") < text.rindex("the bar")


@pytest.mark.parametrize("through_console", [True, False])
def test_a_failing_log_stream_raises_nothing(through_console: bool) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    console = Console(file=Full(), width=80) if through_console else None
    configure_logging(stream=Full(), console=console)
    LOG.error("lost")
    LOG.error("lost too")
    assert console is None or console.quiet


def test_the_default_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    LOG.info("hello")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert orjson.loads(captured.err)["event"] == "hello"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize("colors", [False, True])
def test_lines_look_like_those_of_structlog(level: str, colors: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    fields = {"path": "a b", "quoted": "'", "count": 3, "rate": 1.5, "eta": None, "done": True, "host": "x.y"}
    expected = structlog.dev.ConsoleRenderer(colors=colors)(
        None, level, {"timestamp": "now", "level": level, "event": "an event", **fields}
    )
    stream = Terminal() if colors else io.StringIO()
    configure_logging("console", "debug", stream)
    getattr(LOG, level)("an event", **fields)
    assert re.sub(r"\d{4}-\S+Z", "now", stream.getvalue()) == f"{expected}\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_leaves_the_end_of_a_run_to_the_summary(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id of the run is left out too: all lines would have it."""
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal() if terminal else io.StringIO()
    configure_logging(stream=stream)
    with log_fields(run="r1"):
        LOG.info(LogEvent.RUN_STARTED, journal="j", provider="local")
        LOG.error(LogEvent.RUN_FAILED, reason="x", hint="", exit_code=2)
        LOG.warning(LogEvent.FILES_NOT_UPLOADED, files=5, status="rejected", reason="x", first=[])
        LOG.info(LogEvent.RUN_ENDED, outcome="complete", error=None, hint=None)
    text = stream.getvalue()
    assert "run started" in text
    assert "could not start" not in text  # the error itself is printed
    assert ("5 files in all are rejected" in text, "run ended" in text, "run=r1" in text) == (not terminal,) * 3


def test_progress_is_its_text_alone() -> None:
    """Lines that a program may search have the name of the event, and the run."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    LOG.info(LogEvent.PROGRESS, text="50 %", files=3)
    assert stream.getvalue().rstrip().endswith("] progress: 50 %")
    assert named_line("now", "info", LogEvent.PROGRESS, {"text": "50 %", "files": 3, "run": "r"}).endswith(
        "progress: 50 %                 event=progress run=r"
    )
