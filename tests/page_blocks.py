"""The fenced blocks of the documentation pages, with the marks that stand before them.

A mark is an HTML comment directly before a block, invisible to readers:

    <!-- not run: needs an account at the service -->   the block is parsed and not executed; the reason is required
    <!-- exit code: 3 -->          the exit code of the block, if it is not 0
    <!-- set up: COMMANDS -->      executed before the block
    <!-- script: ARGUMENTS -->     the block is a script of its own, run with these arguments
    <!-- interrupted -->           SIGINT is sent once a file is uploaded, as by Ctrl-C
    <!-- shows -->                 before a block of text: it is the output of the shell block before it;
                                   `shows: roughly` if its numbers vary, `shows: end` if it is the end
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern))
SHELLS = {"sh", "bash", "shell", "console"}

_BLOCK = re.compile(
    r"(?P<marks>(?:^ *<!--(?:(?!-->).)*-->\s*\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!--\s*(?P<name>[a-z ]+?)\s*(?::\s*(?P<value>.*?))?\s*-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. `marks` has the text after the colon by the name of each mark; `line` is that of the fence."""

    page: str
    line: int
    language: str
    text: str
    marks: Mapping[str, str]

    @property
    def place(self) -> str:
        """Return page and line."""
        return f"{self.page}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Return whether the block has commands."""
        return self.language in SHELLS


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    return parsed(page.read_text("utf-8"), str(page.relative_to(ROOT)))


def parsed(text: str, name: str) -> list[Block]:
    """Return the blocks of a page's text in order."""
    found = []
    for block in _BLOCK.finditer(text):
        indent = len(block["indent"])
        lines = "".join(line[indent:] if line.strip() else line for line in block["text"].splitlines(keepends=True))
        marks = {mark["name"]: mark["value"] or "" for mark in _MARK.finditer(block["marks"])}
        line = text.count("\n", 0, block.end("marks")) + 1
        found.append(Block(name, line, block["language"], lines, marks))
    return found
