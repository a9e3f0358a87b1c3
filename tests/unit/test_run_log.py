"""The log lines about a run as a whole."""

from __future__ import annotations

from structlog.testing import capture_logs

from bulkup.api import run_log
from bulkup.api.run_summary import Summary
from bulkup.errors import ServiceError
from bulkup.model.counters import Counters
from bulkup.model.items import Result
from bulkup.model.states import FileState
from bulkup.pipeline.policy.repeated_warnings import RepeatedWarnings


def result(number: int, status: FileState, error: str | None) -> Result:
    return Result("/s", b"folder/%d" % number, status, 1, None, None, 1, error)


def test_the_files_of_a_reason_are_named_up_to_three_and_then_counted() -> None:
    warnings = RepeatedWarnings()
    with capture_logs() as lines:
        run_log.log_problems([result(number, FileState.REJECTED, "too large") for number in range(9)], warnings)
        run_log.log_problems([result(9, FileState.UNREADABLE, "denied")], warnings)
        run_log.log_problems([result(10, FileState.UPLOADED, None)], warnings)
        run_log.log_end(Summary("r", 3, Counters(), 1.0), warnings)
    *single, counted, end = lines
    assert [(line["path"], line["status"]) for line in single] == [
        *(("folder/0", "rejected"), ("folder/1", "rejected"), ("folder/2", "rejected"), ("folder/9", "unreadable"))
    ]
    assert counted == {
        "event": "files.not_uploaded",
        "files": 9,
        "status": "rejected",
        "reason": "too large",
        "first": ["folder/0", "folder/1", "folder/2"],
        "log_level": "warning",
    }
    assert end["event"] == "run.ended"


def test_other_warnings_are_counted_too() -> None:
    warnings = RepeatedWarnings(most=1)
    for name in ("a", "b"):
        warnings.admits("confirm.unfinished", "", name=name)
    with capture_logs() as lines:
        run_log.log_end(Summary("r", 0, Counters(), 1.0), warnings)
    assert {name: lines[0][name] for name in ("event", "warning", "number", "first")} == {
        "event": "warnings.left_out",
        "warning": "confirm.unfinished",
        "number": 2,
        "first": ["a"],
    }


def test_the_end_has_the_summary_and_the_error() -> None:
    counters = Counters(found=2, uploaded=1, failed=1)
    summary = Summary("r", 4, counters, 1.0, ServiceError("the key is refused", hint="renew it"))
    with capture_logs() as lines:
        run_log.log_end(summary, RepeatedWarnings())
    expected = {name: value for name, value in summary.as_dict().items() if name not in ("event", "run")}
    expected |= {"outcome": "the service refused, or cannot be used", "error": "the key is refused", "hint": "renew it"}
    assert lines == [{"event": "run.ended", "log_level": "info", **expected}]
