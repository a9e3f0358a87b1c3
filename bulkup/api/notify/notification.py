"""The content of a notification about a run. It holds no secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from bulkup.api.run_summary import Summary
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.exit_code import exit_code_text

Moment = Literal["start", "success", "failure"]


class RunProfile(NamedTuple):
    """The name of the profile of a run, None without one, and that of this machine."""

    name: str | None
    host: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A moment of a run. `at` is a Unix time, `outcome` the exit code in words.

    A run that could not start, or that broke off, has an `error` and no `summary`. A `test` is about no run.
    `report` is the path or the address of the run's report.
    """

    moment: Moment
    profile: RunProfile
    at: float
    run: str | None = None
    exit_code: int | None = None
    outcome: str = ""
    error: str | None = None
    hint: str | None = None
    summary: Mapping[str, Any] | None = None
    test: bool = False
    report: str | None = None


def moment_of(exit_code: int, success_codes: Collection[int]) -> Moment:
    """Return whether an exit code counts as success or as failure."""
    return "success" if exit_code in success_codes else "failure"


def end_of_run(
    summary: Summary, exit_code: int, profile: RunProfile, at: float, success_codes: Collection[int]
) -> Notification:
    """Return the notification of a run that has a summary. The exit code is that of the process."""
    error = summary.error
    return Notification(
        moment_of(exit_code, success_codes),
        profile,
        at,
        run=summary.run,
        exit_code=exit_code,
        outcome=exit_code_text(exit_code),
        error=error.message if error is not None else None,
        hint=error.hint or None if error is not None else None,
        summary=summary.as_dict(),
    )
