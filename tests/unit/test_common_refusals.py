"""Refusals of single files, and refusals that concern every file."""

from __future__ import annotations

import pytest

from bulkup.pipeline.policy.common_refusals import CommonRefusals, alike

REASON = "Xvid answered 404: Requested pipeline does not exist"


def refusals_of(*reasons: str, kind: str = "mp4") -> CommonRefusals:
    refusals = CommonRefusals(enough=3)
    for reason in reasons:
        refusals.refused(reason, kind)
    return refusals


def test_enough_files_refused_alike_concern_every_file() -> None:
    assert [refusals_of(*[REASON] * n).concern_every_file() for n in (2, 3)] == [False, True]
    assert refusals_of(*[REASON] * 3).in_common() == "3 files (.mp4) were refused alike"


def test_files_refused_for_different_reasons_have_faults_of_their_own() -> None:
    refusals = refusals_of(REASON, REASON, "Xvid answered 400: the key is too long", REASON)
    assert (refusals.concern_every_file(), refusals.undecided, refusals.in_doubt) == (False, False, False)


def test_one_accepted_file_shows_that_the_others_are_at_fault() -> None:
    refusals = refusals_of(*[REASON] * 2)
    refusals.accepted = True
    refusals.refused(REASON, "mp4")
    assert (refusals.in_doubt, refusals.concern_every_file()) == (False, False)


def test_a_file_of_another_kind_is_tried_first() -> None:
    assert not refusals_of(*[REASON] * 9).concern_every_file(other_kinds_wait=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('the key "a.mp4" is unknown', 'the key "b.mp4" is unknown'),
        ("request 5f0c3d9ab1 refused", "request 77aa01bc9e refused"),
        ("Xvid answered 422: item 3 is bad", "Xvid answered 422: item 14 is bad"),
        ("Xvid answered 400: uploads/a.mp4 is not allowed", "Xvid answered 400: uploads/c/d.mp4 is not allowed"),
        ("Xvid answered 400: f-ab.mp4 denied", "Xvid answered 400: f-cd.mov denied"),
        ("storage answered 403 AccessDenied: no access to a b", "storage answered 403 AccessDenied: no access to c"),
        ("refused at 2026-11-30T03:41:00Z", "refused at 2026-11-30T03:42:00Z"),
    ],
)
def test_details_do_not_make_a_reason_another_one(one: str, other: str) -> None:
    assert alike(one) == alike(other)


def test_kinds_of_files_are_kept_and_a_long_reason_is_cut() -> None:
    """People read it too."""
    assert alike("the extension 'txt' (it accepts jp2, m4a, mp4)") == "the extension … (it accepts jp2, m4a, mp4)"
    assert (len(alike("word " * 100)), alike("word " * 100)[-1]) == (160, "…")


def test_statuses_and_codes_make_a_reason() -> None:
    assert alike("storage answered 403 AccessDenied") != alike("storage answered 404 NoSuchBucket")
    assert alike("storage answered 403 AccessDenied: x") != alike("storage answered 403 SignatureDoesNotMatch: x")
    assert alike("storage answered 400 EntityTooLarge: x") != alike("storage answered 413 EntityTooLarge: x")


def test_a_reason_without_spaces_is_read_once() -> None:
    """Each start inside of the word took a search to its end: hours for this one."""
    assert alike("x" * 1_000_000) == "x" * 159 + "…"
    assert alike("upload of mp4,/media/one.mp4 failed") == alike("upload of mp4,/media/two.mp4 failed")


def test_many_new_urls_refused_alike_need_no_further_ones() -> None:
    """Old URLs do not count: a new one may help them."""
    refusals = CommonRefusals(enough=3)
    for number in range(6):
        assert not refusals.new_urls_do_not_help
        refusals.refused(REASON, "mp4", final=True)
        refusals.refused(REASON, "mp4", final=False)
        assert refusals.files == 2 * (number + 1)
    assert refusals.new_urls_do_not_help


def test_a_refusal_for_the_kind_of_a_file_does_not_count() -> None:
    """Files of other kinds may follow."""
    refusals = refusals_of(*["Magic Hour answered 422: unsupported type"] * 9, kind="gif")
    assert (refusals.files, refusals.in_doubt, refusals.concern_every_file()) == (0, False, False)


def test_a_kind_that_is_refused_as_such_does_not_hide_a_common_cause() -> None:
    """The tree begins with a type that the service does not take, and the pipeline of all others is mistyped."""
    refusals = refusals_of("unsupported type", kind="gif")
    for _ in range(3):
        refusals.refused(REASON, "mp4")
    assert refusals.concern_every_file()


def test_one_kind_refused_as_such_and_for_another_reason_has_faults_of_its_own() -> None:
    refusals = refusals_of(
        "the name is too long", "the type is unknown", "the name is too long", "the name is too long"
    )
    assert (refusals.undecided, refusals.concern_every_file()) == (False, False)
