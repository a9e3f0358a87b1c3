"""The output of `bulkup schedule`: what was installed; the next run, the last runs and their results."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkup.cli.schedule.job_building import job_environment
from bulkup.cli.schedule.scheduled_job import Mark, ScheduledJob
from bulkup.cli.schedule.schedulers import ScheduleState
from bulkup.config import journal_path, load
from bulkup.errors import BulkupError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Reader
from bulkup.model.journal_rows import RunRow
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import duration_text
from bulkup.reports.json_text import time_text
from bulkup.reports.runs_list import CUT_OFF, run_json

_RUNS = 3


@dataclass(frozen=True, slots=True)
class LastRuns:
    """The newest runs in the journal of a profile, or the reason why they are not known."""

    journal: str | None
    runs: tuple[RunRow, ...]
    problem: str | None = None


def last_runs(mark: Mark, environ: Mapping[str, str], user: str | None) -> LastRuns:
    """Return the newest runs of a schedule's profile, from its journal."""
    journal = None
    try:
        environment = job_environment(environ, user)
        settings = load(
            {}, profile=mark.profile, config_file=mark.config, environ=environment, cwd=os.path.dirname(mark.config)
        ).settings
        journal = journal_path(settings, mark.profile, settings.source, environment, mark.config)
        if not os.path.exists(journal):
            return LastRuns(journal, ())
        with Reader(journal) as reader:
            return LastRuns(journal, tuple(itertools.islice(reader.runs(), _RUNS)))
    except BulkupError as error:
        return LastRuns(journal, (), error.message)


def installed_lines(job: ScheduledJob, kind: str, places: Sequence[str]) -> Iterator[str]:
    """Yield the lines about a schedule that was installed."""
    if job.times is None:
        yield f"installed for {kind}: profile {job.profile} uploads what arrives, now and after each restart"
        yield from (f"  {place}" for place in places)
    else:
        yield f"installed for {kind}: profile {job.profile} starts at {job.times.shown()}"
        yield from (f"  {place}" for place in places)
        yield f"next run: {local_text(job.times.next_time(time.time()))}" + (
            f", or up to {duration_text(job.delay)} later" if kind == "systemd" and job.delay else ""
        )
    named = "" if job.name == job.profile else f" --name {job.name}"
    yield f"see it with `bulkup schedule status --profile {shlex.quote(job.profile)}{named}`"


def state_lines(name: str, kind: str, state: ScheduleState, last: LastRuns) -> Iterator[str]:
    """Yield the lines about the state and the last runs of a schedule."""
    yield f"{name}: {kind}, {_begins(state.mark)}, {_enabled(state)}"
    yield f"  written to  {state.place}"
    yield f"  profile     {state.mark.profile} in {state.mark.config}"
    if not state.mark.is_watch:
        yield f"  next run    {'not planned' if state.next_run is None else local_text(state.next_run)}"
    yield f"  last start  {_last_start(kind, state)}"
    yield f"  journal     {last.journal or 'not known'}"
    if last.problem is not None:
        yield f"  problem     {last.problem}"
    elif not last.runs:
        yield "  no run yet"
    for run in last.runs:
        yield f"  run         {_run_line(run)}"


def state_json(name: str, kind: str, state: ScheduleState, last: LastRuns) -> dict[str, Any]:
    """Return the state and the last runs of a schedule, for programs."""
    return {
        "event": "schedule",
        "name": name,
        "kind": kind,
        "profile": state.mark.profile,
        "config": state.mark.config,
        "at": list(state.mark.at),
        "weekdays": state.mark.weekdays or None,
        "watch": state.mark.is_watch,
        "enabled": state.enabled,
        "running": state.running,
        "next_run": time_text(state.next_run),
        "last_start": time_text(state.last_run),
        "exit_code": state.exit_code,
        "result": state.result,
        "place": state.place,
        "journal": last.journal,
        "problem": last.problem,
        "runs": [run_json(run) for run in last.runs],
    }


def local_text(moment: float) -> str:
    """Return a time by the local clock: `Mon 2026-11-30 02:03`."""
    return f"{dt.datetime.fromtimestamp(moment):%a %Y-%m-%d %H:%M}"  # noqa: DTZ006  # as a schedule is written


def _begins(mark: Mark) -> str:
    if mark.is_watch:
        return "watches"
    days = "" if mark.weekdays == "Mon-Sun" else f" on {mark.weekdays}"
    return f"at {', '.join(mark.at)}{days}"


def _enabled(state: ScheduleState) -> str:
    if state.running:
        return "running now"
    if state.mark.is_watch and state.enabled:
        return "NOT running; its log says why"
    return "enabled" if state.enabled else "NOT enabled; run `bulkup schedule install` again"


def _last_start(kind: str, state: ScheduleState) -> str:
    if state.exit_code is not None:
        ended = f"exit {state.exit_code} ({exit_code_text(state.exit_code)})"
    elif state.result not in (None, "success"):
        ended = str(state.result)  # such as watchdog, signal or timeout
    else:
        ended = "running" if state.running else ""
    if state.last_run is None and not ended:
        return f"{kind} keeps no record of it" if kind == "cron" else "none since the machine has started"
    began = "" if state.last_run is None else local_text(state.last_run)
    return ", ".join(filter(None, (began, ended)))


def _run_line(run: RunRow) -> str:
    began = time_text(run.started_at)
    if run.exit_code is None:
        return f"{began}, {'running' if run.running else f'{CUT_OFF}; the next run resumes it'}"
    took = "" if run.ended_at is None else f" took {duration_text(run.ended_at - run.started_at)},"
    return f"{began},{took} exit {run.exit_code} ({exit_code_text(run.exit_code)})"
