"""The output for people and programs: progress, JSON lines, summary, exit code, manifest, tables, logs.

    display, progress_log    progress during a run, on a terminal and in the log; progress_rate computes its figures
    display_lines, live_view the lines of the display, and the view that draws them; progress_text has the words
    watch_lines              the lines of a watch that waits
    summary, exit_code       the end of a run
    json_lines, json_text    `--json`, and text that is safe in it
    tables, manifest         rows of the journal; runs_list has the runs
    parquet_manifest         the manifest as Parquet
    verify_report            the results of a verification
    next_commands            the commands that mend files
    setting_values           the values of settings as text
    failure_report, file_report  why files were not uploaded; all that is known of one file
    last_run                 what ended the last run, beside the files that it did not upload
    logs, error_console      the log on standard error; log_lines are its lines, log_file a file for them
    metrics                  the figures of a run for Prometheus
    run_report               the report of a run: a page, text, Markdown, JSON
    formatting, safe_text    numbers and text from outside, for people
    bench_trials             measurements of a bench; bench_report, bench_verdict and bench_advice present them

This package turns counters, results and journal rows (`bulkup.model`) into text or JSON. It opens no files but that of
the log, queries no journal and does not import the pipeline: `bulkup.api` and `bulkup.cli` pass rows and streams. Text
from outside (file names, messages of servers) passes `safe_text` on its way to a terminal, and `json_text` on its way
to a program.
"""
