"""No command prints control characters of file names, services or settings raw on a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from e2e_world import COMMAND, TIMEOUT, TOKEN, Answer, World, answering, environment, run

# A window title, a colour that bulkup never uses, the one-byte form of an escape, reversed text, and a line that looks
# like output of bulkup.
EVIL = "\x1b]0;evil\x07\x1b[35;7m\u009b35;7m\u202e\r\nbulkup: forged\r"
NEVER = ("\x1b]", "\x07", "\x1b[35;7m", "\u009b", "\u202e", "\nbulkup: forged", "\rbulkup: forged")
JSON = {"Content-Type": "application/json"}


def shown(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command whose output and errors go to a terminal, and return the output."""
    master, slave = pty.openpty()
    told: list[bytes] = []

    def listen() -> None:
        with contextlib.suppress(OSError):  # the other end of the terminal is closed
            while block := os.read(master, 1 << 16):
                told.append(block)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        given = environment({"TERM": "xterm-256color", **(env or {})})
        with subprocess.Popen([*COMMAND, *arguments], stdout=slave, stderr=slave, env=given, cwd=cwd) as process:
            os.close(slave)
            process.wait(TIMEOUT)
    finally:
        listener.join(TIMEOUT)
        os.close(master)
    return b"".join(told).decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def harmless(text: str) -> str:
    assert text
    assert "Traceback" not in text, text
    assert [raw for raw in NEVER if raw in text] == [], text
    return text


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with such names. A service accepts two of the files."""
    world = World(tmp_path)
    for name in (f"{EVIL}.mp4", f"a{EVIL}/b.mp4", f"c.{EVIL}"):
        path = world.source / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return world


def refusing(_: str, body: bytes) -> Answer:
    """Answer with a message that contains control characters."""
    del body
    return 403, JSON, json.dumps({"message": EVIL}).encode()


def test_names_of_files(world: World) -> None:
    """The lines of a run, and the tables of the journal. JSON has the characters as escapes, so programs get the exact
    name."""
    names = {str(path.relative_to(world.source)) for path in world.source.rglob("*") if path.is_file()}
    journal = ("--journal", str(world.journal))
    lines = harmless(shown("upload", str(world.source), "--json", "--quiet", *world.local)).splitlines()
    files = [line for line in map(json.loads, lines) if line["event"] == "file"]
    assert {file["path"] for file in files} == {row["path"] for row in world.manifest()} == names
    assert "forged" in harmless(shown("manifest", "--format", "csv", *journal))


@pytest.mark.slow
def test_every_command(world: World) -> None:
    """The log in both forms, the dry run, the summary, and all commands that read the journal."""
    journal = ("--journal", str(world.journal))
    assert "forged" in harmless(shown("upload", str(world.source), "--dry-run", *world.local))
    assert "forged" in harmless(shown("upload", str(world.source), "--dry-run", "--json", *world.local))
    with answering(refusing) as url:
        for form in ("console", "json"):
            options = (*world.to(url), "--attempts", "1", "--log-level", "debug", "--log-format", form)
            assert "forged" in harmless(shown("upload", str(world.source), *options, env=TOKEN))
    harmless(shown("upload", str(world.source), *world.local))
    for command in ("status", "runs", "orphans", "manifest"):
        harmless(shown(command, *journal))
    csv = run("manifest", "--format", "csv", *journal).expect(0).out
    assert EVIL.replace("\r\n", "\n") in csv.replace("\r\n", "\n")  # without a terminal nothing is escaped
