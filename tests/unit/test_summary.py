"""The summary of a run."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest
from counters_world import counters
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ExitCode
from bulkup.model.counters import Counters, Ignored
from bulkup.reports.exit_code import PRECEDENCE
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.summary import summary_object, summary_text


@given(counters(), st.floats(0, 1e7), st.sampled_from(PRECEDENCE))
def test_found_is_the_sum_of_the_others(figures: Any, seconds: float, code: int) -> None:
    summary = summary_object("r1", code, figures, seconds)
    files = dict(summary["files"])
    assert files.pop("unverified") <= files["uploaded"]
    assert files.pop("found") == sum(files.values())
    assert orjson.loads(orjson.dumps(summary)) == summary
    assert summary_text(summary)


def test_the_summary_has_the_documented_fields() -> None:
    figures = Counters(
        found=3, uploaded=2, failed=1, bytes_found=30, bytes_uploaded=20, presign_calls=1, presign_files=3
    )
    assert summary_object("r1", ExitCode.FILES_FAILED, figures, 1.23456) == {
        "event": "summary",
        "run": "r1",
        "exit_code": 1,
        "files": {
            "found": 3,
            "skipped": 0,
            "uploaded": 2,
            "failed": 1,
            "rejected": 0,
            "changed": 0,
            "unreadable": 0,
            "remaining": 0,
            "unverified": 0,
        },
        "bytes": {"found": 30, "uploaded": 20},
        "presign": {"calls": 1, "files": 3, "renewed": 0},
        "retries": 0,
        "concurrency": {"last": 0, "peak": 0},
        "seconds": 1.235,
        "ignored": dataclasses.asdict(Ignored()),
        "reused_tickets": 0,
        "unsupported": 0,
        "skippable": 0,
        "expired": 0,
        "already_there": 0,
        "removed": 0,
        "moved": 0,
        "kept": 0,
        "not_removed": 0,
        "reasons": [],
    }


def text_of(code: int, options: str = "", lost_source: bool = False, **figures: Any) -> str:
    summary = summary_object("r1", code, Counters(**figures), 2.0, empty_sources=int(lost_source))
    chosen = JournalOptions(options, f"{options} --base-url u" if options else "")
    return summary_text(summary, options=chosen)


def test_the_first_line_has_the_result_in_words() -> None:
    assert text_of(0, found=1, uploaded=1).startswith("Run r1: complete (exit code 0).\n")
    assert text_of(1, found=1, failed=1).startswith("Run r1: some files failed (exit code 1).\n")


def test_the_second_line_has_amount_duration_and_mean_rates() -> None:
    text = text_of(0, found=2, uploaded=2, bytes_uploaded=4 * 1024**2)
    assert "\n2 of 2 files uploaded (4.0 MiB) in 2.0 s: 1.0 files/s, 2.0 MiB/s." in text
    assert "Next" not in text


def test_files_that_were_not_uploaded_are_grouped_by_reason() -> None:
    """Each group has a hint where one is known, and each state the exact next command."""
    reasons = {
        ("failed", "storage answered 403 (AccessDenied)"): 8,
        ("rejected", "magic-hour does not accept the extension 'gif'"): 2,
        ("failed", "storage answered 418"): 1,
    }
    text = text_of(1, options="-p nightly", found=20, uploaded=9, failed=9, rejected=2, reasons=reasons)
    assert text.splitlines()[3:] == [
        "9 files failed:",
        "  8 x storage answered 403 (AccessDenied)",
        "    Hint: the service's key may not write to the store, or a proxy refuses; report it",
        "  1 x storage answered 418",
        "  Next: bulkup retry -p nightly --base-url u",
        "2 files rejected:",
        "  2 x magic-hour does not accept the extension 'gif'",
        '    Hint: unsupported = "skip" skips these',
        (
            "  Next: bulkup upload -p nightly --base-url u --unsupported skip; or "
            "bulkup retry -p nightly --base-url u --retry-rejected"
        ),
        "Next: see each file and its reason: bulkup failures -p nightly",
    ]


def test_the_text_fits_on_a_screen() -> None:
    """However many reasons there are. The summary object has more of them."""
    states = ("failed", "rejected", "changed", "unreadable")
    reasons = {(state, f"AccessDenied {number}"): 9 - number for state in states for number in range(9)}
    figures = Counters(found=400, failed=100, rejected=100, changed=100, unreadable=100, unverified=1, reasons=reasons)
    summary = summary_object("r1", 1, figures, 2.0, empty_sources=1)
    text = summary_text(summary)
    assert len(text.splitlines()) <= 24
    assert "100 files failed; the most common reasons:" in text


def test_an_interrupted_run_names_the_command_to_resume() -> None:
    for code in (129, 130, 143, 6):
        text = text_of(code, found=5, uploaded=1)
        assert "run the same command again to resume" in text
        assert "4 files found so far remain" in text


def test_an_empty_source_is_reported_only_after_a_complete_scan() -> None:
    assert "no files to upload" in text_of(0)
    assert "no files to upload" not in text_of(ExitCode.SERVICE)


def test_nothing_to_send_is_reported_only_after_a_complete_scan() -> None:
    assert "1,200 files unchanged, nothing to send" in text_of(0, found=1200, skipped=1200)
    assert "nothing to send" not in text_of(130, found=1200, skipped=1200)


@pytest.mark.parametrize(
    ("code", "figures", "expected"),
    [
        (3, {"found": 1, "rejected": 1}, "1 file rejected.\nNext: see each file and its reason: bulkup failures"),
        (
            3,
            {"found": 3, "rejected": 3, "skippable": 2},
            "to skip 2 files that the service does not accept: --unsupported",
        ),
        (3, {"found": 1, "changed": 1}, "1 file changed or vanished"),
        (3, {"found": 1, "unreadable": 1}, "1 file unreadable."),
        (3, {"found": 1}, "run the same command again"),
        (
            0,
            {"found": 1, "uploaded": 1, "unverified": 1},
            "not verified by its answer: bulkup manifest --status unverified",
        ),
        (6, {"found": 3, "uploaded": 1}, "stopped at a limit of time, files or bytes"),
        (1, {"found": 3, "failed": 1}, "fix the cause of the failures, then run the same command again; 2 files"),
        (4, {"found": 1}, "fix the error of the service or of the way to it"),
        (7, {"found": 1}, "fix the error on this machine"),
        (0, {"found": 1, "uploaded": 1, "presign_calls": 2, "retries": 1}, "2 presign calls, 1 retry"),
    ],
)
def test_the_next_steps(code: int, figures: Any, expected: str) -> None:
    assert expected in text_of(code, **figures)


def test_files_that_cannot_be_skipped_have_no_hint_to_skip_them() -> None:
    """Such as files whose places are taken."""
    assert "--unsupported" not in text_of(3, found=2, rejected=2)


def test_expired_uploads_are_a_notice() -> None:
    text = text_of(0, found=5, skipped=5, expired=2)
    assert "2 files are past the time that the service keeps uploads" in text
    assert "--reupload-expired" in text
    assert "--reupload-expired" not in text_of(0, found=5, skipped=5)


def test_an_empty_source_with_earlier_files_is_reported() -> None:
    assert "Is it mounted?" in text_of(3, lost_source=True)


def test_the_time_of_a_pause_is_named_if_there_was_one() -> None:
    summary = summary_object("r1", 0, Counters(found=1, uploaded=1), 90.0, paused=60.0004)
    assert summary["paused_seconds"] == 60.0
    assert "  paused: for 1 min 00 s of the time\n" in summary_text(summary) + "\n"
    assert "paused" not in summary_text(summary_object("r1", 0, Counters(found=1, uploaded=1), 90.0))


def test_ignored_entries_are_listed() -> None:
    figures = Counters(ignored=Ignored(too_new=2, symlinks=1))
    assert "2 too new, 1 symlink" in summary_text(summary_object("r", 0, figures, 0.0))


def test_files_that_were_already_there_are_named() -> None:
    text = text_of(0, found=5, uploaded=5, already_there=2, bytes_uploaded=3)
    assert "5 of 5 files uploaded" in text
    assert "files: 2 already there" in text
