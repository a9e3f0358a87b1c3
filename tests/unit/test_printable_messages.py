"""The messages about settings and arguments are safe to print, with any characters in them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bulkup.cli.entry import run_command_line
from bulkup.cli.error_report import printable_lines, report_error
from bulkup.errors import UsageError
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

EVIL = "\x1b]0;evil\x07\x1b[35;7m\u009b35;7m\u202e\r\nbulkup: forged\r"
NEVER = ("\x1b]", "\x07", "\x1b[35;7m", "\u009b", "\u202e", "\nbulkup: forged", "\rbulkup: forged")
PROFILE = json.dumps(EVIL)  # the escapes of JSON are those of TOML
CONFIG = f"""
[profiles.{PROFILE}]
provider = "xvid"
source = {PROFILE}
exclude = [{PROFILE}]
object_key = "a"
token = "env:X"
pipeline_id = {PROFILE}

[profiles.p]
provider = "magic-hour"
source = {PROFILE}
exclude = [{PROFILE}]
token = "x"
"""


@pytest.mark.parametrize(
    "arguments",
    [
        "config show --profile p --config FILE",
        "config show --json --profile p --config FILE",
        "config show --profile EVIL --config FILE",
        "config check --config FILE",
        "status --profile EVIL --config FILE",
        "status --journal DIR/EVIL",
        "runs --journal DIR/EVIL",
        "upload DIR/EVIL- --provider local",
        "upload --profile EVILx --config FILE",
        "upload DIR --provider EVIL",
        "upload DIR --concurrency EVIL",
        "upload DIR --allowed-hosts EVIL --provider local",
        "upload --EVIL",
        "--EVIL",
        "EVIL",
        "demo DIR/EVIL-",
        "schedule status --profile EVIL",
        "schedule show --profile EVIL --config FILE --at 02:00 --name x --kind cron",
        "schedule show --profile p --config FILE --at EVIL",
        "schedule show --profile p --config DIR/EVIL --at 02:00 --kind cron",
    ],
)
def test_messages_about_settings_and_arguments_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str
) -> None:
    """Names of profiles, patterns, paths, options and commands, as values and in errors."""
    file = tmp_path / "bulkup.toml"
    file.write_text(CONFIG)
    words = {"FILE": str(file), "DIR": str(tmp_path), "EVIL": EVIL}
    given = arguments.split()
    for word, meant in words.items():
        given = [one.replace(word, meant) for one in given]
    monkeypatch.setattr(sys, "argv", ["bulkup", *given])
    monkeypatch.setenv("FORCE_COLOR", "1")  # otherwise rich removes the control characters itself
    run_command_line()
    sys.stdout.flush()
    said = "".join(capfd.readouterr())
    assert "forged" in said
    assert [raw for raw in NEVER if raw in said] == [], said


def test_no_line_of_a_message_looks_like_another_message(capsys: pytest.CaptureFixture[str]) -> None:
    """All lines after the first are indented."""
    report_error(UsageError("a\nbulkup: forged\n  b", hint="c\nbulkup: forged"), as_json=False)
    assert capsys.readouterr().err == "bulkup: a\n  bulkup: forged\n  b\n  c\n  bulkup: forged\n"
    assert printable_lines("\x1b\u202e") == "\\x1b\\u202e"


def test_json_is_exact_and_has_no_control_characters() -> None:
    """Every Unicode character survives."""
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x11000))))
    text = dumps({every: [every]}).decode()
    assert json.loads(text) == {every: [every]}
    assert printable(text) == text
