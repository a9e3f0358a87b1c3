"""`bulkup bench` before it starts: its messages, its question, and its errors."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bulkup.cli.bench import _ask
from bulkup.cli.entry import run_command_line
from bulkup.errors import UsageError

TO = "--provider magic-hour --base-url http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKUP_TOKEN", "a-token")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "--provider local"),
        (TO, "add --yes"),
        (f"{TO} --yes --batch-size 100000", "--batch-size: expected whole numbers from 1 to 1000"),
        (f"{TO} --yes --concurrency 4;5", "--concurrency: expected whole numbers from 1 to 1024"),
        (f"{TO} --yes --size big", "--size: expected a size in bytes"),
        (f"{TO} --yes --size 6G", "magic-hour rejects such a file"),
        (f"{TO} --yes --files 0", "--files: expected a whole number from 1 to"),
        (f"{TO} --yes --source gone", "cannot use the source"),
        (f"{TO} --yes --manifest there", "there exists"),
        (f"{TO} --yes --manifest no/ids", "cannot write no/ids"),
        (f"{TO} --yes --rate-limit x", "--rate-limit"),
        ("--provider xvid --yes", "needs pipeline_id"),
    ],
)
def test_errors_are_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, told: str
) -> None:
    """With exit code 2, and nothing is written."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(sys, "argv", ["bulkup", "bench", *arguments.split()])
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run_command_line() == 2
    said = capsys.readouterr()
    assert told in said.err.replace("\n", " ")
    assert said.out == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["there", "tmp"]


def test_the_plan_is_printed_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The amount, the destination, that the files stay there, and the file with their ids."""
    lists = "--files 20 --size 1k --size 3k --concurrency 2,4 --batch-size 10 --manifest ids.jsonl"
    monkeypatch.setattr(sys, "argv", ["bulkup", "bench", *TO.split(), *lists.split()])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run_command_line() == 2
    said = capsys.readouterr().err
    assert "At most 3 trials of 20 files of 1.0 KiB and 3.0 KiB, to magic-hour at http://127.0.0.1:9" in said
    assert "68 files, 136.0 KiB in all" in said
    assert "remain at the service" in said
    assert "ids.jsonl" in said


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_the_answer(monkeypatch: pytest.MonkeyPatch, answer: str, agreed: bool) -> None:
    """Only yes starts the bench."""
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))
    monkeypatch.setattr(sys, "stderr", _Terminal())
    if agreed:
        _ask()
    else:
        with pytest.raises(UsageError, match="nothing was sent"):
            _ask()
