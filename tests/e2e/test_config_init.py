"""`bulkup config init`: the questions on a terminal, and the form without questions."""

from __future__ import annotations

import os
import pty
import subprocess
import tomllib
from pathlib import Path

import pytest
from e2e_world import COMMAND, Ended, environment, run

PLAIN = ["--provider", "magic-hour", "--set", "token=env:MAGIC_HOUR_KEY", "--no-ask"]


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def init(tmp_path: Path, *arguments: str) -> Ended:
    return run("config", "init", *arguments, env=folders(tmp_path), cwd=tmp_path, stdin=subprocess.DEVNULL)


def folders(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "none")}


def profiles(path: Path) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads(path.read_text())["profiles"]
    return found


def test_options_alone_write_a_profile(tmp_path: Path, media: Path) -> None:
    done = init(tmp_path, "nightly", *PLAIN, "--source", "media", "--set", "exclude=*.tmp", "--config", "x.toml")
    assert done.code == 0, done
    assert profiles(tmp_path / "x.toml") == {
        "nightly": {
            "provider": "magic-hour",
            "source": [str(media)],
            "token": "env:MAGIC_HOUR_KEY",
            "exclude": ["*.tmp"],
        }
    }
    assert (tmp_path / "x.toml").stat().st_mode & 0o077 == 0
    assert "MAGIC_HOUR_KEY" in done.out  # the variable is not set yet
    assert "bulkup upload --profile nightly --config x.toml --dry-run" in done.out


def test_paths_are_those_of_the_current_folder(tmp_path: Path, media: Path) -> None:
    """The file may lie in another one."""
    (tmp_path / "conf").mkdir()
    given = ("--provider", "local", "--source", "media", "--set", "store=kept", "--set", "exclude_from=a", "--no-ask")
    assert init(tmp_path, "nightly", *given, "--config", "conf/x.toml").code == 0
    written = profiles(tmp_path / "conf" / "x.toml")["nightly"]
    assert isinstance(written, dict)
    assert (written["store"], written["exclude_from"]) == (str(tmp_path / "kept"), [str(tmp_path / "a")])


def test_a_file_keeps_what_it_has(tmp_path: Path, media: Path) -> None:
    (tmp_path / "bulkup.toml").write_text("# mine\n[profiles.other]\nattempts = 3\n")
    assert init(tmp_path, "nightly", *PLAIN, "--source", str(media), "--config", "bulkup.toml").code == 0
    assert (
        (tmp_path / "bulkup.toml")
        .read_text()
        .startswith("# mine\n[profiles.other]\nattempts = 3\n\n[profiles.nightly]\n")
    )
    again = init(tmp_path, "nightly", *PLAIN, "--source", str(media), "--config", "bulkup.toml")
    assert (again.code, 'has a profile "nightly" already' in again.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-ask"], "without an answer to: provider, source"),
        (["--provider", "magic-hour", "--source", "media", "--no-ask"], "add --set token=..."),
        (["--provider", "s3", "--source", "media", "--no-ask"], "add --set bucket=..."),
        (["--provider", "magik", "--source", "media", "--no-ask"], "provider: expected"),
        (["--provider", "http", "--source", "media", "--no-ask"], "bulkup provider new"),
        ([*PLAIN, "--source", "media", "--set", "attempts=none"], "attempts: expected"),
        ([*PLAIN, "--source", "media", "--set", "atempts=3"], 'did you mean "attempts"?'),
        ([*PLAIN, "--source", "media", "--set", "attempts"], "--set NAME=VALUE"),
        (
            ["--provider", "magic-hour", "--source", "media", "--set", "token=hunter2", "--no-ask"],
            "token would be written",
        ),
        (["a.b", *PLAIN, "--source", "media"], "no name for a profile"),
    ],
)
def test_mistakes_write_nothing(tmp_path: Path, media: Path, arguments: list[str], message: str) -> None:
    done = init(tmp_path, *arguments, "--config", "x.toml")
    assert (done.code, message in done.err, "hunter2" in done.err) == (2, True, False), done.err
    assert not (tmp_path / "x.toml").exists()


def test_questions_on_a_terminal(tmp_path: Path, media: Path) -> None:
    answers = [
        "nightly",
        "magik",
        "magic-hour",
        "missing",
        str(media),
        "hunter2",
        "env:",
        "env:MAGIC_HOUR_KEY",
        "",
        "y",
        "y",
    ]
    shown = _on_a_terminal(tmp_path, answers)
    assert profiles(tmp_path / "bulkup.toml") == {
        "nightly": {
            "provider": "magic-hour",
            "source": [str(media)],
            "token": "env:MAGIC_HOUR_KEY",
            "min_age": "5m",
            "unsupported": "skip",
        }
    }, shown
    assert "missing does not exist" in shown


def test_nothing_is_written_without_a_yes(tmp_path: Path, media: Path) -> None:
    shown = _on_a_terminal(tmp_path, ["nightly", "local", str(media), "", "y", "n"])
    assert "not confirmed; nothing was written" in shown
    assert not (tmp_path / "bulkup.toml").exists()


def _on_a_terminal(tmp_path: Path, answers: list[str]) -> str:
    """Give the answers, which the terminal keeps until they are read, and return what was shown."""
    leader, follower = pty.openpty()
    env = environment({"TERM": "dumb", **folders(tmp_path)})
    command = [*COMMAND, "config", "init", "--config", "bulkup.toml"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdin=follower, stdout=follower, stderr=follower) as child:
        os.close(follower)
        os.write(leader, "".join(f"{answer}\n" for answer in answers).encode())
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:  # Linux reports the end of a terminal so
            pass
        child.wait(60)
    os.close(leader)
    return shown.decode()
