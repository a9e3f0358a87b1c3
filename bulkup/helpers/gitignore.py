"""Patterns in the form of a `.gitignore` file, matched in linear time.

A regular expression for a whole pattern would backtrack: with several stars, one long name could take hours. Here a
path is matched part by part. Within a part, each text between two stars is searched once, from left to right.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

_ANY_PARTS = "**"
_SPECIAL = re.compile(r"[*?\[\\]")

Part = Callable[[str], object]  # the result is true if a part of a path matches


class Pattern(NamedTuple):
    """A compiled line. `negated` takes paths out of the list again.

    `parts` match the parts of a path one after the other; None stands for any number of them. `whole` is whether the
    pattern may match a file, and not only the content of a directory. `below` is whether it means just what lies
    below. `everything` is whether it matches every path.
    """

    negated: bool
    parts: tuple[Part | None, ...]
    whole: bool
    below: bool
    everything: bool

    def rank(self, names: Sequence[str], is_directory: bool) -> int:
        """Return 2 for a match of the path itself, 1 for a match of a directory that contains it, 0 for none."""
        if self.everything:
            return 2
        if (part := self.at_any_depth) is not None:
            if self.whole and not is_directory and part(names[-1]):
                return 2
            return self.rank_below(part, names if is_directory else names[:-1])
        ends = self._ends(names)
        if self.whole and not is_directory and ends >> len(names):
            return 2
        longest = len(names) + is_directory  # a directory that matches also matches as the one that contains
        if ends & ((1 << longest) - 1):
            return 2 if self.below else 1
        return 0

    @property
    def at_any_depth(self) -> Part | None:
        """The only part of a pattern such as `*.mp4` or `cache/`, None for other patterns. Most are of this kind."""
        if len(self.parts) == 2 and self.parts[0] is None and not self.everything:
            return self.parts[1]
        return None

    def rank_below(self, part: Part, folders: Iterable[str]) -> int:
        """Return the rank of a path by the folders that contain it, for a pattern at any depth."""
        return (2 if self.below else 1) if any(map(part, folders)) else 0

    def _ends(self, names: Sequence[str]) -> int:
        """Return the numbers of parts of the path that the pattern can match, as the bits of an integer."""
        count, ends = len(names), 1
        for part in self.parts:
            # Any number of parts: from the lowest number upwards.
            ends = (2 << count) - (ends & -ends) if part is None else _after(part, names, ends & ((1 << count) - 1))
            if not ends:
                return 0
        return ends


def _after(part: Part, names: Sequence[str], starts: int) -> int:
    """Return the numbers of parts that are matched after one more, from the numbers before."""
    ends = 0
    while starts:
        lowest = starts & -starts
        if part(names[lowest.bit_length() - 1]):
            ends |= lowest << 1
        starts ^= lowest
    return ends


class Patterns:
    """Several lines. The last one that matches decides, as in git. A match of the path itself takes precedence."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Compile the lines. Raises ValueError for a line that is not a pattern."""
        compiled = (compile_pattern(line) for line in lines)
        self._patterns = [pattern for pattern in compiled if pattern is not None][::-1]
        self._at_any_depth = [pattern.at_any_depth for pattern in self._patterns]
        # The folder of the last file and the ranks that it gives. Files of one folder follow one another.
        self._last: tuple[str | None, list[int]] = None, []

    def __len__(self) -> int:
        return len(self._patterns)

    def match(self, path: str) -> bool:
        """Return whether the list has a relative path, with `/` between its parts. A directory ends with `/`."""
        if path.endswith("/"):
            names = path[:-1].split("/")
            return self._decision(pattern.rank(names, True) for pattern in self._patterns)
        folder, _, name = path.rpartition("/")
        last, below = self._last
        if folder != last:
            below = self._ranks_below(folder.split("/") if folder else [])
            self._last = folder, below
        best, found = 0, False
        for pattern, part, rank in zip(self._patterns, self._at_any_depth, below, strict=True):
            if part is None:
                found_rank = pattern.rank(path.split("/"), False)
            else:
                found_rank = 2 if pattern.whole and part(name) else rank
            if found_rank > best:
                best, found = found_rank, not pattern.negated
                if best == 2:  # the highest
                    break
        return found

    def _decision(self, ranks: Iterable[int]) -> bool:
        best, found = 0, False
        for pattern, rank in zip(self._patterns, ranks, strict=True):
            if rank > best:
                best, found = rank, not pattern.negated
        return found

    def _ranks_below(self, folders: Sequence[str]) -> list[int]:
        """Return the rank that the folders of a file give it, for each pattern at any depth."""
        pairs = zip(self._patterns, self._at_any_depth, strict=True)
        return [0 if part is None else pattern.rank_below(part, folders) for pattern, part in pairs]


def compile_pattern(line: str) -> Pattern | None:
    """Return a pattern, None for a line that matches nothing: a comment, an empty line, a bracket without its end.

    Raises ValueError for a backslash at the end, a range that runs backwards, and a `!` alone.
    """
    text = line if line.endswith("\\ ") else line.rstrip()
    if not text or text.startswith("#") or text == "/":
        return None
    negated = text.startswith("!")
    globs = text[negated:].split("/")
    only_directories = not globs[-1]
    globs = _normalized(globs)
    if not globs:
        raise ValueError("a pattern that names nothing")
    if globs == [_ANY_PARTS] and only_directories:
        globs = [_ANY_PARTS, "*", _ANY_PARTS]
    everything = globs in ([_ANY_PARTS], [_ANY_PARTS, "*"])
    trailing = globs[-1] == _ANY_PARTS
    try:
        parts = tuple(None if glob == _ANY_PARTS else _part(glob) for glob in (globs[:-1] if trailing else globs))
    except _UnclosedBracketError:
        return None
    return Pattern(negated, parts, not trailing, trailing and not only_directories, everything)


def _normalized(globs: list[str]) -> list[str]:
    """Return the globs of a path's parts, with `**` where git implies it."""
    if not globs[0]:
        del globs[0]  # a slash at the beginning: relative to the root
    elif (len(globs) == 1 or (len(globs) == 2 and not globs[1])) and globs[0] != _ANY_PARTS:
        globs.insert(0, _ANY_PARTS)  # no slash but the last one: at any depth
    if globs and not globs[-1]:
        globs[-1] = _ANY_PARTS
    return [glob for at, glob in enumerate(globs) if glob != _ANY_PARTS or globs[at - 1 : at] != [_ANY_PARTS]]


class _UnclosedBracketError(Exception):
    """A `[` without `]`."""


def _part(glob: str) -> Part:
    if not _SPECIAL.search(glob):
        return functools.partial(str.__eq__, glob)
    # Atomic groups: the leftmost match of each text is enough, because stars take any length.
    first, *others = _texts(glob)
    if not others:
        return _compiled(first)
    middle = "".join(f"(?>.*?{text})" for text in others[:-1] if text)
    return _compiled(f"{first}{middle}.*{others[-1]}")


def _compiled(expression: str) -> Part:
    try:
        return re.compile(expression, re.DOTALL).fullmatch
    except re.error as error:
        raise ValueError("a range that runs backwards") from error


def _texts(glob: str) -> list[str]:
    """Return the texts between the stars of a glob, as regular expressions."""
    texts, characters = [""], iter(glob)
    for character in characters:
        if character == "*":
            texts.append("")
        elif character == "?":
            texts[-1] += "."
        elif character == "[":
            texts[-1] += _bracket(characters)
        elif character == "\\":
            escaped = next(characters, None)
            if escaped is None:
                raise ValueError("a backslash at the end")
            texts[-1] += re.escape(escaped)
        else:
            texts[-1] += re.escape(character)
    return texts


def _bracket(characters: Iterator[str]) -> str:
    """Return the regular expression for a bracket, whose `[` has been read."""
    content: list[str] = []
    negated = False
    for character in characters:
        if character in "!^" and not content and not negated:
            negated = True
        elif character == "]" and content:
            break
        else:
            content.append(character)
    else:
        raise _UnclosedBracketError
    ranges, at = "", 0
    while at < len(content):
        if content[at + 1 : at + 2] == ["-"] and at + 2 < len(content):
            ranges += f"{re.escape(content[at])}-{re.escape(content[at + 2])}"
            at += 3
        else:
            ranges += re.escape(content[at])
            at += 1
    return f"[{'^' if negated else ''}{ranges}]"
