"""Makes the pictures of terminals in docs/images anew: `python tests/tools/terminal_images.py docs/images`.

The embedded server takes the files slowly, so that the progress shows something. The SVG files load nothing: rich's own
format names fonts on another host.
"""

from __future__ import annotations

import io
import random
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

from e2e_world import TOKEN, serving  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.terminal_theme import DIMMED_MONOKAI  # noqa: E402
from rich.text import Text  # noqa: E402
from screen import Screen  # noqa: E402
from terminal_world import AtTerminal, at_terminal  # noqa: E402

WIDTH = 100
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
SHOWN = "/data/archive"  # the folder as the pictures show it
PROFILE = """
[profiles.nightly]
provider = "magic-hour"
base_url = "{url}"
source = ["{folder}/media"]
token = "env:BULKUP_TOKEN"
"""


class StyledScreen(Screen):
    """A terminal in memory that also keeps the colours. `styles` has the codes of each cell, by row and column."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.styles: dict[int, dict[int, str]] = {}
        self._style = ""

    def write(self, text: str) -> int:
        end = 0
        for code in _SGR.finditer(text):
            super().write(text[end : code.start()])
            self._style = "" if code[1] in ("", "0") else self._style + code[0]
            end = code.end()
        super().write(text[end:])
        return len(text)

    def _put(self, character: str) -> None:
        super()._put(character)
        self.styles.setdefault(self.row, {})[self.column - 1] = self._style

    def ansi(self, folder: str) -> str:
        """Return the screen with its colours, and with `SHOWN` in place of a folder whose path is as long."""
        assert len(folder) == len(SHOWN), "the lines would be broken elsewhere"
        lines = []
        for number, shown in enumerate(self.rows):
            row = shown.replace(folder, SHOWN)
            styles = self.styles.get(number, {})
            lines.append("".join(f"{styles.get(at, '')}{one}\x1b[0m" for at, one in enumerate(row.rstrip())))
        return "\n".join(lines).rstrip()


def svg_of(ansi: str, title: str) -> str:
    """Return a picture of a terminal as SVG, without addresses of other hosts."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(ansi), highlight=False, soft_wrap=False)
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="bulkup")
    return _FONT.sub("", svg).replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas")


def make_tree(folder: Path) -> None:
    """Write a tree of a few large and many small files, and one that the service refuses."""
    chance = random.Random(7)
    for day in (1, 2):
        (folder / f"day {day}").mkdir(parents=True)
        (folder / f"day {day}" / "camera A interview.mov").write_bytes(chance.randbytes(40 << 20))
        for number in range(400):
            path = folder / f"day {day}" / f"clip {number:03}.mp4"
            path.write_bytes(chance.randbytes(chance.choice((20_000, 60_000, 150_000))))
    (folder / "shot list.docx").write_bytes(b"scene 1\n")


def captured(folder: str, *arguments: str, until: Callable[[AtTerminal], None] | None = None) -> str:
    """Run a command in a folder at a terminal and return its screen, at its end or at the moment `until`."""
    env = {**TOKEN, "HOME": folder, "XDG_STATE_HOME": f"{folder}/state", "PYTHONWARNINGS": "ignore"}
    with at_terminal(*arguments, width=WIDTH, height=40, env=env) as terminal:
        screen = terminal.screen = StyledScreen(WIDTH)
        if until is None:
            terminal.end()
            return screen.ansi(folder)
        until(terminal)
        shown = screen.ansi(folder)
        terminal.type(b"\x03")
        terminal.end()
        return shown


def main() -> None:
    """Write all pictures into the folder that is named."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="", dir="/tmp") as folder:
        root = Path(folder)
        make_tree(root / "media")
        with serving(root / "store") as url:
            config = root / ".config" / "bulkup" / "bulkup.toml"
            config.parent.mkdir(parents=True)
            config.write_text(PROFILE.format(url=url, folder=folder))
            run = ("upload", "--profile", "nightly", "--log-level", "error")
            slow = (*run, "--bwlimit", "12M", "--order", "largest")

            def far(terminal: AtTerminal) -> None:
                terminal.wait_for("left", "38 %")

            write(target, "progress", "bulkup upload --profile nightly", captured(folder, *slow, until=far))
            write(target, "end", "bulkup upload --profile nightly", captured(folder, *run))
        for command in ("failures", "status", "runs"):
            write(
                target,
                command,
                f"bulkup {command} --profile nightly",
                captured(folder, command, "--profile", "nightly"),
            )


def write(target: Path, name: str, title: str, ansi: str) -> None:
    """Write one picture."""
    path = target / f"{name}.svg"
    path.write_text(svg_of(ansi, title), "utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
