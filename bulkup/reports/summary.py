"""The summary of a run: the object of `--json`, and the text for people with the next steps."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bulkup.errors import ExitCode
from bulkup.model.counters import SETTLED, Counters
from bulkup.model.progress import WorkerProgress
from bulkup.model.reason_hints import hint_for
from bulkup.model.states import NOT_UPLOADED, FileState
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import count_text, duration_text, files_rate_text, rate_text, size_text
from bulkup.reports.next_commands import JournalOptions, next_commands
from bulkup.reports.safe_text import printable

# After any other code the scan may be incomplete, so its figures say nothing about the source.
_SCANNED = frozenset({ExitCode.OK, ExitCode.INCOMPLETE})
_REASONS = 10  # in the summary object
_SHOWN_REASONS = 4  # in the text, which is to fit on a screen
_NO_OPTIONS = JournalOptions()
EMPTY_SOURCE = "a source that had files is empty. Is it mounted? If it is meant to be empty: --allow-empty"
_REMOVAL_NAMES = {"kept": "kept (changed, or with other hard links)", "not_removed": "not removed"}
_SKIP = 'unsupported = "skip"'  # in a hint: the next commands have it then
_STOPPED = frozenset({ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.TIME_UP})


def summary_object(
    run: str,
    exit_code: int,
    counters: Counters,
    seconds: float,
    workers: Sequence[WorkerProgress] = (),
    *,
    empty_sources: int = 0,
    paused: float = 0.0,
) -> dict[str, Any]:
    """Return the summary of docs/design.md section 7: the last line of `--json`, which the journal keeps too.

    In `files`, `found` is the sum of the others without `unverified`, which `uploaded` includes. `bytes` count each
    file once. `seconds` is the duration of the run, rounded to milliseconds. `ignored` counts entries that are not
    files of the run, `reused_tickets` the tickets of an earlier run that were used. Of the skipped files, `unsupported`
    counts those that the service does not accept, and `expired` those that it has deleted. Of the rejected files,
    `skippable` counts those that `unsupported = "skip"` skips. Of the uploaded files, `already_there` counts those that
    the service had before; `bytes.uploaded` is without them. `removed`, `moved`, `kept` and `not_removed` count
    uploaded files that were to leave their source. `reasons` has the most common reasons why files were not uploaded.
    `workers` is there for a run on a cluster, `empty_sources` if sources are empty in which earlier runs found files.
    `paused_seconds` is there if the run was paused: that part of `seconds`.
    """
    files = {"found": counters.found} | {name: getattr(counters, name) for name in SETTLED}
    return {
        "event": "summary",
        "run": run,
        "exit_code": int(exit_code),
        "files": files | {"remaining": counters.remaining, "unverified": counters.unverified},
        "bytes": {"found": counters.bytes_found, "uploaded": counters.bytes_uploaded},
        "presign": {
            "calls": counters.presign_calls,
            "files": counters.presign_files,
            "renewed": counters.presign_renewed,
        },
        "retries": counters.retries,
        "concurrency": {"last": counters.concurrency, "peak": counters.concurrency_peak},
        "seconds": round(seconds, 3),
        "ignored": dataclasses.asdict(counters.ignored),
        "reused_tickets": counters.reused_tickets,
        "unsupported": counters.unsupported,
        "skippable": counters.skippable,
        "expired": counters.expired,
        "already_there": counters.already_there,
        "removed": counters.removed,
        "moved": counters.moved,
        "kept": counters.kept,
        "not_removed": counters.not_removed,
        "reasons": [
            {"status": state, "reason": reason, "files": number}
            for (state, reason), number in sorted(counters.reasons.items(), key=lambda entry: -entry[1])[:_REASONS]
        ],
        **({"empty_sources": empty_sources} if empty_sources else {}),
        **({"paused_seconds": round(paused, 3)} if paused else {}),
        **({"workers": [_worker_object(worker) for worker in workers]} if workers else {}),
    }


def _worker_object(worker: WorkerProgress) -> dict[str, Any]:
    return {"name": worker.name, "files": worker.files, "bytes": worker.bytes, "lost": not worker.working}


def summary_text(summary: Mapping[str, Any], *, options: JournalOptions = _NO_OPTIONS) -> str:
    """Return the last screen of a run, from its summary object: the result, the figures, and the next steps.

    `options` are those of the suggested commands, such as `--profile nightly`.
    """
    options = JournalOptions(*map(printable, options))
    lines = [_headline(summary), _amount(summary), *_details(summary), *_not_uploaded(summary, options)]
    lines += [f"Next: {step}" for step in _next_steps(summary)]
    if summary.get("empty_sources"):
        lines.append(f"Next: {EMPTY_SOURCE}")
    if unverified := summary["files"]["unverified"]:
        number = count_text(unverified, "file")
        listed = f"bulkup manifest {options.reading}".rstrip()
        lines.append(
            f"Note: {number} accepted by storage, but not verified by its answer: {listed} --status unverified"
        )
    if failed := summary.get("not_removed", 0):
        lines.append(
            f"Next: {count_text(failed, 'uploaded file')} could not be removed from the source: see the warnings "
            "(file.not_removed); the next run tries again"
        )
    if expired := summary.get("expired", 0):
        lines.append(f"Note: {expired_text(expired)}.")
    return "\n".join(lines)


def expired_text(count: int) -> str:
    """Return the notice about uploads that the service has deleted, with the command that repeats them."""
    verb = "is" if count == 1 else "are"
    return (
        f"{count_text(count, 'file')} {verb} past the time that the service keeps uploads; "
        "`bulkup upload --reupload-expired` sends them again"
    )


def _headline(summary: Mapping[str, Any]) -> str:
    code = summary["exit_code"]
    return f"Run {printable(str(summary['run']))}: {exit_code_text(code)} (exit code {code})."


def _amount(summary: Mapping[str, Any]) -> str:
    """Return the sentence about the files that were uploaded, with the duration and the mean rates."""
    files, sent, seconds = summary["files"], summary["bytes"]["uploaded"], summary["seconds"]
    if summary["exit_code"] in _SCANNED and not files["found"]:
        if summary["ignored"].get("other_shards"):
            return "No file of the source belongs to this shard."
        left_out = any(summary["ignored"].values())
        return "All entries of the source are ignored." if left_out else "The source has no files to upload."
    if summary["exit_code"] in _SCANNED and files["skipped"] == files["found"]:
        unchanged = files["skipped"] - summary.get("unsupported", 0)
        return f"{count_text(unchanged, 'file')} unchanged, nothing to send; {duration_text(seconds)}."
    speed = ""
    if files["uploaded"] and sent and seconds:
        speed = f": {files_rate_text(files['uploaded'] / seconds)}, {rate_text(sent / seconds)}"
    of_all = f"{files['uploaded']:,} of {count_text(files['found'], 'file')}"
    return f"{of_all} uploaded ({size_text(sent)}) in {duration_text(seconds)}{speed}."


def _details(summary: Mapping[str, Any]) -> Iterator[str]:
    files, presign = summary["files"], summary["presign"]
    shown = (*NOT_UPLOADED, "remaining", "unverified")
    known = files["skipped"] - summary.get("unsupported", 0)
    skipped = [("unchanged", known), ("not accepted by the service and skipped", summary.get("unsupported", 0))]
    there = ("already there", summary.get("already_there", 0))
    if parts := _nonzero([*skipped, there, *((name, files[name]) for name in shown)]):
        yield f"  files: {parts}"
    if parts := _nonzero((_ignored_name(name, number), number) for name, number in summary["ignored"].items()):
        yield f"  ignored: {parts}"
    names = ("removed", "moved", "kept", "not_removed")
    if parts := _nonzero((_REMOVAL_NAMES.get(name, name), summary.get(name, 0)) for name in names):
        yield f"  source: {parts}"
    calls, renewed = presign["calls"], presign["renewed"]
    reused, retries = summary["reused_tickets"], summary["retries"]
    service = (
        ("presign call" if calls == 1 else "presign calls", calls),
        ("URL renewed" if renewed == 1 else "URLs renewed", renewed),
        ("URL reused" if reused == 1 else "URLs reused", reused),
        ("retry" if retries == 1 else "retries", retries),
    )
    if parts := _nonzero(service):
        yield f"  service: {parts}"
    if paused := summary.get("paused_seconds"):
        yield f"  paused: for {duration_text(paused)} of the time"
    for worker in summary.get("workers", ()):
        figures = f"{count_text(worker['files'], 'file')}, {size_text(worker['bytes'])}"
        yield f"  worker {printable(worker['name'])}: {figures}{' (lost)' if worker['lost'] else ''}"


def _ignored_name(name: str, number: int) -> str:
    """Return the words that follow a number of ignored entries."""
    if name == "symlinks":
        return "symlink" if number == 1 else "symlinks"
    if name == "special":
        return "special file" if number == 1 else "special files"
    if name == "other_sources":
        return "other source" if number == 1 else "other sources"
    if name == "other_shards":
        return "of other shards"
    if name == "own":
        return "of bulkup itself"
    return name.replace("_", " ")


def _not_uploaded(summary: Mapping[str, Any], options: JournalOptions) -> Iterator[str]:
    """Yield the files that were not uploaded: by state and reason, with hints and the next commands."""
    shown = summary.get("reasons", ())[:_SHOWN_REASONS]
    states = [state for state in NOT_UPLOADED if summary["files"][state]]
    for state in states:
        reasons = [entry for entry in shown if entry["status"] == state]
        yield from _lines_of_state(state, summary["files"][state], reasons, options.running)
        if state is FileState.REJECTED and not any(_SKIP in hint_for(entry["reason"]) for entry in reasons):
            yield from _skipping(summary)
    if states:
        yield f"Next: see each file and its reason: {f'bulkup failures {options.reading}'.rstrip()}"


def _lines_of_state(state: FileState, number: int, reasons: Sequence[Mapping[str, Any]], options: str) -> Iterator[str]:
    def commands(entry: Mapping[str, Any]) -> list[str]:
        return next_commands(state, entry["reason"], options)

    others = number > sum(entry["files"] for entry in reasons) > 0
    yield f"{_header(state, number)}{'; the most common reasons' if others else ''}{':' if reasons else '.'}"
    for steps, alike in itertools.groupby(reasons, commands):
        for entry in alike:
            yield f"  {entry['files']:,} x {printable(entry['reason'])}"
            if hint := hint_for(entry["reason"]):
                yield f"    Hint: {hint}"
        yield f"  Next: {'; or '.join(steps)}"


def _skipping(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the step that skips rejected files, unless the commands of their reasons have it."""
    if skippable := summary.get("skippable", 0):
        number = count_text(skippable, "file")
        yield f"  Next: to skip {number} that the service does not accept: --unsupported skip"


def _header(state: FileState, number: int) -> str:
    if state is FileState.CHANGED:
        return f"{count_text(number, 'file')} changed or vanished while being read, and the next run tries again"
    return f"{count_text(number, 'file')} {state}"


def _nonzero(figures: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in figures if number)


def _next_steps(summary: Mapping[str, Any]) -> Iterator[str]:
    files, code = summary["files"], summary["exit_code"]
    if code in _STOPPED or (code == ExitCode.INCOMPLETE and files["remaining"]):
        yield f"run the same command again to resume{_left(files)}."
    elif code == ExitCode.SERVICE:
        yield f"fix the error of the service or of the way to it, then run the same command again{_left(files)}."
    elif code == ExitCode.MACHINE:
        yield f"fix the error on this machine, then run the same command again{_left(files)}."
    elif code == ExitCode.FILES_FAILED and files["remaining"]:
        yield f"fix the cause of the failures, then run the same command again{_left(files)}."


def _left(files: Mapping[str, int]) -> str:
    number = files["remaining"]
    verb = "remains" if number == 1 else "remain"
    return f"; {count_text(number, 'file')} found so far {verb}" if number else ""
