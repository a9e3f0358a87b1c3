"""The asset map: a CSV or JSON lines file that gives asset and category of single files.

It may have millions of lines. To save memory, equal assets are stored once, and the line number of a path takes eight
bytes, only while the map is read.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Mapping

from bulkup.config.asset_lines import AssetLine, read_csv_lines, read_json_lines
from bulkup.config.assets import Asset
from bulkup.config.complaints import Complaint, SettingsError
from bulkup.config.list_rows import WrongLine, path_within, quoted_path
from bulkup.config.paths import inside_any
from bulkup.config.value_text import escape_surrogates
from bulkup.helpers.input_files import open_input
from bulkup.helpers.utf8_mode import path_bytes, path_text

SHOWN = 20  # complaints; the others are usually of the same kind

_READERS = {".csv": read_csv_lines, ".jsonl": read_json_lines, ".ndjson": read_json_lines}


def load_asset_map(path: str, root: bytes) -> Mapping[str, Asset]:
    """Return the asset of each file in the map at `path`. Keys are paths relative to `root`, as `path_text` returns.

    Blocks, because it stats every file. Raises SettingsError with all complaints; the first 20 are spelt out.
    """
    reader = _READERS.get(os.path.splitext(path)[1].lower())
    if reader is None:
        what = f"asset_map: expected a file that ends in {', '.join(_READERS)}"
        raise SettingsError([Complaint(escape_surrogates(path), what)])
    if inside_any(path, [root]) is not None:
        what = f"asset_map: is inside the source {escape_surrogates(path_text(root))}, so it would be uploaded with it"
        raise SettingsError([Complaint(escape_surrogates(path), what, "keep it outside the source")])
    loading = _Loading(path, root)
    try:
        with open_input(path, pipes=False) as file:
            for line in reader(file):
                loading.take(line)
    except OSError as error:
        what = f"asset_map: cannot be read: {error.strerror or type(error).__name__}"
        raise SettingsError([Complaint(escape_surrogates(path), what)]) from error
    loading.raise_complaints()
    return loading.assets


class _Loading:
    """The part of the map that has been read."""

    def __init__(self, path: str, root: bytes) -> None:
        self.assets: dict[str, Asset] = {}
        self._path = escape_surrogates(path)
        self._root = root
        self._numbers = array("Q")  # the line of each path, in the order of `assets`
        self._mains: dict[str, int] = {}
        self._shared: dict[Asset, Asset] = {}
        self._complaints: list[Complaint] = []
        self._more = 0

    def take(self, line: AssetLine | WrongLine) -> None:
        """Add one line, or note its error."""
        if isinstance(line, WrongLine):
            self._complain(line)
            return
        try:
            self._add(line)
        except ValueError as error:
            self._complain(WrongLine(line.number, str(error)))

    def raise_complaints(self) -> None:
        """Raise SettingsError if any line was wrong."""
        if self._complaints:
            raise SettingsError(self._complaints, more=self._more)

    def _add(self, line: AssetLine) -> None:
        path = path_text(path_within(self._root, line.path))
        if path in self.assets:
            raise ValueError(f"path {quoted_path(line.path)} is already in line {self._first_line_of(path)}")
        _check_file(self._root, path, line.path)
        self._check_main(line)
        self.assets[path] = self._shared.setdefault(line.asset, line.asset)
        self._numbers.append(line.number)

    def _check_main(self, line: AssetLine) -> None:
        if line.asset.asset_file_category != "MAIN":
            return
        first = self._mains.setdefault(line.asset.asset_id, line.number)
        if first != line.number:
            raise ValueError(
                f"asset {line.asset.asset_id} already has its MAIN in line {first}; an asset has exactly one"
            )

    def _first_line_of(self, path: str) -> int:
        """Return the line of a path. It is a slow search, so it stops once there are enough complaints."""
        if len(self._complaints) >= SHOWN:
            return 0
        index = next(index for index, known in enumerate(self.assets) if known == path)
        return self._numbers[index]

    def _complain(self, wrong: WrongLine) -> None:
        if len(self._complaints) >= SHOWN:
            self._more += 1
        else:
            self._complaints.append(Complaint(f"{self._path}:{wrong.number}", wrong.what, wrong.hint))


def _check_file(root: bytes, path: str, name: bytes) -> None:
    try:
        mode = os.stat(os.path.join(root, path_bytes(path))).st_mode
    except FileNotFoundError as error:
        raise ValueError(f"path {quoted_path(name)} does not exist in {quoted_path(root)}") from error
    except OSError as error:
        raise ValueError(f"path {quoted_path(name)} cannot be checked: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise ValueError(f"path {quoted_path(name)} is not a regular file")
