"""The time after which a silent sending process counts as stopped."""

from __future__ import annotations

from bulkup.pipeline.processes.silence import SilenceTimeout


def over_after(silence: SilenceTimeout, *times: float, expected: bool = True) -> list[bool]:
    return [silence.is_over(time, expected=expected) for time in times]


def test_silence_for_the_timeout_is_over() -> None:
    assert over_after(SilenceTimeout(3.0, 1.0, 100.0), 101.0, 102.0, 102.9, 103.0) == [False, False, False, True]


def test_a_report_begins_the_time_again() -> None:
    silence = SilenceTimeout(3.0, 1.0, 100.0)
    assert over_after(silence, 101.0, 102.0) == [False, False]
    silence.heard()
    assert over_after(silence, 103.0, 104.0, 105.0) == [False, False, True]


def test_time_without_attempts_does_not_count() -> None:
    silence = SilenceTimeout(2.0, 1.0, 100.0)
    assert over_after(silence, 101.0, 102.0, 103.0, expected=False) == [False, False, False]
    assert over_after(silence, 104.0, 105.0) == [False, True]


def test_a_pause_of_this_process_hardly_counts() -> None:
    """It was stopped or busy, so reports may wait in the socket."""
    silence = SilenceTimeout(3.0, 1.0, 100.0)
    assert over_after(silence, 5000.0, 5000.5) == [False, False]
