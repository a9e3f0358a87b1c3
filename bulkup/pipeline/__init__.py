"""The flow of files. The modules of this folder are the stages and the parts they share; its folders hold the details.

    scanner     finds files, asks the journal about them, and passes on those that need something    scan/
    admission   refuses further files once the run has as many as it may send
    count_ahead counts files ahead of the scanner, for the progress alone                            scan/
    hasher      hashes a file before it gets a ticket, where that is needed                          files/
    batcher     groups files that lack a ticket into presign calls                                   presign/
    ready       keeps files that have a ticket until a worker may send them
    workers     make one attempt at a time, and pass a failed file on by the decision about it       send/, files/
    dispatcher  gives files to sending processes, in groups, in place of the workers                 processes/
    parts       divides large files of services whose parts have tickets of their own
    closer      makes the closing calls and polls of services that have them
    rechecker   looks again at files that changed while they were read
    recorder    settles files: journal first, then counters and results, then the budget
    disposal    removes or moves uploaded files, where a setting asks for it                         files/

    flow          builds the stages and connects them
    routes        where a stage passes a file on
    run           the parts that all stages of a run share, and the request to stop
    api_calls     the loop of API calls under the gate of the API; batcher, closer and parts each have one
    budget        the number of files in flight, and of bytes in memory
    throttle      the limit on the bytes that are sent per second, with the requests that wait
    pause         whether the run is paused, and from when on its time limits count
    cut_off       ends presign calls under way when a run has waited long enough for them
    worker_tasks  starts the workers, and changes their number during a run
    worker_limit  the number of workers that may have a file
    under_way     the files that are being sent, as the progress shows them
    sending_order the order in which workers get large and small files
    part_queue    the order of parts, and the end of their files; part_calls requests the tickets of parts
    options       the values of a run that come from settings; tunables has the others

`policy/` decides about problems: retries, host gates, errors that end a run, redaction of secrets. `tuning/` finds the
number of workers and of sending processes, `processes/` are those processes. `files/` opens, reads and hashes.

Not here: the meaning of a service's answers (providers), sockets (transport), SQL (journal), output (reports).
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
