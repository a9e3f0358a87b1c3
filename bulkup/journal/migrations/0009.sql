-- Version 9: what a run noted of itself for its report: figures over time, durations, files that stand out, settings.

-- Replaced a few times a minute during the run, and a few kilobytes long whatever the run's length.
CREATE TABLE run_records (
    run_id INTEGER PRIMARY KEY,
    record TEXT NOT NULL
);
