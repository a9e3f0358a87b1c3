"""The block of a schedule in a crontab: other lines stay, and the shell gets each word as it was."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from schedule_jobs import job

from bulkup.cli.schedule.cron_block import block_text, find_block, with_block, without_block
from bulkup.cli.schedule.schedule_times import parse_times
from bulkup.cli.schedule.scheduled_job import read_mark
from bulkup.errors import UsageError

OTHERS = b'MAILTO=""\n# a comment \xff\r\n*/5 * * * * /bin/true % input\n\n@reboot x\n'
WORDS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("%\\'\" $`"), min_size=1, max_size=20
)


def commands(block: str) -> list[tuple[str, str]]:
    """Return the fields and the command of each line, as cron reads them: `%` would end the command."""
    lines = [line for line in block.splitlines() if not line.startswith("#")]
    found = []
    for line in lines:
        *fields, command = line.split(" ", 5)
        read = command.replace("\\%", "\0")
        assert "%" not in read
        found.append((" ".join(fields), read.replace("\0", "%")))
    return found


def upload_in(command: str) -> str:
    """Return the upload in a command, whose output is kept until its end."""
    assert command.startswith("OUTPUT=$(")
    return command.removeprefix("OUTPUT=$(").rpartition(" 2>&1) || ")[0]


def test_a_line_for_each_time() -> None:
    block = block_text(job(times=parse_times(["02:00", "14:30"], "Mon-Fri")))
    words = "HOME=/home/u /opt/bulkup upload --profile nightly --config /home/u/bulkup.toml --log-level warning"
    assert [(fields, upload_in(command)) for fields, command in commands(block)] == [
        ("0 2 * * 1-5", words),
        ("30 14 * * 1-5", words),
    ]


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_the_shell_gets_each_word_as_it_was(words: list[str], value: str) -> None:
    ((_, command),) = commands(block_text(job(command=tuple(words), environment={"HOME": value})))
    assert shlex.split(upload_in(command)) == [f"HOME={value}", *words, "--log-level", "warning"]


@pytest.mark.parametrize(
    ("code", "printed"), [(0, ""), (6, ""), (1, "a line\nand %s another\nexit code 1\n"), (143, "exit code 143\n")]
)
def test_only_a_bad_night_prints_its_output(tmp_path: Path, code: int, printed: str) -> None:
    """What is printed, cron sends as a mail."""
    program = tmp_path / "a program"
    program.write_text(f"#!/bin/sh\necho a line; echo 'and %s another' >&2; exit {code}\n")
    program.chmod(0o755)
    ((_, command),) = commands(block_text(job(command=(str(program),))))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.endswith(printed)
    assert (done.stdout == "", done.stderr) == (printed == "", "")


def test_a_block_can_be_read_again() -> None:
    one = job(profile="a--b \\ ü")
    mark = read_mark(block_text(one).encode())
    assert mark is not None
    assert (mark.profile, mark.config, mark.at, mark.weekdays) == (one.profile, one.config, ("02:00",), "Mon-Sun")


@given(st.binary(max_size=200), st.sampled_from(["nightly", "a.b-c_d"]))
def test_removing_a_block_leaves_the_other_lines_byte_for_byte(before: bytes, name: str) -> None:
    assume(b"BEGIN bulkup" not in before)
    before = before and before + b"\n"
    added = with_block(before, name, block_text(job(name=name)).encode())
    assert added.startswith(before)
    assert without_block(added, name) == before
    assert without_block(added, "other") == added


def test_a_block_is_replaced_in_its_place() -> None:
    first = block_text(job()).encode()
    second = block_text(job(times=parse_times(["03:00"], None))).encode()
    other = block_text(job(name="nightly2")).encode()
    crontab = with_block(with_block(OTHERS, "nightly", first), "nightly2", other) + b"# after\n"
    assert with_block(crontab, "nightly", second) == OTHERS + second + other + b"# after\n"
    assert without_block(crontab, "nightly") == OTHERS + other + b"# after\n"


def test_a_last_line_without_an_end_gets_one() -> None:
    block = block_text(job()).encode()
    assert with_block(b"@reboot x", "nightly", block) == b"@reboot x\n" + block


def test_a_block_without_its_end_is_not_guessed() -> None:
    begun = OTHERS + b"# BEGIN bulkup schedule nightly\n0 2 * * * x\n"
    with pytest.raises(UsageError, match="no line") as caught:
        with_block(begun, "nightly", b"")
    assert "crontab -e" in caught.value.hint
    with pytest.raises(UsageError, match="no line"):
        without_block(begun, "nightly")
    assert find_block(b"# END bulkup schedule nightly\n", "nightly") is None


@pytest.mark.parametrize(
    "changes",
    [{"command": ("/a\n* * * * * /bin/sh",)}, {"environment": {"HOME": "/\udcff"}}, {"command": ("x" * 1000,)}],
    ids=["line break", "not UTF-8", "too long"],
)
def test_what_a_crontab_cannot_contain_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        block_text(job(**changes))
    assert caught.value.hint


def test_cron_cannot_have_a_watch() -> None:
    with pytest.raises(UsageError, match="cannot keep a watch running") as raised:
        block_text(job(times=None))
    assert "--kind systemd or launchd" in raised.value.hint
