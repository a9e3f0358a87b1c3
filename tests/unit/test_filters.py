"""Which entries belong to the run: patterns, sizes, ages, hidden names."""

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
    """Also names that are not UTF-8."""
    assert filters().takes_name(path)
    assert not filters().prunes(path)


@pytest.mark.parametrize(
    ("path", "taken"),
    [(b"a.mp4", True), (b"deep/down/a.mp4", True), (b"a.mp3", False), (b"a.MP4", False), (b"mp4", False)],
)
def test_an_include_takes_only_matching_files(path: bytes, taken: bool) -> None:
    """A pattern without a slash matches at any depth, and case counts."""
    assert filters(include=("*.mp4",)).takes_name(path) is taken


def test_an_exclude_wins_over_an_include() -> None:
    both = filters(include=("*.mp4",), exclude=("tmp/",))
    assert both.takes_name(b"a.mp4")
    assert not both.takes_name(b"tmp/a.mp4")


def test_several_includes_are_alternatives() -> None:
    either = filters(include=("*.mp4", "*.mp3"))
    assert either.takes_name(b"a.mp4")
    assert either.takes_name(b"a.mp3")
    assert not either.takes_name(b"a.png")


def test_a_negated_exclude_includes_a_file_again() -> None:
    """As in gitignore, the last match decides."""
    some = filters(exclude=("*.tmp", "!keep.tmp"))
    assert not some.takes_name(b"a.tmp")
    assert some.takes_name(b"keep.tmp")


def test_an_anchored_pattern_matches_at_the_root_only() -> None:
    anchored = filters(exclude=("/cache",))
    assert not anchored.takes_name(b"cache")
    assert anchored.takes_name(b"sub/cache")


def test_an_excluded_directory_is_not_entered() -> None:
    """Includes name files, so they never prune a directory."""
    some = filters(exclude=("node_modules/",), include=("*.mp4",))
    assert some.prunes(b"a/node_modules")
    assert not some.prunes(b"a/media")
    assert not some.prunes(b"node_modules_old")


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"new\nline.mp4", b"line\n.mp4", b"sp ace.mp4", b"[x].mp4"])
def test_patterns_match_names_of_any_bytes(name: bytes) -> None:
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
    """A limit of 0 is a limit, and both ends are within the limits."""
    assert Filters(ScanOptions(min_size=low, max_size=high)).takes_size(of_size(size)) is taken


def test_a_file_younger_than_the_age_is_too_new() -> None:
    aged = Filters(ScanOptions(min_age=60.0))
    assert aged.too_new(Identity(1, 950_000_000_000, 0, 0, 0), 1000.0)
    assert not aged.too_new(Identity(1, 940_000_000_000, 0, 0, 0), 1000.0)


def test_a_time_in_the_future_does_not_keep_a_file_back_for_ever() -> None:
    aged, year_2100 = Filters(ScanOptions(min_age=60.0)), 4_102_444_800 * 10**9
    assert aged.too_new(Identity(1, year_2100, 950_000_000_000, 0, 0), 1000.0)
    assert not aged.too_new(Identity(1, year_2100, 940_000_000_000, 0, 0), 1000.0)


def test_without_an_age_nothing_is_too_new() -> None:
    """Not even a file with a time in the future."""
    assert not filters().too_new(Identity(1, 10**18, 0, 0, 0), 0.0)


def test_hidden_entries_are_skipped_only_on_request() -> None:
    """A leading dot hides, another dot does not."""
    skipping = Filters(ScanOptions(hidden="skip"))
    assert skipping.hides(b".DS_Store")
    assert not skipping.hides(b"a.mp4")
    assert not filters().hides(b".DS_Store")
