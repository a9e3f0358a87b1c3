"""The search for paths by a part of them finds what a slow one finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.dashboard.name_search import BLOCK, Names, folded

PATHS = st.lists(st.text(alphabet="aAbBéÉ/.", max_size=8).map(str.encode), max_size=40)
WANTED = st.text(alphabet="abé/.", min_size=1, max_size=3).map(str.encode)


def names(paths: list[bytes]) -> Names:
    found = Names()
    for path in paths:
        found.add(path)
    found.seal()
    return found


@given(PATHS, WANTED, st.integers(0, 45))
def test_it_finds_what_a_slow_search_finds(paths: list[bytes], wanted: bytes, first: int) -> None:
    searched = names(paths)
    slow = [number for number, path in enumerate(paths) if wanted in folded(path)]
    assert list(searched.containing(wanted, first)) == [number for number in slow if number >= first]
    assert [number for number in range(len(paths)) if searched.tester(wanted)(number)] == slow
    assert [searched.path(number) for number in range(len(paths))] == paths


def test_it_finds_paths_of_every_block() -> None:
    paths = [f"Photos/{number:06}.JPG".encode() for number in range(2 * BLOCK + 10)]
    searched = names(paths)
    assert len(searched) == len(paths)
    for number in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 9):
        assert list(searched.containing(f"{number:06}.jpg".encode())) == [number]
    assert sum(1 for _ in searched.containing(b"photos/")) == len(paths)


def test_case_does_not_matter_in_any_script() -> None:
    searched = names(["ÄRZTE/Ünï.mp4".encode(), b"not utf-8 \xff\xfe.MP4"])
    assert list(searched.containing(folded("ärzte/ÜNÏ".encode()))) == [0]
    assert list(searched.containing(folded(b"\xff\xfe.mp4"))) == [1]


def test_a_text_does_not_match_over_two_paths() -> None:
    assert list(names([b"ab", b"cd"]).containing(b"bc")) == []
