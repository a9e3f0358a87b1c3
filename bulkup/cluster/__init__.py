"""A run on more than one machine: one coordinator, and a session on each worker of a Dask cluster.

On the coordinator, the process of `bulkup upload`:

    coordinator        builds the stages that stay: scanner, distributor, recorder
    distributor        gives files to workers, and keeps a session on each
    assignments        which file is with which worker, by epochs; pure
    file_groups        the size of groups, and the worker of the next one; pure
    worker_link        the calls to one worker
    worker_admission   versions, clock, and the begin of a session
    source_comparison  compares the sources with a worker's
    journal_records    carries out the records of workers on the journal
    fleet_figures      sums figures, and keeps a row for each worker; pure
    dask_fleet         the connection to the scheduler
    local_cluster      `--cluster local:N`
    scheduler_address  whether credentials may go to an address
    cluster_error      the error of a cluster that fails; cluster_options has the constants

On a worker:

    session_actor      the object that Dask keeps
    worker_session     a pipeline over files that arrive
    worker_credentials the credentials that it uses
    group_intake       its first stage, in place of the scanner
    remote_recorder    its last stage, in place of the recorder
    journal_proxy      the journal as its stages see it
    uplink             the messages for the coordinator
    held_files         the numbers of files
    remote_throttle    the limits that all workers share
    source_probe       a file as this machine sees it

On both: `worker_channel` is the interface between them, `session_setup` the first message, `wire_values` files and
outcomes as plain values, `sealed_body` the body of a message, `device_numbers` the devices of two machines.

Not here: stages that run on one machine as well (pipeline), settings (config), their way into options (api).
"""
