"""The entries of a URL list, by path.

A list may have millions of lines, so its entries are kept in a temporary file that has no name. In memory are, for each
entry, eight bytes of a hash of its path and its offset in that file, sorted by hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import sys
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import IO

from bulkup.config.complaints import Complaint, SettingsError
from bulkup.config.list_rows import (
    Row,
    WrongLine,
    path_within,
    quoted_path,
    read_csv_rows,
    read_json_rows,
)
from bulkup.config.paths import inside_any
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import UsageError
from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.input_files import STANDARD_INPUT, open_input
from bulkup.helpers.utf8_mode import path_text
from bulkup.model.log_events import LogEvent
from bulkup.providers.urls.url_line import FORM, UrlLine, url_line

_log = EventLogger("bulkup.urls")
_FIRST_UNUSED = 3
_SHOWN = 20  # complaints; the others are usually of the same kind
_READ_AHEAD = 4096  # bytes; longer than nearly every entry
_CSV, _JSON = (".csv",), (".jsonl", ".ndjson")


class UrlList:
    """The entries of a list. Owns a temporary file, until `close`. May be used by several threads.

    `digest` changes with every change of the list.
    """

    def __init__(self, entries: IO[bytes], hashes: Sequence[int], offsets: Sequence[int], digest: str) -> None:
        self._entries = entries
        self._hashes = hashes
        self._offsets = offsets
        self.digest = digest

    def __len__(self) -> int:
        return len(self._offsets)

    def __repr__(self) -> str:
        return f"UrlList({self.digest})"  # a change of the list is a change of the settings

    def get(self, path: bytes) -> UrlLine | None:
        """Return the entry of a path relative to the source, None if there is none. Reads the temporary file."""
        wanted = _hash(path)
        at = bisect_left(self._hashes, wanted)
        while at < len(self._hashes) and self._hashes[at] == wanted:
            entry = _entry_at(self._entries.fileno(), self._offsets[at])
            if entry.path == path:
                return entry
            at += 1
        return None

    def close(self) -> None:
        """Delete the entries."""
        self._entries.close()


def load_url_list(path: str, root: bytes) -> UrlList:
    """Read a list, from standard input if `path` is `-`. Paths in it are relative to `root`, or absolute and below it.

    Blocks. Raises SettingsError with all complaints, of which the first 20 are spelt out, and UsageError if the list
    cannot be read or its entries cannot be kept.
    """
    if path == STANDARD_INPUT:
        file = sys.stdin.buffer
        return _load(file, "standard input", root, csv=_begins_as_table(file))
    suffix = os.path.splitext(path)[1].lower()
    shown = escape_surrogates(path)
    if suffix not in (*_CSV, *_JSON):
        what = f"urls: expected a file that ends in {', '.join((*_CSV, *_JSON))}, or - for standard input"
        raise SettingsError([Complaint(shown, what)])
    if inside_any(path, [root]) is not None:
        what = f"urls: is inside the source {escape_surrogates(path_text(root))}, so it would be uploaded with it"
        raise SettingsError([Complaint(shown, what, "keep it outside the source")])
    try:
        file = open_input(path, pipes=False)
    except OSError as error:
        raise UsageError(f"cannot read the URL list {shown}: {error.strerror or type(error).__name__}") from error
    with file:
        return _load(file, shown, root, csv=suffix in _CSV)


def _load(file: IO[bytes], shown: str, root: bytes, *, csv: bool) -> UrlList:
    read = read_csv_rows if csv else read_json_rows
    with contextlib.ExitStack() as stack:
        try:
            loading = _Loading(shown, root)
            stack.callback(loading.discard)
            for row in read(file, FORM):
                loading.take(row)
            urls = loading.finish()
        except OSError as error:
            message = f"cannot read the URL list {shown}, or keep its entries in a temporary file: {error.strerror}"
            raise UsageError(message, hint="is the disk full? TMPDIR names another folder") from error
        stack.pop_all()
        return urls


def _begins_as_table(file: IO[bytes]) -> bool:
    """Return whether a list without a name is CSV: a line of JSON begins with a brace."""
    peek = getattr(file, "peek", None)
    return peek is None or not peek(1).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


class _Loading:
    """The part of a list that has been read."""

    def __init__(self, shown: str, root: bytes) -> None:
        self._shown = shown
        self._root = root
        self._entries: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # the list owns it
        self._hashes = array("Q")
        self._urls = array("Q")
        self._offsets = array("Q")
        self._numbers = array("Q")
        self._offset = 0
        self._unused = 0
        self._first_unused: list[bytes] = []
        self._digest = hashlib.blake2b(digest_size=8)
        self._wrong: list[WrongLine] = []
        self._more = 0

    def take(self, row: Row | WrongLine) -> None:
        """Add one row, or note its error. Raises OSError."""
        if isinstance(row, WrongLine):
            self._complain(row)
            return
        try:
            entry = url_line(row)
            path = path_within(self._root, entry.path)
        except ValueError as error:
            self._complain(WrongLine(row.number, str(error)))
            return
        line = entry._replace(path=path).packed() + b"\n"
        self._entries.write(line)
        self._digest.update(line)
        self._hashes.append(_hash(path))
        self._urls.append(_hash(entry.url.reveal().encode()))
        self._offsets.append(self._offset)
        self._numbers.append(row.number)
        self._offset += len(line)
        if not os.path.lexists(os.path.join(self._root, path)):
            self._unused += 1
            self._first_unused += [path] if self._unused <= _FIRST_UNUSED else []

    def finish(self) -> UrlList:
        """Return the list. Raises SettingsError if any row was wrong, OSError."""
        self._entries.flush()
        order = sorted(range(len(self._hashes)), key=self._hashes.__getitem__)
        self._complain_of_equals(order, self._hashes, lambda entry: quoted_path(entry.path), "path {}")
        by_url = sorted(range(len(self._urls)), key=self._urls.__getitem__)
        self._complain_of_equals(by_url, self._urls, lambda entry: entry.url.reveal(), "the url")
        if not self._hashes and not self._wrong:
            self._complain(WrongLine(1, "it has no entry"))
        if self._wrong:
            in_order = sorted(self._wrong, key=lambda wrong: wrong.number)
            complaints = [Complaint(f"{self._shown}:{wrong.number}", wrong.what, wrong.hint) for wrong in in_order]
            raise SettingsError(complaints, more=self._more)
        if self._unused:
            first = [path_text(path) for path in self._first_unused]
            _log.warning(LogEvent.LIST_UNUSED, entries=self._unused, first=first)
        hashes = array("Q", (self._hashes[each] for each in order))
        offsets = array("Q", (self._offsets[each] for each in order))
        return UrlList(self._entries, hashes, offsets, self._digest.hexdigest())

    def discard(self) -> None:
        """Delete the entries that were read."""
        self._entries.close()

    def _complain_of_equals(
        self, order: Sequence[int], hashes: Sequence[int], key: Callable[[UrlLine], str], what: str
    ) -> None:
        """Complain of entries with the same key. Entries with the same hash are neighbours in `order`."""
        for before, after in itertools.pairwise(order):
            if hashes[before] != hashes[after]:
                continue
            first, second = (_entry_at(self._entries.fileno(), self._offsets[each]) for each in (before, after))
            if key(first) == key(second):
                text = f"{what.format(key(second))} is already in line {self._numbers[before]}"
                self._complain(WrongLine(self._numbers[after], text))

    def _complain(self, wrong: WrongLine) -> None:
        if len(self._wrong) >= _SHOWN:
            self._more += 1
        else:
            self._wrong.append(wrong)


def _hash(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())


def _entry_at(descriptor: int, offset: int) -> UrlLine:
    line = os.pread(descriptor, _READ_AHEAD, offset)
    while (end := line.find(b"\n")) < 0:
        more = os.pread(descriptor, _READ_AHEAD, offset + len(line))
        if not more:
            raise OSError(0, "the temporary file of the URL list ends early")
        line += more
    return UrlLine.unpacked(line[:end])
