"""Lists of files are searched, filtered, sorted and paged as a slow list would be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.dashboard.file_index import SORTS, FileIndex, IndexOptions, IndexQuery
from bulkup.dashboard.name_search import folded
from bulkup.journal.index_rows import FileKey, IndexRow
from bulkup.model.states import NOT_UPLOADED, FileState

MISSED = frozenset(NOT_UPLOADED)


def row(number: int, state: FileState = FileState.UPLOADED, **values: Any) -> IndexRow:
    plain = IndexRow(FileKey(1, 1, f"{number:04}.jpg".encode()), state, 10, 1, None, None, 1)
    return plain._replace(**values)


def index(rows: list[IndexRow], options: IndexOptions | None = None) -> FileIndex:
    found = FileIndex(lambda reason: reason.rstrip("0123456789"), options or IndexOptions())
    for one in rows:
        found.add(one)
    found.seal()
    return found


ROWS = st.lists(
    st.tuples(
        st.sampled_from([FileState.UPLOADED, FileState.FAILED, FileState.REJECTED]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(1, 3),
        st.sampled_from(["no 1", "no 2", "other"]),
        st.sampled_from("abc"),
    ),
    max_size=60,
)


def made(values: list[tuple[FileState, int, int, int, str, str]]) -> list[IndexRow]:
    return [
        IndexRow(
            FileKey(1, 1 + (number > 30), f"{number:03}{letter}".encode()),
            state,
            size,
            attempts,
            reason if state in MISSED else None,
            None if state in MISSED else float(size),
            run,
        )
        for number, (state, size, attempts, run, reason, letter) in enumerate(values)
    ]


def slow(rows: list[IndexRow], query: IndexQuery, group: str | None) -> list[FileKey]:
    def wanted(one: IndexRow) -> bool:
        return (
            (not query.text or folded(query.text.encode()) in folded(one.key.path))
            and (not query.states or one.state in query.states)
            and (query.run is None or one.run == query.run)
            and (group is None or ((one.error or "").rstrip("0123456789") == group and one.state is FileState.FAILED))
        )

    def rank(one: IndexRow) -> object:
        reason = (one.state, (one.error or "").rstrip("0123456789")) if one.state in MISSED else ("", "")
        ranks = {
            "path": 0,
            "size": one.size,
            "attempts": one.attempts,
            "time": one.uploaded_at or 0,
            "reason": reason,
            "state": list(FileState).index(one.state),
        }
        return ranks[query.sort]

    numbered = [(rank(one), number, one.key) for number, one in enumerate(rows) if wanted(one)]
    return [key for *_, key in sorted(numbered, reverse=query.descending)]


@given(
    ROWS,
    st.sampled_from(SORTS),
    st.booleans(),
    st.sampled_from(["", "a", "0", "B"]),
    st.sampled_from([frozenset[FileState](), MISSED, frozenset({FileState.UPLOADED})]),
    st.sampled_from([None, 2]),
    st.sampled_from([None, "no "]),
)
def test_pages_together_are_what_a_slow_list_has(
    values: list[tuple[FileState, int, int, int, str, str]],
    sort: str,
    descending: bool,
    text: str,
    states: frozenset[FileState],
    run: int | None,
    group: str | None,
) -> None:
    rows = made(values)
    searched = index(rows, IndexOptions(few=30))
    number = searched.group_number(FileState.FAILED, group) if group is not None else None
    if group is not None and number is None:
        return
    query = IndexQuery(text, states, number, run, sort, descending, limit=7)
    found: list[FileKey] = []
    while True:
        page = searched.page(query)
        assert len(page.keys) <= 7
        found += page.keys
        if page.after is None:
            break
        query = replace(query, after=page.after)
    expected = slow(rows, query, group)
    assert found == expected
    assert searched.count(query, 1000) == len(expected)
    assert sorted(searched.keys(query, 1000)) == sorted(expected)


def test_a_common_text_in_another_order() -> None:
    """Of very many matches, the first files of all are looked at, and then the others."""
    rows = [row(number, size=number % 10) for number in range(300)]
    searched = index(rows, IndexOptions(many=20))
    for text in ("jpg", "1.jpg", "0"):
        query = IndexQuery(text=text, sort="size", descending=True, limit=15)
        expected = slow(rows, query, None)
        first = searched.page(query)
        assert list(first.keys) == expected[:15]
        assert list(searched.page(replace(query, after=first.after)).keys) == expected[15:30]


def test_groups_join_reasons_that_differ_in_details() -> None:
    rows = [
        row(1, FileState.FAILED, error="no place 17", size=5),
        row(2, FileState.FAILED, error="no place 18", size=6, run=2),
        row(3, FileState.UNREADABLE, error=None),
        row(4),
    ]
    searched = index(rows)
    groups = [(one.state, one.reason, one.files, one.size, one.example) for one in searched.groups()]
    assert groups == [
        (FileState.FAILED, "no place ", 2, 11, "no place 17"),
        (FileState.UNREADABLE, "no reason was recorded", 1, 10, "no reason was recorded"),
    ]
    assert [(one.reason, one.files) for one in searched.groups(2)] == [("no place ", 1)]
    assert searched.counts() == {FileState.UPLOADED: 1, FileState.FAILED: 2, FileState.UNREADABLE: 1}


def test_further_reasons_are_one_group() -> None:
    rows = [row(number, FileState.FAILED, error=f"{name} broke") for number, name in enumerate("abcd")]
    assert [(one.reason, one.files) for one in index(rows, IndexOptions(most_groups=2)).groups()] == [
        ("other reasons", 2),
        ("a broke", 1),
        ("b broke", 1),
    ]


def test_figures_beyond_their_columns_are_cut() -> None:
    searched = index([row(1, size=1 << 70, attempts=1 << 20), row(2, size=3)])
    assert [key.path for key in searched.page(IndexQuery(sort="size")).keys] == [b"0002.jpg", b"0001.jpg"]


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        index([]).page(IndexQuery(sort="colour"))
