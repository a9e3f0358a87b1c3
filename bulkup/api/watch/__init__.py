"""`bulkup upload --watch`: stay up, and upload files as they arrive.

    pending_paths   paths that changed, until nothing has changed them for a while
    watch_plan      the next step: a run of all files, a run of settled ones, or a pause
    path_filter     changed paths that a run would not take by their names
    folder_events   the events of the file system, by the package watchfiles
    watcher         connects these, and has the runs carried out
    watch_controls  the control socket over all runs of a watch
    watch_check     settings that a watch cannot have

Each upload is a run of its own (docs/adr/0014-a-watch-is-many-runs.md). The runs belong to the caller, which shows and
reports them as any other run.
"""
