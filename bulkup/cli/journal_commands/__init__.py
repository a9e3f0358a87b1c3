"""The commands that read a journal. They take no lock and disturb no run; only `runs --prune` writes.

    status_command    the numbers of files in each state and the last run, or a single file
    failures_command  why files were not uploaded
    report_command    a run as a page, and in other formats
    runs_command      the runs; pruning
    manifest_command  every file; merge_command those of several journals
    orphans_command   remote ids that are not needed; unfinished uploads
    verify_command    uploaded files compared with the disk and the service
    command_parameters  parameters that several of them declare

The text and JSON that they print are made in `bulkup.reports`, the rows are read in `bulkup.journal`.
"""
