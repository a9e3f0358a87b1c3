"""The surroundings of the benchmarks: trees with known digests, nginx's configuration, links, and room in memory."""

from __future__ import annotations

import hashlib
import statistics
from pathlib import Path

import pytest

from benchmarks.scenarios import GIB, KIB, MIB, chosen, scenarios, size_text
from benchmarks.stage import large_size
from benchmarks.store import Place, configuration
from benchmarks.trees import log_normal_sizes, make_known_tree
from benchmarks.wan import Link, missing

PLACE = Place("127.0.0.1", 8080, 8443, "/run/bench", "/dev/shm/bench")


def test_the_size_of_a_file_tells_its_digest(tmp_path: Path) -> None:
    tree = make_known_tree(str(tmp_path), [10, 3 * MIB + 1, 10, 0])

    contents = [Path(path).read_bytes() for path in tree.paths()]

    assert [len(content) for content in contents] == [10, 3 * MIB + 1, 10, 0]
    assert [hashlib.md5(content).hexdigest() for content in contents] == [tree.digests[size] for size in tree.sizes]
    assert (tree.files, tree.bytes) == (4, 3 * MIB + 21)


def test_the_size_of_a_part_tells_its_digest_too(tmp_path: Path) -> None:
    tree = make_known_tree(str(tmp_path), [5 * MIB + 7], parts=[2 * MIB, MIB + 7])
    content = Path(tree.paths()[0]).read_bytes()

    assert hashlib.md5(content[2 * MIB : 4 * MIB]).hexdigest() == tree.digests[2 * MIB]
    assert hashlib.md5(content[4 * MIB :]).hexdigest() == tree.digests[MIB + 7]


def test_log_normal_sizes_are_around_their_median_and_below_the_most() -> None:
    sizes = log_normal_sizes(3_000, 64 * KIB, 1.5, 32 * MIB)

    assert sizes == log_normal_sizes(3_000, 64 * KIB, 1.5, 32 * MIB)
    assert 56 * KIB < statistics.median(sizes) < 72 * KIB
    assert 1 <= min(sizes) < 2 * KIB
    assert 8 * MIB < max(sizes) <= 32 * MIB


def test_the_store_answers_each_size_with_its_digest() -> None:
    text = configuration(PLACE, {10: "a" * 32, 20: "b" * 32}, workers=3)

    assert f'10 "\\"{"a" * 32}\\"";' in text
    assert f'20 "\\"{"b" * 32}\\"";' in text
    assert "worker_processes 3;" in text
    assert "listen 127.0.0.1:8443 ssl" in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(("room", "size"), [(16 * GIB, GIB), (16 * GIB - 1, GIB // 2), (0, MIB)])
def test_large_files_are_halved_until_tree_and_store_have_room(room: int, size: int) -> None:
    assert large_size(GIB, 8, room) == size


def test_a_link_takes_a_byte_for_eight_bits_and_queues_what_is_under_way() -> None:
    link = Link(40.0, 0.1, 1000.0)

    assert link.seconds(125_000_000) == 1.0
    assert link.queue_kib() == pytest.approx(5_000_000 / 1024)
    assert Link(1.0, 0.0, 10.0).queue_kib() == 256


def test_a_link_is_described_in_the_units_of_titles() -> None:
    assert Link(40.0, 0.1, 1000.0).text() == "1 Gbit/s, 40 ms, 0.1 % loss each way, cubic"
    assert Link(40.0, 0.1, 200.0, "bbr").text() == "200 Mbit/s, 40 ms, 0.1 % loss each way, bbr"


def test_a_kernel_without_a_congestion_control_has_no_link_with_it() -> None:
    assert missing("invented")


def test_scenarios_are_chosen_by_name() -> None:
    every = scenarios(quick=True, large=GIB, revision="1234567")

    assert [one.name for one in chosen(every, ["wan", "small"])] == ["small", "wan"]
    assert chosen(every, []) == every


def test_sizes_are_told_in_the_units_of_titles() -> None:
    assert [size_text(size) for size in (GIB, GIB // 2, 3 * GIB // 2)] == ["1 GiB", "512 MiB", "1.5 GiB"]
