"""The progress of `bulkup upload` at a terminal, and where there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_world import TOKEN, World, run, serving
from terminal_world import AtTerminal, at_terminal

LARGE = "0/interview.mov"


@pytest.fixture(scope="module")
def slow_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a store that takes 64 KiB a second from each file."""
    with serving(tmp_path_factory.mktemp("slow"), "--fault", "slow-body") as url:
        yield url


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a large file and others, which take longer than any test."""
    world = World(tmp_path)
    (world.source / LARGE).parent.mkdir()
    (world.source / LARGE).write_bytes(b"x" * 20 * 1024**2)
    for number in range(2_000):
        (world.source / f"{number:04}.mp4").write_bytes(b"%d" % number * 10_000)
    return world


def upload(world: World, url: str, *options: str) -> list[str]:
    few = ("--concurrency", "4", "--batch-size", "5", "--calls-in-flight", "1", "--grace", "0")
    return ["upload", str(world.source), *world.to(url), *few, *options]


def view(terminal: AtTerminal) -> list[str]:
    """Return the rows of the live view: from its bar to the end."""
    terminal.read_what_is_there()
    rows = terminal.screen.text
    bars = [number for number, row in enumerate(rows) if re.match("[━─]{5}", row)]
    assert len(bars) == 1, rows
    return rows[bars[0] :]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_view_has_all_figures_at_any_width(world: World, slow_store: str, width: int) -> None:
    """The tree is counted, although the scanner is far behind."""
    with at_terminal(*upload(world, slow_store), width=width, env=TOKEN) as terminal:
        terminal.wait_for("0 %")
        terminal.wait_for(" of 2,001 files")
        terminal.wait_for("interview.mov", " %")
        rows = view(terminal)
        assert all(len(row) < width for row in rows)
        text = "\n".join(rows)
        for figure in ("files/s (mean ", "B/s (mean ", "elapsed", "left"):
            assert figure in text
        assert re.search("sending [1-4] files?", text)
        assert "requesting" not in text
        terminal.type(b"\x03")
        assert terminal.end() == 130
        assert "run the same command again to resume" in terminal.output
        assert terminal.has_cursor()


def test_a_terminal_that_is_resized(world: World, slow_store: str) -> None:
    """Nothing of the earlier view is left, and log lines stay."""
    with at_terminal(*upload(world, slow_store), width=120, env=TOKEN) as terminal:
        terminal.wait_for(" of 2,001 files")
        for width in (50, 30, 100):
            terminal.resize(width)
            before = len(terminal.output)
            while len(re.findall("elapsed", terminal.output[before:])) < 2:
                assert terminal.read_what_is_there(0.05)
            assert all(len(row) < width for row in view(terminal))
        assert "run started" in "".join(terminal.screen.text)
        terminal.type(b"\x03")
        assert terminal.end() == 130


def test_ctrl_z_and_fg(world: World, slow_store: str) -> None:
    """The shell gets a cursor and a line of its own, and the view begins anew below."""
    with at_terminal(*upload(world, slow_store), env=TOKEN) as terminal:
        terminal.wait_for(" of 2,001 files")
        terminal.type(b"\x1a")
        terminal.wait_for("the shell has the terminal")
        assert terminal.has_cursor()
        assert terminal.screen.text[-1] == "the shell has the terminal"
        terminal.type(b"\n")
        begun = terminal.screen.text.index("the shell has the terminal")
        while not any("elapsed" in row for row in terminal.screen.text[begun:]):
            assert terminal.read_what_is_there(0.05)
        assert any("elapsed" in row for row in terminal.screen.text[:begun])
        assert not terminal.has_cursor()
        terminal.type(b"\x03")
        assert terminal.end() == 130
        assert terminal.has_cursor()


def test_a_terminal_without_colours(world: World, slow_store: str) -> None:
    """`NO_COLOR` leaves the view, and takes its colours."""
    with at_terminal(*upload(world, slow_store), env={**TOKEN, "NO_COLOR": "1"}) as terminal:
        terminal.wait_for(" of 2,001 files")
        terminal.type(b"\x03")
        assert terminal.end() == 130
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][;m]", terminal.output)
    assert "━" in terminal.output or "─" in terminal.output


def test_a_dumb_terminal_gets_lines(world: World, slow_store: str) -> None:
    """Without any control sequence; the last line is written at the end."""
    with at_terminal(*upload(world, slow_store), env={**TOKEN, "TERM": "dumb"}) as terminal:
        terminal.wait_for("run started")
        terminal.type(b"\x03")
        assert terminal.end() == 130
    assert "\x1b" not in terminal.output
    assert re.search(r"progress: .* of (at least )?[0-9,]+ files, .* elapsed", terminal.output)


def test_the_stages_are_shown_on_request(world: World, slow_store: str) -> None:
    with at_terminal(*upload(world, slow_store, "-v"), env=TOKEN) as terminal:
        terminal.wait_for(" sending", "4 concurrency")
        terminal.type(b"\x03")
        assert terminal.end() == 130


def test_without_a_count_there_is_no_percentage(world: World, slow_store: str) -> None:
    """Before the scan is done."""
    with at_terminal(*upload(world, slow_store, "--no-count"), env=TOKEN) as terminal:
        terminal.wait_for(" of at least ")
        terminal.wait_for("2.", " elapsed")
        first = view(terminal)[0]
        assert "scanning" in first
        assert "%" not in first
        terminal.type(b"\x03")
        assert terminal.end() == 130


def test_the_log_has_the_same_figures(tmp_path: Path) -> None:
    """As JSON with fields, for people in words."""
    world = World(tmp_path)
    world.fill(4)
    done = world.upload(*world.local, "--log-format", "json").expect(0)
    (line,) = [line for line in map(json.loads, done.err.splitlines()) if line["event"] == "progress"]
    assert (line["files"], line["found"], line["percent"], line["total_known"]) == (4, 4, 100, True)
    assert line["text"].startswith("100 %, 4 of 4 files, ")
    said = run("upload", str(world.source), *world.local).expect(0).err
    assert re.search(r"progress: 100 %, 4 of 4 files, .* elapsed\b", said)
