"""Shards: which files belong to which, and how they are written."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config import Settings, load
from bulkup.errors import UsageError
from bulkup.model.shard import MOST_SHARDS, WHOLE, Shard, parse_shard

# With bytes that are not UTF-8, line ends and any other character; a path has no NUL.
paths = st.binary(min_size=1, max_size=300).filter(lambda path: b"\0" not in path)
totals = st.integers(1, 40)


@given(paths, totals)
def test_each_file_is_in_exactly_one_shard(path: bytes, total: int) -> None:
    assert [Shard(number, total).takes(path) for number in range(1, total + 1)].count(True) == 1


@given(paths, totals, st.integers(1, 12))
def test_a_shard_contains_those_of_a_multiple_and_no_others(path: bytes, total: int, times: int) -> None:
    """So a journal that is copied can go on with twice as many shards."""
    (small,) = [part for number in range(1, total * times + 1) if (part := Shard(number, total * times)).takes(path)]
    for number in range(1, total + 1):
        large = Shard(number, total)
        assert large.contains(small) == large.takes(path)
    assert small.contains(Shard(small.number, small.total + 1)) == (small == WHOLE)


def test_the_hash_never_changes() -> None:
    """Journals of earlier runs depend on it. The values are those of `sha256sum`, taken modulo in a shell."""
    known = {b"a.mp4": (1, 49), b"photos/2024/IMG_0001.jpg": (4, 84), b"caf\xe9.wav": (1, 1)}
    assert {path: (number_in(path, 4), number_in(path, 100)) for path in known} == known


def test_another_process_puts_files_into_the_same_shards() -> None:
    """Python's own hash differs between processes."""
    code = "from bulkup.model.shard import Shard; print([Shard(1, 3).takes(b'%d' % n) for n in range(200)])"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {f"{[Shard(1, 3).takes(b'%d' % number) for number in range(200)]}\n".encode()}


@pytest.mark.parametrize("name", ["{:07d}.jpg", "cam{0}/frame.dng", "{0}/{0}/{0}", "a" * 180 + "{}"])
def test_shards_are_about_equally_large(name: str) -> None:
    """Also for names that hardly differ. By chance each has 500 files of 4,000, give or take 21."""
    files = [0] * 8
    for number in range(4000):
        files[number_in(name.format(number).encode(), 8) - 1] += 1
    assert 500 - 5 * 21 < min(files) < max(files) < 500 + 5 * 21


@given(totals.flatmap(lambda total: st.builds(Shard, st.integers(1, total), st.just(total))))
def test_a_text_is_read_back(shard: Shard) -> None:
    assert parse_shard(str(shard)) == shard == parse_shard(shard)


@pytest.mark.parametrize(
    "value",
    [
        "0/4",
        "5/4",
        "a/b",
        "4",
        "",
        "/",
        "1/0",
        "-1/4",
        "1/4/2",
        "1 / 4",
        "1/4.0",
        f"1/{MOST_SHARDS + 1}",
        "٢/٤",
        4,
        True,
    ],
)
def test_any_other_value_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"--shard: expected K/N, shard K of N, such as 2/4: K is from 1 to N"):
        load({"shard": value}, profile=None, config_file=None, environ={}, cwd="/")


def test_it_is_a_setting_like_all_others() -> None:
    assert Settings(shard=Shard(2, 4)).shard == Shard(2, 4)
    assert load({}, profile=None, config_file=None, environ={"BULKUP_SHARD": "3/8"}, cwd="/").settings.shard == Shard(
        3, 8
    )
    assert Settings(shard=Shard(2, 4)).model_dump(mode="json")["shard"] == "2/4"


def number_in(path: bytes, total: int) -> int:
    """Return the number of the shard that takes a file."""
    (number,) = [number for number in range(1, total + 1) if Shard(number, total).takes(path)]
    return number
