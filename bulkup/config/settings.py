"""`Settings`: every setting with its unit, effect, default and the reason for the default.

Those that choose files are in `selection`, those of the services in `services`; together they are one flat set of
names, as users write them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from bulkup.config import kinds, units
from bulkup.config.kinds import setting
from bulkup.config.services import Services


class Settings(Services):
    """All settings of one run, checked. Sizes are in bytes and durations in seconds, however they were
    written.

    Raises pydantic's ValidationError, whose text holds no values; `bulkup.config.load` turns it into a
    message.
    """

    rate_limit: kinds.Rate | None = setting(
        None,
        "a number of calls a second, or 0 for no limit",
        "Most API calls a second, 0 for no limit; sending bytes to storage is not counted. Default: the provider's "
        "own: 10 for `metastudio`, which counts them for all of an account, and no limit for the others, which say "
        "themselves when it is too much.",
        ge=0,
    )
    concurrency: kinds.Concurrency = setting(
        "auto",
        "auto, or a whole number from 1 to 1024",
        "Files sent at the same time. A number is kept to. Default: `auto`, which begins with 16 and takes as many as "
        "bring something, all through the run: from 4 to 256, to 64 of large files, and no more than the limit of open "
        "files allows.",
    )
    processes: kinds.Processes = setting(
        "auto",
        "auto, or a whole number from 1 to 64",
        "Processes that read, hash and send files; what asks, decides and records is always one. With 1 that one sends "
        "as well; a number above is kept to. Default: `auto`, which begins without others, tries some where this one "
        "uses up a core for half a second while cores are idle, and keeps them where they bring a tenth more.",
    )
    batch_size: kinds.Count | None = setting(
        None,
        "a whole number from 1",
        "Most files asked for in one API call; never more than the service takes at once. "
        "Default: the provider's own number.",
        ge=1,
    )
    calls_in_flight: kinds.Count | None = setting(
        None,
        "a whole number from 1",
        "API calls for upload URLs under way at the same time. Default: the provider's own number.",
        ge=1,
    )
    checksum: Literal["md5", "none"] = setting(
        "md5",
        "md5 or none; none only where identity is not content, and the service does not want an MD5 beforehand",
        "What is made of every file while it is sent, and compared with storage's answer: an `md5`, or `none`, which "
        "takes less of the processor and leaves every file `unverified`, without a checksum in the manifest. That a "
        "file does not change while it is read is looked at either way. Not `none` for `metastudio`. Default: `md5`.",
    )
    destination: kinds.Name | None = setting(
        None,
        "a name without control characters",
        "A name for where files go, for services that do not show the account: files uploaded to one "
        "destination are not taken as uploaded to another. Default: not set; provider, base URL and visible "
        "scope tell them apart.",
    )
    journal: kinds.PathText | None = setting(
        None,
        "the path of a file outside every source",
        "The journal of the runs. Default: a file of its own for each profile, or for provider and sources "
        "without one, in `$XDG_STATE_HOME/bulkup/`.",
    )
    store: kinds.PathText | None = setting(
        None,
        "the path of a directory outside every source",
        "Where the embedded server of provider `local` keeps its objects. Default: `store` in the user's "
        "data folder, `$XDG_DATA_HOME/bulkup/`.",
    )
    max_duration: kinds.Duration | None = setting(
        None,
        f"{units.DURATION}, longer than 0",
        "How long after its start the run begins no new file; those in flight are finished, however long they "
        "take, and the rest is left to the next run, with exit status 6. Time waited for another run's journal "
        "does not count. Seconds. Default: no limit.",
        gt=0,
    )
    max_failures: kinds.Count | None = setting(
        None,
        "a whole number from 1",
        "How many files may fail for good before the run is stopped, 1 for the first one; those in flight have "
        "`grace` to end. Files that are rejected, unreadable or changed do not count. Default: no limit, because "
        "one file's fault is seldom another's.",
        ge=1,
    )
    grace: kinds.Duration = setting(
        30.0,
        units.DURATION,
        "How long files in flight may go on after a signal, or what else ends a run but `max_duration`, before they "
        "are given back. Seconds. Default: 30, well within the 90 that systemd waits before it kills.",
    )
    on_change: Literal["skip", "retry", "fail"] = setting(
        "skip",
        "skip, retry or fail",
        "What becomes of a file that changes or vanishes while it is read: `skip` leaves it to the next run and "
        "counts for exit status 3, `retry` looks at it again up to three times, after 1, 4 and 16 seconds, before it "
        "does so, `fail` counts it as failed. Whatever is chosen, it is never recorded with bytes that are not its "
        "own. Default: `skip`, because a file that is being written to is best taken when it is whole.",
    )
    attempts: kinds.Count = setting(
        10,
        "a whole number from 1",
        "Tries for one file in one run before it counts as failed. A 429, a 503 and a host that is not reached cost no "
        "try, only time (`retry_for`). A service that has not answered one call with success is given up after so many "
        "calls, after 5 where nothing is reached: its address is most likely wrong. Default: 10.",
        ge=1,
    )
    retry_for: kinds.Duration = setting(
        900.0,
        units.DURATION,
        "How long one file is tried again, counted from its first failure, and how long a host may answer nobody "
        "before the run ends. Seconds. Default: 900 (15 minutes): the next run is better placed to mend what lasts "
        "longer.",
    )
    retry_after_max: kinds.Duration = setting(
        300.0,
        units.DURATION,
        "The longest wait that a service or its storage may ask for (`Retry-After`); where one asks for more, it is "
        "asked again after this time. Seconds. Default: 300.",
    )
    connect_timeout: kinds.Duration = setting(
        30.0,
        f"{units.DURATION}, longer than 0",
        "How long a connection may take to come about. Seconds. Default: 30.",
        gt=0,
    )
    idle_timeout: kinds.Duration = setting(
        60.0,
        f"{units.DURATION}, longer than 0",
        "How long a connection may carry nothing before it is given up; there is no limit on a whole "
        "upload, since a large file may take hours. Seconds. Default: 60.",
        gt=0,
    )
    sender: Literal["lean", "aiohttp"] = setting(
        "lean",
        "lean or aiohttp",
        "What carries files to storage: the `lean` HTTP/1.1 client that is bulkup's own, or the `aiohttp` client, "
        "which takes several times as much of the processor and is there in case a network does not get on with the "
        "other. Calls to the service's API go by `aiohttp` either way. Default: `lean`.",
    )
    wait: bool = setting(
        False,
        "true or false",
        "Wait while another run holds the journal, instead of ending with exit status 5. Default: false, "
        "because waiting runs of a timer pile up.",
    )
    log_format: Literal["console", "json"] = setting(
        "console",
        "console or json",
        "Log lines on standard error for people, or as JSON for collectors. Default: `console`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info",
        "debug, info, warning or error",
        "The least severe log lines to show. Default: `info`.",
    )
    quiet: bool = setting(
        False,
        "true or false",
        "No progress and no summary for people; errors are shown. Default: false.",
    )
    json_output: bool = setting(
        False,
        "true or false",
        "One JSON object a line on standard output and nothing else there; the last object is the summary. "
        "Default: false.",
    )

    @field_validator("checksum")
    @classmethod
    def _something_to_compare(cls, value: str, info: ValidationInfo) -> str:
        if value == "none" and info.data.get("identity") == "content":
            raise ValueError("expected md5, since identity is content: that compares checksums")
        return value
