"""The extensions that a service refuses, and how a refused group is divided."""

from __future__ import annotations

from bulkup.pipeline.policy.refused_kinds import RefusedKinds


def test_a_group_of_several_kinds_is_divided_between_kinds() -> None:
    kinds = RefusedKinds()
    first, second = kinds.parts(["mp4", "mpeg", "mp4", "mp4", "mpeg"])
    assert (first, second) == ([0, 2, 3], [1, 4])


def test_of_a_kind_that_was_never_accepted_one_file_is_tried_alone() -> None:
    kinds = RefusedKinds()
    kinds.accepted({"mp4"})
    assert [len(part) for part in kinds.parts(["mpeg"] * 9)] == [1, 8]
    assert [len(part) for part in kinds.parts(["mp4"] * 9)] == [4, 5]


def test_two_files_refused_alone_establish_a_kind() -> None:
    kinds = RefusedKinds()
    seen = []
    for _ in range(2):
        kinds.refused("mpeg")
        seen.append((kinds.suspected("mpeg"), kinds.established("mpeg")))
    assert seen == [(True, False), (True, True)]


def test_a_kind_that_was_accepted_is_never_at_fault() -> None:
    kinds = RefusedKinds()
    for _ in range(9):
        kinds.refused("mp4")
    kinds.accepted({"mp4"})
    assert not kinds.suspected("mp4")
    assert not kinds.established("mp4")
