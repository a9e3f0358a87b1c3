"""The library, and the composition root: it builds the parts of a run from the settings.

    uploader                one run, from its settings to its summary
    one_call                the same as one function, async or not
    composition             provider, options and destination from the settings
    disposal_check          whether uploaded files can be removed or moved
    dry_run                 a dry run: what a run would do
    moved_source            warns of a source that seems to have been moved
    provider_trial          sends one file with each step shown
    online_check            one round trip to the service
    masked_http             its requests and answers as text, without secrets
    remote_provider         the provider of a service, for commands that are no run
    unfinished              unfinished uploads at the service
    bandwidth_schedule      sets the limit on the bandwidth by its timetable
    cluster_run             the connection to a Dask cluster, and the pipeline of its coordinator
    run_summary             the summary of a run
    run_sampler             keeps a record of the run in the journal; sample_ring bounds its samples
    settings_of_run         the settings in that record
    run_report              gathers the facts of a run for its report, and renders them
    run_log                 the log lines about a run as a whole
    watch                   `bulkup upload --watch`
    control                 the control socket of a run, and its client
    notify                  notifications of the start and the end of a run
    bench                   `bulkup bench`
    verify                  `bulkup verify`
    doctor                  `bulkup doctor`

The choice of classes and the order of set-up and tear-down belong here. How a run proceeds belongs to
`bulkup.pipeline`, and everything about terminals and command lines to `bulkup.cli`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.helpers.lazy_import import lazy_attributes

if TYPE_CHECKING:
    from bulkup.api.dry_run import Preview, place_conflicts, preview
    from bulkup.api.one_call import upload, upload_sync
    from bulkup.api.run_summary import Summary
    from bulkup.api.uploader import Uploader

__all__ = ["Preview", "Summary", "Uploader", "place_conflicts", "preview", "upload", "upload_sync"]

_HOMES = {
    "bulkup.api.dry_run": ("Preview", "place_conflicts", "preview"),
    "bulkup.api.one_call": ("upload", "upload_sync"),
    "bulkup.api.run_summary": ("Summary",),
    "bulkup.api.uploader": ("Uploader",),
}

__getattr__ = lazy_attributes(__name__, _HOMES)
