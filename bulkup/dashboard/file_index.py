"""All files of a journal in memory, for lists that are searched, filtered, sorted and paged.

The journal gets no further index, since each one would cost every run. About 130 bytes a file are needed.

Pure.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from bulkup.dashboard.name_search import Names, folded
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.index_rows import FileKey, IndexRow
from bulkup.journal.kept_rejections import shown_reason
from bulkup.model.states import NOT_UPLOADED, FileState

_STATES = tuple(FileState)
_NUMBER = {state: number for number, state in enumerate(_STATES)}
_LARGEST = (1 << 63) - 1
_MOST_TRIES = 0xFFFF
_OTHER = "other reasons"
_UNKNOWN = "no reason was recorded"
SORTS = ("path", "size", "attempts", "reason", "state", "time")


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How an index searches.

    If a list has at most `few` files, their paths are tested one by one; of more, all paths are searched at once. From
    `many` matches on, a list in another order than that of the paths takes the first of all files, and tests these.
    Reasons beyond `most_groups` count as one. Of `remembered` texts of reasons the group is known.
    """

    few: int = 20_000
    many: int = 50_000
    most_groups: int = 1000
    remembered: int = 20_000


_DEFAULTS = IndexOptions()


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """Which files are wanted: a part of their path, states, a group of reasons, a run; and their order.

    `after` is the place of the last file of the page before, as `FilePage.after` gives it.
    """

    text: str = ""
    states: frozenset[FileState] = frozenset()
    group: int | None = None
    run: int | None = None
    sort: str = "path"
    descending: bool = False
    after: tuple[int, int] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class FilePage:
    """A page of files. `after` is the place from which the next one goes on, None at the end."""

    keys: tuple[FileKey, ...]
    after: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """Files of one state with one reason. `key` is one of them, and `example` its own reason."""

    number: int
    state: FileState
    reason: str
    files: int
    size: int
    key: FileKey
    example: str


class FileIndex:
    """Made by `add` for each row in the order of the keys, then `seal`. `alike` removes the details of reasons."""

    def __init__(self, alike: Callable[[str], str], options: IndexOptions = _DEFAULTS) -> None:
        self._alike = alike
        self._options = options
        self._names = Names()
        self._starts: list[tuple[int, int, int]] = []  # number of the first file, destination, source
        self._state = bytearray()
        self._size = array("q")
        self._attempts = array("H")
        self._group = array("H")
        self._time = array("q")
        self._run = array("I")
        self._failed = array("I")
        self._known: dict[str, str] = {}
        self._groups: dict[tuple[FileState, str], int] = {}
        self._examples: list[tuple[FileState, str, int, str]] = []
        self._files_of: Counter[tuple[int, int]] = Counter()  # by group and run
        self._size_of: Counter[tuple[int, int]] = Counter()
        self._ranks = array("H")

    def __len__(self) -> int:
        return len(self._state)

    def add(self, row: IndexRow) -> None:
        """Add the next file."""
        number, key = len(self._state), row.key
        if not self._starts or self._starts[-1][1:] != (key.destination, key.source):
            self._starts.append((number, key.destination, key.source))
        self._names.add(key.path)
        self._state.append(_NUMBER[row.state])
        self._size.append(min(row.size, _LARGEST))
        self._attempts.append(min(row.attempts, _MOST_TRIES))
        self._time.append(int((row.uploaded_at or 0.0) * 1000))
        self._run.append(row.run)
        if row.state not in NOT_UPLOADED:
            self._group.append(0)
            return
        group = self._group_of(number, row)
        self._group.append(group)
        self._failed.append(number)
        self._files_of[group, row.run] += 1
        self._size_of[group, row.run] += row.size

    def seal(self) -> None:
        """End the adding."""
        self._names.seal()
        self._known.clear()
        order = sorted(range(len(self._examples)), key=lambda each: self._examples[each][:2])
        self._ranks = array("H", [0] * (len(order) + 1))
        for rank, each in enumerate(order, start=1):
            self._ranks[each + 1] = rank

    def counts(self) -> dict[FileState, int]:
        """Return the number of files in each state that has some."""
        return {state: count for state in _STATES if (count := self._state.count(_NUMBER[state]))}

    def groups(self, run: int | None = None) -> list[ReasonGroup]:
        """Return the groups of files that were not uploaded, the largest first; with `run`, those that it met last."""
        files, sizes = Counter[int](), Counter[int]()
        for (group, of), count in self._files_of.items():
            if run is None or of == run:
                files[group] += count
                sizes[group] += self._size_of[group, of]
        found = []
        for group, count in files.items():
            state, reason, number, example = self._examples[group - 1]
            found.append(ReasonGroup(group, state, reason, count, sizes[group], self.key(number), example))
        return sorted(found, key=lambda each: (-each.files, each.state, each.reason))

    def group_number(self, state: FileState, reason: str) -> int | None:
        """Return the number of a group in this index."""
        return self._groups.get((state, reason))

    def key(self, number: int) -> FileKey:
        """Return the key of the file with a number."""
        destination, source = next(start[1:] for start in reversed(self._starts) if start[0] <= number)
        return FileKey(destination, source, self._names.path(number))

    def page(self, query: IndexQuery) -> FilePage:
        """Return a page of the files that a query wants. Raises ValueError for an unknown order."""
        if query.sort not in SORTS:
            raise ValueError(query.sort)
        chosen = list(islice(self._in_order(query), query.limit + 1))
        after = chosen[query.limit - 1] if len(chosen) > query.limit else None
        return FilePage(tuple(self.key(number) for _, number in chosen[: query.limit]), after)

    def count(self, query: IndexQuery, most: int) -> int:
        """Return how many files a query wants, at most `most`."""
        return sum(1 for _ in islice(self._wanted(query), most))

    def keys(self, query: IndexQuery, most: int) -> list[FileKey]:
        """Return the keys of all files that a query wants, at most `most`."""
        return [self.key(number) for number in islice(self._wanted(query), most)]

    def _in_order(self, query: IndexQuery) -> Iterator[tuple[int, int]]:
        """Yield rank and number of the files that a query wants, from the place `after` on."""
        after, rank, many = query.after, self._rank(query.sort), self._options.many
        if query.sort == "path" and not query.descending:
            yield from ((0, number) for number in self._wanted(query, first=after[1] + 1 if after is not None else 0))
            return
        numbers = list(islice(self._wanted(query), many))
        if len(numbers) < many or not query.text:
            numbers += islice(self._wanted(query), many, None) if len(numbers) == many else ()
            yield from _first(query, rank, numbers, query.limit + 1)
            return
        # Many files match. Among the first of all files there are usually enough of them; otherwise all are tested.
        every = list(self._wanted(replace(query, text="")))
        contains = self._names.tester(_wanted_text(query))
        for window in (many // 10, len(every)):
            found = [pair for pair in _first(query, rank, every, window) if contains(pair[1])]
            if len(found) > query.limit or window == len(every):
                yield from found
                return

    def _wanted(self, query: IndexQuery, first: int = 0) -> Iterator[int]:
        """Return the numbers of the files that a query wants, in the order of their keys."""
        domain: Sequence[int] = range(first, len(self))
        if query.states and query.states <= frozenset(NOT_UPLOADED):
            domain = self._failed
        found: Iterator[int] = iter(domain)
        text = _wanted_text(query)
        if b"\0" in text:
            return iter(())
        if text and len(domain) <= self._options.few:
            found = filter(self._names.tester(text), found)
        elif text:
            found = self._names.containing(text, first)
        return self._filtered(found, query, first)

    def _filtered(self, found: Iterator[int], query: IndexQuery, first: int) -> Iterator[int]:
        if first:
            found = (number for number in found if number >= first)
        if query.states:
            states, state = frozenset(_NUMBER[each] for each in query.states), self._state
            found = (number for number in found if state[number] in states)
        if query.group is not None:
            wanted, group = query.group, self._group
            found = (number for number in found if group[number] == wanted)
        if query.run is not None:
            of, run = query.run, self._run
            found = (number for number in found if run[number] == of)
        return found

    def _rank(self, sort: str) -> Callable[[int], int]:
        if sort == "reason":
            ranks, group = self._ranks, self._group
            return lambda number: ranks[group[number]]
        columns: dict[str, Any] = {
            "size": self._size,
            "attempts": self._attempts,
            "state": self._state,
            "time": self._time,
        }
        get: Callable[[int], int] = columns[sort].__getitem__ if sort != "path" else lambda _: 0
        return get

    def _group_of(self, number: int, row: IndexRow) -> int:
        error = row.error or _UNKNOWN
        reason = self._known.get(error)
        if reason is None:
            reason = self._alike(shown_reason(error) or _UNKNOWN)
            if len(self._known) < self._options.remembered:
                self._known[error] = reason
        key = row.state, reason
        if key not in self._groups and len(self._groups) >= self._options.most_groups:
            key = row.state, _OTHER
        if key not in self._groups:
            self._groups[key] = len(self._groups) + 1
            self._examples.append((*key, number, shown_reason(error) or _UNKNOWN))
        return self._groups[key]


def _wanted_text(query: IndexQuery) -> bytes:
    return folded(query.text.encode("utf-8", "surrogateescape"))


def _first(
    query: IndexQuery, rank: Callable[[int], int], numbers: Sequence[int], most: int
) -> Sequence[tuple[int, int]]:
    """Return rank and number of the first `most` files in the order of a query, from its place on."""
    pairs: Iterable[tuple[int, int]] = zip(map(rank, numbers), numbers, strict=True)
    if (after := query.after) is not None:
        pairs = filter(after.__gt__ if query.descending else after.__lt__, pairs)
    best = heapq.nlargest if query.descending else heapq.nsmallest
    return best(most, pairs)
