"""The flow of files, one module a stage. Whoever has read this folder knows the program.

    scanner      walks the sources off the event loop, asks the journal, lets files go against the budget
    hasher       reads a file ahead: where the provider wants the checksum first, or the journal is in doubt
    batcher      groups files into presign calls, asks no further ahead than URLs are used, keeps what has to wait
    workers      a bounded pool; one attempt each, never asleep
    sending      one attempt: a body or its parts to where the ticket says, and what the answer proves
    confirmer    the closing calls and their polls, where a provider has them
    second_look  files that changed meanwhile, where they are to be tried again
    recorder     the only writer: journal first, then the figures, then the budget back
    flow         wires them, and nothing else does

Decisions are pure functions beside the stages: `plan` and `wishes` (what is to become of a file; `sieve` spares those
that are plainly as they were uploaded), `leases` (when and how much to ask), `gate` and `retry_budget` (how many
requests a host gets), `retry` (what comes after a problem), `integrity` (what storage's answer proves), `lending`
(which files the system may copy unseen), `filters`. They take a time and return a value. `opening`, `reading`,
`streaming` and `hashing` are all that touches the user's files.

Not here: what a service's answers mean (providers), sockets (transport), SQL (journal), what people see (reports).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.helpers.lazy_import import lazy_attributes

if TYPE_CHECKING:
    from bulkup.pipeline.flow import Pipeline
    from bulkup.pipeline.options import MOST_WORKERS, PipelineOptions, RetryPolicy, ScanOptions
    from bulkup.pipeline.run import Run, Stop
    from bulkup.pipeline.tunables import Tunables

__all__ = ["MOST_WORKERS", "Pipeline", "PipelineOptions", "RetryPolicy", "Run", "ScanOptions", "Stop", "Tunables"]

_HOMES = {
    "bulkup.pipeline.flow": ("Pipeline",),
    "bulkup.pipeline.options": ("MOST_WORKERS", "PipelineOptions", "RetryPolicy", "ScanOptions"),
    "bulkup.pipeline.run": ("Run", "Stop"),
    "bulkup.pipeline.tunables": ("Tunables",),
}

# A sending process is no pipeline, and has to start fast.
__getattr__ = lazy_attributes(__name__, _HOMES)
