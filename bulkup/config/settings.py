"""`Settings`: every setting of a run, declared once.

The settings that choose files are in `selection`, those of the services in `services` and `buckets`. Together they are
one flat set of names. `declaration` explains the parts of a declaration. The help and docs/settings.md have the order
of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bulkup.config.buckets import Buckets
from bulkup.config.checked_model import check
from bulkup.config.declaration import Option, Panel, setting
from bulkup.config.local_time import TimeOfDay
from bulkup.config.setting_types import (
    Address,
    ClusterAddress,
    Concurrency,
    Count,
    LocalTime,
    Name,
    NotifyTable,
    OptionalBandwidthLimit,
    OptionalLocalTime,
    OptionalSecondsAboveZero,
    OptionalSizeAboveZero,
    PathText,
    Processes,
    Rate,
    ReportTable,
    Seconds,
    SecondsAboveZero,
    SizeInBytes,
)


class Settings(Buckets):
    """All settings of one run, checked. Sizes are in bytes and durations in seconds, however they were written.

    Raises pydantic's ValidationError, whose text holds no values. `bulkup.config.load` turns it into a message.
    """

    destination: Name | None = setting(
        None,
        "A name for the account or place that files go to, at services that do not show it. Files uploaded to one "
        "destination do not count as uploaded to another.",
        about_default="Provider, base URL and the visible part of the account tell destinations apart.",
        option=Option("A name for the account, if the service shows none.", Panel.RUN),
    )
    journal: PathText | None = setting(
        None,
        "The journal of the runs.",
        about_default="Each profile of a configuration file has its own file in `$XDG_STATE_HOME/bulkup/`; without a "
        "profile, each combination of provider and sources has one.",
        expects="the path of a file outside every source",
        option=Option("The journal: the file that records the state of every file.", Panel.RUN),
    )
    store: PathText | None = setting(
        None,
        "Where the embedded server of provider `local` keeps its objects.",
        about_default="The directory `store` in the user's data folder, `$XDG_DATA_HOME/bulkup/`, is used.",
        expects="the path of a directory outside every source",
        option=Option("Where --provider local keeps objects.", Panel.RUN, metavar="DIR"),
    )
    source_id: Name | None = setting(
        None,
        "A name for the source in the journal, instead of its path. A source that was moved, is mounted elsewhere or "
        "is on another machine stays the same source, and nothing is uploaded again. Only for a run with one source. A "
        "new name takes over the files that were uploaded from this path, or from the path that the name spells.",
        about_default="The journal identifies a source by its real path.",
        option=Option("A name for the source, instead of its path.", Panel.RUN),
    )
    json_output: bool = setting(
        False,
        "Print one JSON object per line on standard output, and nothing else there. The last object is the summary.",
        name="json",
        not_in_profile="the form of the output is decided by the program that reads it, which also starts the command",
        option=Option("One JSON object per line on standard output.", Panel.RUN),
    )
    concurrency: Concurrency = setting(
        "auto",
        "Files sent at the same time. A number is fixed.",
        about_default="It begins with 16, or with 64 over a link with latency. It adjusts the number throughout the "
        "run: from 4 to 256, up to 64 for large files, and within the limit of open files. It adds workers only while "
        "they increase the throughput.",
        option=Option("Files sent at the same time; auto adjusts it.", Panel.SPEED),
    )
    processes: Processes = setting(
        "auto",
        "Processes that read, hash and send files. One process always asks for URLs, decides and writes the journal; "
        "with 1 it also sends the files. A larger number is fixed.",
        about_default="It begins without further processes. It starts some once the first process has used a whole "
        "core for half a second while other cores are idle, and enough files wait for two more seconds.",
        option=Option("Processes that send files; auto adjusts it.", Panel.SPEED),
    )
    cluster: ClusterAddress | None = setting(
        None,
        "Send with the workers of a Dask cluster: the address of its scheduler, such as `tls://scheduler:8786`, or "
        "`local:N` for N workers on this machine, which end with the run. This machine finds the files, decides and "
        "writes the journal. The workers ask for URLs and send, and need the sources at the same paths. "
        "docs/how-to/cluster.md explains it. It needs the extra `bulkup[cluster]`.",
        about_default="This machine sends the files.",
        expects="the address of a Dask scheduler, or local:N",
        option=Option("Send with the workers of a Dask cluster.", Panel.SPEED, metavar="ADDRESS"),
    )
    cluster_insecure: bool = setting(
        False,
        "Send credentials and upload URLs to a scheduler on another machine without TLS. Everyone who can read the "
        "network can then use them.",
        about_default="A run with such a scheduler is refused.",
        option=Option("Allow a scheduler on another machine without TLS.", Panel.SPEED),
    )
    cluster_credentials: Literal["send", "workers"] = setting(
        "send",
        "How the workers of a cluster get the service's credentials: this machine fetches and sends them (`send`), or "
        "each worker fetches them itself (`workers`). With `workers` they are given as env:NAME, file:PATH or "
        "command:ARGV, which name something on the worker, and this machine does not need them. A worker that cannot "
        "fetch them gets no files.",
        option=Option("Send credentials to the workers of a cluster, or let workers fetch them.", Panel.SPEED),
    )
    batch_size: Count | None = setting(
        None,
        "The largest number of files in one API call. The service's own limit applies as well.",
        about_default="The provider's own number is used.",
        option=Option("Files in one API call.", Panel.SPEED),
    )
    calls_in_flight: Count | None = setting(
        None,
        "API calls for upload URLs at the same time. A number below the provider's own also limits closing calls, of "
        "which there are 32 otherwise.",
        about_default="The provider's own number is used.",
        option=Option("API calls at the same time.", Panel.SPEED),
    )
    checksum: Literal["md5", "none"] = setting(
        "md5",
        "The checksum that is computed of every file while it is sent, and compared with storage's answer. With `md5` "
        "it is an MD5, or the checksum that the service needs in its place. With `none` a run takes less CPU time, "
        "every file is `unverified`, and the manifest has no checksums. Changes of a file while it is read are noticed "
        "in both cases. A service that needs a checksum before the upload does not allow `none`, such as `metastudio`."
        "\n\n"
        "A file sent without a checksum is recognised by size and times alone. If other metadata differs (`identity`), "
        "it is sent again, because there is no checksum to compare its content with. Files that an earlier run "
        "recorded with an MD5 keep it, and are still read again if their content decides.",
        expects="md5 or none (not none if identity is content, or if the service needs a checksum before the upload)",
        option=Option("none: compute no checksum; files stay unverified.", Panel.SPEED),
    )
    rate_limit: Rate | None = setting(
        None,
        "The largest number of API calls per second, 0 for no limit. Sending bytes to storage does not count.",
        about_default="The limit is 10 for `metastudio`, which counts all calls of an account. The other services say "
        "themselves when a client is too fast.",
        option=Option("API calls per second; 0: no limit.", Panel.SPEED),
    )
    bwlimit: OptionalBandwidthLimit = setting(
        None,
        "The most bytes of files to send per second, by all processes of the run together: a rate with its unit such "
        "as `20M`, `off`, or a timetable such as `Mon-Fri 08:00,2M 18:00,off`. Headers, TLS and packets come on top, "
        "as do calls to the service."
        "\n\n"
        "An entry of a timetable is in force from its local time on until that of the next entry, if need be over "
        "days. Days such as `Mon-Fri` or `Sat,Sun` hold for the entries after them. Entries before any days hold on "
        "every day. Where the clock is set forward past a time, the entry begins then."
        "\n\n"
        "Files under way get at least 8 KiB per second each. So a low limit also lowers the number of files sent at "
        "the same time, and `concurrency` is the upper bound. A run of a profile without a terminal, as under a timer, "
        "reads the setting anew on SIGHUP.",
        about_default="There is no limit.",
        option=Option("Bytes per second, e.g. 20M, or a timetable.", Panel.SPEED, metavar="RATE"),
    )
    attempts: Count = setting(
        10,
        "Attempts for one file in one run before it counts as failed. A 429, a 503 and an unreachable host cost no "
        "attempt, only time (`retry_for`). A run also ends if a service has answered none of this many calls with "
        "success, or none of 5 calls if it was never reached: its address is most likely wrong.",
        option=Option("Attempts for one file.", Panel.SPEED),
    )
    retry_for: Seconds = setting(
        900.0,
        "How long one file is tried again, counted from its first failure, and how long a host may answer no request "
        "before the run ends.",
        about_default="The next run has a better chance of getting past a fault that lasts longer.",
        option=Option("How long to retry a file after its first failure.", Panel.SPEED),
    )
    retry_after_max: Seconds = setting(
        300.0,
        "The longest wait that a service or its storage may ask for (`Retry-After`). After a longer request, the next "
        "attempt is made after this time.",
        option=Option("The longest wait that a service may ask for.", Panel.SPEED),
    )
    connect_timeout: SecondsAboveZero = setting(
        30.0,
        "How long it may take to establish a connection.",
        option=Option("Time to establish a connection.", Panel.SPEED),
    )
    idle_timeout: SecondsAboveZero = setting(
        60.0,
        "How long a connection may carry no data before it is closed. There is no limit on a whole upload, because a "
        "large file may take hours. A sending process that hangs or is stopped for this time, and at least for two "
        "seconds, is killed, and its files are tried again.",
        option=Option("Time without data before a connection is closed.", Panel.SPEED),
    )
    sender: Literal["lean", "aiohttp"] = setting(
        "lean",
        "The client that sends files to storage: bulkup's own `lean` HTTP/1.1 client, or `aiohttp`. The latter takes "
        "several times as much CPU time, and is an alternative for networks in which `lean` has problems. Calls to the "
        "service's API always use `aiohttp`.",
        option=Option("The client that sends files to storage.", Panel.SPEED),
    )
    order: Literal["path", "newest", "oldest", "smallest", "largest"] | None = setting(
        None,
        "The order in which files are sent: by path, by modification time, or by size. To bound the memory, 20,000 "
        "files that need something are looked at ahead. A smaller number is sorted completely, and none of them is "
        "sent before all are found. Of a larger one, the first of each 20,000 is sent next. Several files are sent at "
        "once, so they arrive nearly in this order."
        "\n\n"
        "With `newest` and `max_files` or `until`, a run sends the most recent files first and leaves the others to "
        "later runs.",
        about_default="Files are sent in the order of the scan, large ones a little earlier, which is fastest.",
        option=Option("Send files by path, age or size.", Panel.SPEED),
    )
    max_duration: OptionalSecondsAboveZero = setting(
        None,
        "The time after which a run starts no new file. Files in flight are finished, however long they take. Calls "
        "for further URLs end within `grace`. The rest is left to the next run, and the exit code is 6. Time spent "
        "waiting for another run's journal does not count.",
        about_default="There is no limit.",
        option=Option("Start no new file after this time; exit code 6.", Panel.SPEED),
    )
    until: OptionalLocalTime = setting(
        None,
        "The local time of day after which a run starts no new file: the next time that the clock shows it, which may "
        "be tomorrow. The run then ends as after `max_duration`, whichever comes first."
        "\n\n"
        "On a day on which the clock is set forward past this time, the run ends when the clock is set. If a run waits "
        "for another run's journal until this time has passed, it ends without sending a file.",
        about_default="There is no limit.",
        option=Option("Start no new file after this time of day; exit code 6.", Panel.SPEED, metavar="HH:MM"),
    )
    max_files: Count | None = setting(
        None,
        "The largest number of files that a run sends. Files that are unchanged do not count, nor do those that are "
        "rejected without a call. Files that were begun are finished, with all retries. The rest is left to the next "
        "run, and the exit code is 6 if there is any.",
        about_default="There is no limit.",
        option=Option("Send at most this many files; exit code 6.", Panel.SPEED),
    )
    max_bytes: OptionalSizeAboveZero = setting(
        None,
        "The size of the files after which a run starts no new file. The last file may exceed it, because a file "
        "larger than the limit could otherwise never be sent. Bytes that are sent again do not count. Otherwise as "
        "`max_files`.",
        about_default="There is no limit.",
        option=Option("Start no new file after files of this size; exit code 6.", Panel.SPEED),
    )
    max_failures: Count | None = setting(
        None,
        "The number of failed files that stops the run, 1 for the first one. Files in flight then have `grace` to "
        "finish. Files that the service rejects count. Those that are rejected without a call do not, nor do "
        "unreadable and changed files.",
        about_default="There is no limit, because the failure of one file says little about the others.",
        option=Option("Stop after this many files have failed.", Panel.SPEED),
    )
    watch: bool = setting(
        False,
        "Stay up, and upload files as they arrive. All files are looked at in the beginning, every night at "
        "`rescan_at`, and after changes were missed. It needs the extra `bulkup[watch]`."
        "\n\n"
        "A file is sent once it has not changed for 5 seconds, or for `min_age` if that is longer. Each upload is a "
        "run of its own ([how-to/watch.md](how-to/watch.md)).",
        not_in_profile="a scheduled run of the profile would never end",
        option=Option("Stay up, and upload files as they arrive.", Panel.RUN),
    )
    rescan_at: LocalTime = setting(
        TimeOfDay(3, 0),
        "With `watch`: the local time of day at which all files are looked at, to find those whose arrival was missed.",
        about_default="Little else happens then.",
        option=Option("With --watch: when to look at all files.", Panel.RUN, metavar="HH:MM"),
    )
    grace: Seconds = setting(
        30.0,
        "How long files in flight may continue after a signal, or after any other end of a run except `max_duration`.",
        about_default="systemd kills a service after 90 seconds, so the run has ended before that.",
        option=Option("Time for files in flight after a signal.", Panel.SPEED),
    )
    wait: bool = setting(
        False,
        "Wait while another run holds the journal, instead of ending with exit code 5.",
        about_default="Runs that wait for each other would pile up under a timer.",
        option=Option("Wait for a run that holds the journal.", Panel.SPEED),
    )
    quiet: bool = setting(
        False,
        "Show no progress and no summary. Errors are shown.",
        not_in_profile="it would also silence the profile for a person at a terminal",
        option=Option("Show errors only.", Panel.OUTPUT, names=("--quiet", "-q")),
    )
    count: bool = setting(
        True,
        "Count the files ahead of the upload, so that the progress has percentage and remaining time. The count reads "
        "names and sizes in a thread of its own, if the tree has more files than the run takes at once. It ends with "
        "the scan, and decides nothing else. A run with `--quiet` does not count.",
        about_default="It takes a few microseconds of CPU time for each file, and no memory. Turn it off where listing "
        "a directory is slow or costs money, as on some network file systems.",
        option=Option("Count files ahead, for percentage and ETA.", Panel.OUTPUT, names=("--count/--no-count",)),
    )
    verbose: bool = setting(
        False,
        "The live view also shows the number of files at each stage, and the concurrency.",
        option=Option("Show the files at each stage.", Panel.OUTPUT, names=("--verbose", "-v")),
    )
    log_format: Literal["console", "json"] = setting(
        "console",
        "The form of log lines on standard error: for people, or JSON for log collectors.",
        option=Option("Form of the log.", Panel.OUTPUT),
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info",
        "The least severe log lines to show.",
        option=Option("debug, info, warning or error.", Panel.OUTPUT, metavar="LEVEL"),
    )
    log_file: PathText | None = setting(
        None,
        "A file that the log is appended to, beside standard error. Only its owner can read it (mode 0600). A thread "
        "of its own writes it, so a slow disk does not slow the run. If the disk is full, lines are lost, one warning "
        "says so, and the run continues. With `quiet`, and on a terminal, it has the lines that standard error leaves "
        "out, such as `progress`.",
        about_default="There is no log file.",
        expects="the path of a file outside every source",
        option=Option("A file for the log, beside standard error.", Panel.OUTPUT),
    )
    log_file_size: SizeInBytes = setting(
        10 * 1024**2,
        "The size at which `log_file` is renamed to `log_file.1`, and a new one begins. 0 is no limit: then another "
        "program can rename it at any time, and the run begins a new one.",
        about_default="These are 10 MiB.",
        option=Option("Size at which a new log file begins.", Panel.OUTPUT),
    )
    log_file_count: Count = setting(
        5,
        "The number of older log files that are kept, as `log_file.1`, `log_file.2` and so on.",
        option=Option("Number of older log files to keep.", Panel.OUTPUT),
    )
    metrics_file: PathText | None = setting(
        None,
        "A file with metrics of the run for the textfile collector of Prometheus' node_exporter. It is replaced every "
        "15 seconds, and once more at the end. It needs the extra `bulkup[metrics]`.",
        about_default="There are no metrics.",
        expects="the path of a file that ends in .prom",
        option=Option("A .prom file for node_exporter's textfile collector.", Panel.OUTPUT),
    )
    metrics_addr: Address | None = setting(
        None,
        "The address at which Prometheus can ask for the metrics of the run, until it ends. It needs the extra "
        "`bulkup[metrics]`. Every program that reaches the address can read them; they hold no secrets, but reasons of "
        "failures.",
        about_default="There is no such server.",
        option=Option("Serve metrics at HOST:PORT while the run goes on.", Panel.OUTPUT),
    )
    notify: NotifyTable | None = setting(
        None,
        "Receivers of notifications at the start and the end of a run: pings, a webhook, a text for Slack, a command. "
        "docs/notifications.md explains its keys. Notifications change neither a run nor its exit code.",
        about_default="No notifications are sent.",
    )
    report: ReportTable | None = setting(
        None,
        "The report that is written after each run: a path whose ending chooses the format (`.html`, `.md`, `.txt`, "
        "`.json`), or a table with `path` and `url`. docs/report.md explains both. A report that cannot be written is "
        "a warning. A page needs the extra `bulkup[report]`.",
        about_default="No report is written; `bulkup report` makes one at any time.",
    )

    @classmethod
    @check("checksum")
    def _allowed_with_identity(cls, value: str, others: Mapping[str, Any]) -> str:
        if value == "none" and others.get("identity") == "content":
            raise ValueError("expected md5, since identity is content: that compares checksums")
        return value
