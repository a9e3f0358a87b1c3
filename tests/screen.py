"""A terminal in memory: the codes that a live view uses, and a resize that breaks long lines anew, as terminals do."""

from __future__ import annotations

import io
import re

from rich.cells import cell_len

_PIECE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|(.)", re.DOTALL)


class Screen(io.StringIO):
    """Takes text that is written on it. `rows` are those of the terminal; `continued` ones go on in the next row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.rows = [""]
        self.continued = [False]
        self.row = 0
        self.column = 0
        self.cursor = True

    @property
    def text(self) -> list[str]:
        """The rows, joined where a line was broken, without empty ones at the end."""
        lines, begun = list[str](), False
        for row, continued in zip(self.rows, self.continued, strict=True):
            if begun:
                lines[-1] += row
            else:
                lines.append(row)
            begun = continued
        while lines and not lines[-1].strip():
            lines.pop()
        return lines

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for values, command, character in _PIECE.findall(text):
            if command:
                self._obey(values, command)
            elif character == "\r":
                self.column = 0
            elif character == "\n":
                self._next_row(continued=False)
            else:
                self._put(character)
        return len(text)

    def resize(self, width: int) -> None:
        """Change the width. The cursor is at the end of the last line, or in the empty one below it."""
        lines, self.width = self.text, width
        lines += [""] if lines and not self.rows[self.row] else []
        self.rows, self.continued, self.row, self.column = [""], [False], 0, 0
        for number, line in enumerate(lines):
            if number:
                self._next_row(continued=False)
            for character in line:
                self._put(character)

    def _put(self, character: str) -> None:
        if self.column + cell_len(character) > self.width:
            self._next_row(continued=True)
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
        self.column += cell_len(character)

    def _next_row(self, *, continued: bool) -> None:
        self.continued[self.row] = continued
        self.row += 1
        self.column = 0
        if self.row == len(self.rows):
            self.rows.append("")
            self.continued.append(False)

    def _obey(self, values: str, command: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(values or 1))
        elif command == "K":
            assert values == "2"
            self.rows[self.row], self.continued[self.row] = "", False
        elif command in "hl":
            assert values == "?25"
            self.cursor = command == "h"
        else:
            assert command == "m", f"the screen does not know {values}{command}"
