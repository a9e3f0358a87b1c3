"""The figures of a run as metrics for Prometheus (extra `bulkup[metrics]`).

    run_metrics     the figures as metric families
    exporter        writes them into a file, and serves them

Which figures a run has belongs to `bulkup.model.counters`.
"""
