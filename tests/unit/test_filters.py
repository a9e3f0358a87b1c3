"""Which entries are the run's business: patterns, sizes, ages, hidden names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import Identity
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.scan.filters import Filters


def filters(*, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Filters:
    return Filters(ScanOptions(include=include, exclude=exclude))


def of_size(size: int) -> Identity:
    return Identity(size, 0, 0, 0, 0)


@given(st.binary(min_size=1, max_size=50))
def test_without_patterns_every_name_is_taken(path: bytes) -> None:
    """Also names that are no text."""
    assert filters().takes_name(path)
    assert not filters().prunes(path)


@pytest.mark.parametrize(
    ("path", "taken"),
    [(b"a.mp4", True), (b"deep/down/a.mp4", True), (b"a.mp3", False), (b"a.MP4", False), (b"mp4", False)],
)
def test_an_include_takes_what_it_matches_and_nothing_else(path: bytes, taken: bool) -> None:
    """A pattern without a slash matches at any depth, and case counts."""
    assert filters(include=("*.mp4",)).takes_name(path) is taken


def test_an_exclude_wins_over_an_include() -> None:
    """What both match stays out."""
    both = filters(include=("*.mp4",), exclude=("tmp/",))
    assert both.takes_name(b"a.mp4")
    assert not both.takes_name(b"tmp/a.mp4")


def test_several_includes_are_alternatives() -> None:
    """One of them is enough."""
    either = filters(include=("*.mp4", "*.mp3"))
    assert either.takes_name(b"a.mp4")
    assert either.takes_name(b"a.mp3")
    assert not either.takes_name(b"a.png")


def test_a_negated_exclude_lets_a_file_in_again() -> None:
    """Patterns are those of gitignore: the last that matches decides."""
    some = filters(exclude=("*.tmp", "!keep.tmp"))
    assert not some.takes_name(b"a.tmp")
    assert some.takes_name(b"keep.tmp")


def test_an_anchored_pattern_matches_at_the_root_only() -> None:
    """A leading slash names the source's own folder."""
    anchored = filters(exclude=("/cache",))
    assert not anchored.takes_name(b"cache")
    assert anchored.takes_name(b"sub/cache")


def test_an_excluded_directory_is_not_entered() -> None:
    """Pruning spares the walk what it would throw away; an include never prunes, for it names files."""
    some = filters(exclude=("node_modules/",), include=("*.mp4",))
    assert some.prunes(b"a/node_modules")
    assert not some.prunes(b"a/media")
    assert not some.prunes(b"node_modules_old")


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"new\nline.mp4", b"line\n.mp4", b"sp ace.mp4", b"[x].mp4"])
def test_patterns_match_names_of_any_bytes(name: bytes) -> None:
    """A name with a newline, or that is not UTF-8, is matched like any other."""
    assert filters(include=("*.mp4",)).takes_name(name)
    assert not filters(exclude=("*.mp4",)).takes_name(b"sub/" + name)
    assert not filters(exclude=("sub/",)).takes_name(b"sub/" + name)


@pytest.mark.parametrize(
    ("low", "high", "size", "taken"),
    [
        (None, None, 0, True),
        (10, None, 9, False),
        (10, None, 10, True),
        (None, 10, 10, True),
        (None, 10, 11, False),
        (0, 0, 0, True),
        (None, 0, 1, False),
        (1, None, 0, False),
    ],
)
def test_sizes_are_limited_inclusively(low: int | None, high: int | None, size: int, taken: bool) -> None:
    """A limit of 0 is a limit, and both ends belong to what is taken."""
    assert Filters(ScanOptions(min_size=low, max_size=high)).takes_size(of_size(size)) is taken


def test_a_file_younger_than_the_age_is_too_new() -> None:
    """It may still be written: the next run takes it."""
    aged = Filters(ScanOptions(min_age=60.0))
    assert aged.too_new(Identity(1, 950_000_000_000, 0, 0, 0), 1000.0)
    assert not aged.too_new(Identity(1, 940_000_000_000, 0, 0, 0), 1000.0)


def test_without_an_age_nothing_is_too_new() -> None:
    """Not even a file from the future."""
    assert not filters().too_new(Identity(1, 10**18, 0, 0, 0), 0.0)


def test_hidden_entries_are_left_out_only_when_told_so() -> None:
    """A leading dot hides, a dot elsewhere does not."""
    skipping = Filters(ScanOptions(hidden="skip"))
    assert skipping.hides(b".DS_Store")
    assert not skipping.hides(b"a.mp4")
    assert not filters().hides(b".DS_Store")
