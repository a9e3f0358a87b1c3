"""Rejections by the service, as the journal keeps them."""

from __future__ import annotations

from bulkup.journal.kept_rejections import kept, reason_of, shown_reason

REASON = "Magic Hour answered 422: [mpeg]\nis not supported"


def test_a_rejection_holds_for_the_settings_with_which_the_service_was_asked() -> None:
    error = kept(REASON, "3f9a2c41")
    assert reason_of(error, "3f9a2c41") == REASON
    assert reason_of(error, "00000000") is None
    assert reason_of(error, "") is None
    assert shown_reason(error) == REASON


def test_a_rejection_without_a_call_is_decided_anew() -> None:
    """Journals of earlier versions have only those."""
    assert [reason_of(error, "3f9a2c41") for error in (None, "", REASON)] == [None, None, None]
    assert [shown_reason(error) for error in (None, REASON)] == [None, REASON]
