"""The constants of a run on a cluster that no setting changes. Tests pass other ones."""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Times in seconds, sizes in bytes.

    All workers together have at most `in_flight` files. The coordinator keeps about two kilobytes of each.

    A group has at most `group_files` files, and ends with the file that brings it to `group_bytes`. It is the work of a
    worker for `group_seconds`, or more if many files wait. A worker has at least `least_files` and `least_bytes` in
    flight, or what it sends in `window` seconds if that is more, up to `most_files` and `most_bytes`. It always gets
    `fewest_files`, however large they are.

    A worker that has heard nothing from the coordinator for `lease` stops sending. The coordinator gives up a worker
    that has not answered for `silence`, which is longer: the files then belong to others. A call to a worker that has
    nothing to report returns after `poll`. One that has waits `linger`, and `linger_per_worker` for each worker, so
    that more records share a message. The list of workers is read every `look`. The first worker has `first_worker` to
    appear, and a lost scheduler `reconnect` to return. A call that failed is repeated after `pause`. A worker that was
    refused is tried again after `refused`.

    A worker reports its figures every `figures`. Before its first file, up to `probe_bytes` of a file are compared, at
    most `probes` times. Clocks may differ by `clock_difference`. A refusal that another worker met counts as one's own
    if the gate has narrowed in the last `echo`. After a stop, workers have `last_reports` beyond the grace.
    """

    in_flight: int = 50_000
    group_files: int = 256
    group_bytes: int = 256 * MIB
    group_seconds: float = 1.0
    least_files: int = 2048
    most_files: int = 10_000
    fewest_files: int = 16
    least_bytes: int = 128 * MIB
    most_bytes: int = 16 * 1024 * MIB
    window: float = 5.0
    lease: float = 20.0
    silence: float = 30.0
    poll: float = 1.0
    linger: float = 0.004
    linger_per_worker: float = 0.005
    look: float = 1.0
    first_worker: float = 60.0
    reconnect: float = 60.0
    pause: float = 0.25
    refused: float = 60.0
    figures: float = 0.5
    probe_bytes: int = MIB
    probes: int = 3
    probe_pause: float = 1.0
    clock_difference: float = 5.0
    echo: float = 0.25
    last_reports: float = 5.0
