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


def test_the_file_that_is_tried_alone_is_in_the_middle() -> None:
    """Files with a fault are often neighbours, such as the first ones of a folder."""
    kinds = RefusedKinds()
    assert kinds.parts(["mov"] * 5) == ([2], [0, 1, 3, 4])
    assert kinds.parts(["mov"]) == ([0], [])


REASON = "Xvid answered 400: the format of item 1 is unknown"


def test_three_files_refused_alone_establish_a_kind() -> None:
    kinds = RefusedKinds()
    seen = []
    for number in range(3):
        kinds.refused("mpeg", REASON.replace("1", str(number)))
        seen.append((kinds.suspected("mpeg"), kinds.established("mpeg", REASON)))
    assert seen == [(True, False), (True, False), (True, True)]


def test_files_with_faults_of_their_own_establish_no_kind() -> None:
    """Healthy files of the group would be rejected with them, and not asked for again by later runs."""
    kinds = RefusedKinds()
    for reason in ("too short", "a broken header", "no sound", "too short"):
        kinds.refused("mov", f"the service answered 422: {reason}")
    assert kinds.suspected("mov")
    assert not kinds.established("mov", "the service answered 422: too short")
    for _ in range(3):
        kinds.refused("mov", "the service answered 422: too short")
    assert kinds.established("mov", "the service answered 422: too short")
    assert not kinds.established("mov", "the service answered 422: an item is invalid")


def test_a_kind_that_was_accepted_is_never_at_fault() -> None:
    kinds = RefusedKinds()
    for _ in range(9):
        kinds.refused("mp4", REASON)
    kinds.accepted({"mp4"})
    assert not kinds.suspected("mp4")
    assert not kinds.established("mp4", REASON)
