"""Executes the shell blocks of a documentation page in a home of their own, as a reader would.

The home has a few directories of media, a profile `nightly`, and an embedded server behind it. Two things of the pages
are replaced, and put back in the output: paths below /data and /mnt, and the port 8080, which may be in use.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from e2e_world import TIMEOUT, serving, wait_for
from page_blocks import Block, blocks_of

from bulkup.errors import JournalError
from bulkup.journal import Reader
from bulkup.model.states import FileState

HOME = "/home/me"  # how pages show the home
PORT = "8080"
MEDIA = {
    "media": ("clip 1.mp4", "day 1/clip 2.mov", "day 1/cover.png", "day 2/clip 3.mp4", "day 2/voice.wav"),
    "clips": ("intro.mp4", "scenes/one.mp4"),
    "masters": ("one.mp4", "two.mp4"),
    "takes": ("take 1.mp4", "take 2.mov"),
    "avatars": ("face.mp4",),
    "data/media": ("a.mp4", "d/b.png"),
    "data/assets": ("texture.png", "scene.bin"),
    "data/spool": ("cam1/a.mp4", "cam1/b.mp4"),
    "data/uploaded": (),
    "mnt/a": ("a.mp4",),
}
PROFILE = """
[profiles.nightly]
provider = "magic-hour"
base_url = "{url}"
source = ["{home}/data/media"]
token = "local-token"
"""
# A server runs until the end of the page, or until the page starts the next one.
PRELUDE = """
serving() {
  [ ! -f "$PAGE_STATE/server" ] || kill "$(cat "$PAGE_STATE/server")"
  : >"$PAGE_STATE/listening"  # before the server does, which starts in another process
  bulkup serve "$@" >>"$PAGE_STATE/listening" 2>&1 &
  echo $! >"$PAGE_STATE/server"
  until grep -q listening "$PAGE_STATE/listening"; do
    kill -0 $! || { cat "$PAGE_STATE/listening"; exit 1; }
    sleep 0.05
  done
  cat "$PAGE_STATE/listening"
}
[ ! -f "$PAGE_STATE/variables" ] || . "$PAGE_STATE/variables"
cd "$(cat "$PAGE_STATE/folder")"
"""
EPILOGUE = """
export -p >"$PAGE_STATE/variables"
pwd >"$PAGE_STATE/folder"
"""
_ROOTS = re.compile(r"(?<![\w/])(/(?:data|mnt)/)")
_SERVE = re.compile(r"^bulkup serve (?!.*--prune)(.*?)( &)?$", re.MULTILINE)
_LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+ \[.*\n", re.MULTILINE)
_VARYING = (
    (re.compile(r"\b[0-9a-f]{8,32}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "TIME"),
    (re.compile(r"\b\d+:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"[\d.,]+ (files/s|[KMG]?i?B/s|ms|s|min|h)\b"), "N"),
)
_NUMBER = re.compile(r"\d[\d,.]*")


@dataclass
class PageRun:
    """The execution of a page: its home, the server of the profile, and the output of the last block."""

    home: Path
    service: str
    port: int
    output: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def _state(self) -> Path:
        return self.home.parent / "state"

    def block(self, block: Block) -> None:
        """Execute a block, or compare a block of text with the output before it. Note what differs."""
        if "set up" in block.marks:
            self._ran(block.marks["set up"], block)
        if block.is_shell and "not run" not in block.marks:
            code = self._ran(block.text, block)
            if code != (expected := int(block.marks.get("exit code", "0"))):
                self.problems.append(f"{block.place}: exit code {code}, not {expected}:\n{block.text}{self.output}")
        elif "shows" in block.marks and not shown_in(self.output, block.text, how=block.marks["shows"]):
            self.problems.append(f"{block.place}: the page shows\n{block.text}--- and the output is\n{self.output}")

    def _ran(self, script: str, block: Block) -> int:
        text = _ROOTS.sub(rf"{self.home}\1", script).replace(PORT, str(self.port))
        if "script" in block.marks and script == block.text:
            (self._state / "script.sh").write_text(text)
            text = f'sh "$PAGE_STATE/script.sh" {block.marks["script"]}'
        text = _SERVE.sub(r"serving \1", text)
        path = self._state / "block.sh"
        path.write_text(f"set -e\n{PRELUDE}{text}\n{EPILOGUE}")
        with (self._state / "output").open("w+b") as output:
            process = subprocess.Popen(
                ["bash", str(path)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            if "interrupted" in block.marks:
                wait_for(lambda: self._uploaded() > 0)
                os.killpg(process.pid, signal.SIGINT)
            code = process.wait(2 * TIMEOUT)
            output.seek(0)
            said = output.read().decode("utf-8", "replace")
        self.output = said.replace(str(self.home), HOME).replace(str(self.port), PORT)
        return code

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BULKUP_", "XDG_"))}
        home = {"HOME": str(self.home), "PAGE_STATE": str(self._state), "PAGE_SERVICE": self.service}
        return kept | home | {"PATH": path, "COLUMNS": "100"}

    def _uploaded(self) -> int:
        found = 0
        for journal in self.home.rglob("bulkup/*.sqlite3"):
            with contextlib.suppress(JournalError), Reader(str(journal)) as reader:
                found += reader.status().files.get(FileState.UPLOADED, 0)
        return found

    def close(self) -> None:
        """Stop the server of the page."""
        server = self._state / "server"
        if server.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(server.read_text()), signal.SIGTERM)


@contextlib.contextmanager
def page_run(root: Path) -> Iterator[PageRun]:
    """Make a home below `root`, and the server of the profile `nightly`."""
    home = root / "home"
    for folder, names in MEDIA.items():
        (home / folder).mkdir(parents=True)
        for number, name in enumerate(names):
            path = home / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(f"{name} ".encode() * (number + 1) * 100)
    (root / "state").mkdir()
    (root / "state" / "folder").write_text(str(home))
    with serving(root / "service") as url:
        config = home / ".config" / "bulkup" / "bulkup.toml"
        config.parent.mkdir(parents=True)
        config.write_text(PROFILE.format(url=url, home=home))
        run = PageRun(home, url, _free_port())
        try:
            yield run
        finally:
            run.close()


def problems_of(page: Path, root: Path) -> list[str]:
    """Execute a page in a new home. Return the differences from the output that the page shows."""
    with page_run(root) as run:
        for block in blocks_of(page):
            run.block(block)
        return run.problems


def shown_in(output: str, shown: str, *, how: str) -> bool:
    """Return whether the lines of a page are those of the output, without lines of the log.

    A line `...` stands for any number of lines, and `…` for the end of a long line. Ids, times and rates may differ.
    `how` may be `roughly`, by which all numbers may differ, or `end`: the page shows the last lines.
    """
    roughly = how == "roughly"
    left = [_comparable(line, roughly) for line in _LOG_LINE.sub("", output).splitlines()]
    gap = how == "end"
    for line in shown.splitlines():
        if line.strip() == "...":
            gap = True
            continue
        expected = _comparable(line, roughly)
        places = [number for number, real in enumerate(left) if _same(real, expected)]
        if not places or (places[0] > 0 and not gap):
            return False
        left = left[places[0] + 1 :]
        gap = False
    return gap or not any(left)


def _same(real: str, shown: str) -> bool:
    """Return whether a line is the one shown. A line that is too long for the page is cut, with `…` at its end."""
    return real == shown or (shown.endswith("…") and real.startswith(shown[:-1]))


def _comparable(line: str, roughly: bool) -> str:
    for pattern, name in _VARYING:
        line = pattern.sub(name, line)
    return " ".join((_NUMBER.sub("N", line) if roughly else line).split())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
