"""The names of log events, and the sentence that people read instead of a name.

A name never changes once it is published, so that programs can search for it; docs/output.md lists all of them with
their fields. JSON lines have the name. The console log has the sentence: a field in braces is filled in, all other
fields follow the sentence.
"""

from __future__ import annotations

import enum
from typing import Self


class LogEvent(enum.StrEnum):
    """The event argument of a log call."""

    sentence: str

    def __new__(cls, name: str, sentence: str) -> Self:
        """Make a member whose value is `name`."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.sentence = sentence
        return member

    RUN_WAITING = "run.waiting", "waiting for another run to end"
    RUN_STARTED = "run.started", "run started"
    FILES_COPIED = (
        "local.files_copied",
        "provider local copies each file to this disk; `bulkup serve --prune` removes them",
    )
    RUN_ENDED = "run.ended", "run ended: {outcome}"
    RUN_FAILED = "run.failed", "the run could not start, or broke off: {reason}"
    LIST_UNUSED = "list.unused", "entries of the URL list have no file in the source"
    RUN_STOPPING = "run.stopping", "stopping: files in flight are finished; a second signal stops at once"
    RUN_PAUSED = "run.paused", "paused: no new file is sent, those under way are finished"
    RUN_RESUMED = "run.resumed", "the run continues"
    RUN_TIME_UP = "run.time_up", "time is up: no new file is started, those in flight are finished"
    RUN_LIMIT_REACHED = "run.limit_reached", "{limit} is reached: no further file is started, others are finished"
    PROGRESS = "progress", "progress: {text}"
    FILE_NOT_UPLOADED = "file.not_uploaded", "file not uploaded"
    FILE_NOT_REMOVED = "file.not_removed", "uploaded file not removed from the source"
    FILES_NOT_UPLOADED = "files.not_uploaded", "{files:,} files in all are {status}; `bulkup manifest` lists them"
    WARNINGS_LEFT_OUT = "warnings.left_out", "of {number:,} warnings {warning} only the first were logged"
    WATCH_STARTED = "watch.started", "watching {sources}"
    WATCH_IDLE = "watch.idle", "watching, {text}"
    WATCH_PAUSED = "watch.paused", "the run broke off; its files are tried again in {seconds} s"
    WATCH_RUN_FAILED = "watch.run_failed", "a run could not start: {reason}"
    WATCH_BLIND = (
        "watch.blind",
        "changes are not noticed as they happen: {reason}; all files are looked at every {again_in} s",
    )
    SOURCE_GONE = "source.gone", "a source is not there any more"
    SOURCE_BACK = "source.back", "a source was mounted or replaced; all files are looked at"
    LOG_FILE_FAILED = "log.file_failed", "the log file cannot be written: {reason}; the run continues"
    METRICS_FAILED = "metrics.failed", "the metrics file cannot be written: {reason}; the run continues"
    CONTROL_UNAVAILABLE = "control.unavailable", "the run has no control socket: {reason}; the run continues"
    CONTROL_FAILED = "control.failed", "a client of the control socket met an error of the program: {kind}"
    REPORT_WRITTEN = "report.written", "the report of the run was written"
    REPORT_FAILED = "report.failed", "the report of the run was not written: {reason}"
    NOTIFY_SENT = "notify.sent", "notified of the {moment} of the run"
    NOTIFY_FAILED = "notify.failed", "{receiver} was not notified of the {moment} of the run: {reason}"
    SETTINGS_WARNING = "settings.warning", "{text}"
    SETTINGS_RELOADED = "settings.reloaded", "the profile was read again: bwlimit is {bwlimit}"
    SETTINGS_NOT_RELOADED = (
        "settings.not_reloaded",
        "the profile was not read again, nothing changes: {reason}",
    )
    CLOCK_WRONG = (
        "clock.wrong",
        "this machine's clock is {difference} the service's; set it, or signed calls may be refused",
    )

    OWN_FILES_SKIPPED = (
        "scan.own_files",
        "files of bulkup itself (journal, lock, store, unfinished output) are not uploaded",
    )
    FILES_GONE = "scan.files_gone", "files that were not uploaded before are not on disk any more"
    JOURNAL_LOG_KEPT = (
        "journal.log_kept",
        "the journal's log was not emptied: another program reads it, or the disk fails; signatures may remain in it",
    )

    PRESIGN_FAILED = "presign.failed", "presign call failed; it will be retried"
    TICKETS_OVER = "tickets.over", "upload URLs had expired when they arrived; new ones are requested later"
    CONFIRM_FAILED = "confirm.failed", "closing call failed; it will be retried"
    CONFIRM_UNFINISHED = "confirm.unfinished", "the service has not finished a file; the next run asks again"
    ABANDON_FAILED = "abandon.failed", "the service could not be told that a file was given up"
    ATTEMPT_FAILED = "attempt.failed", "attempt failed"
    STORAGE_PAUSED = "storage.paused", "no requests are sent to storage for a while"

    BANDWIDTH_CHANGED = "bandwidth.changed", "the limit on the bandwidth is now {limit}"
    CONCURRENCY_SET = "concurrency.set", "concurrency is now {concurrency}"
    CONCURRENCY_CHANGED = "concurrency.changed", "concurrency changes"
    PROCESSES_STARTED = "processes.started", "starting sending processes"
    PROCESSES_UNAVAILABLE = "processes.unavailable", "sending processes cannot be started; this process sends the files"
    PROCESS_LOST = "process.lost", "a sending process ended unexpectedly"

    WORKER_JOINED = "worker.joined", "worker {worker} takes files"
    WORKER_LOST = "worker.lost", "worker {worker} was lost: {reason}; its files are given to others"
    WORKER_REFUSED = "worker.refused", "worker {worker} gets no files: {reason}"
    SCHEDULER_LOST = "scheduler.lost", "the scheduler of the cluster does not answer; connecting again"

    BENCH_TRIAL_STARTED = "bench.trial_started", "trial {trial} of at most {most}: {settings}"
    BENCH_TRIAL_PROGRESS = "bench.trial_progress", "{share} of this trial's files"
    BENCH_TRIAL_ENDED = "bench.trial_ended", "{files_per_second:,.1f} files/s, {throughput}"
    BENCH_FOLDER_REMOVED = "bench.folder_removed", "the folder of a bench that was killed is removed"
    BENCH_FOLDER_KEPT = "bench.folder_kept", "the folder of a bench that was killed is kept: {reason}"
    BENCH_DISK_SKIPPED = "bench.disk_skipped", "the disk is not measured: {reason}"
