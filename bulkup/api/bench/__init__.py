"""Measures the throughput to a service: one run after another with generated files, each with other settings.

    bench_settings   the settings of a bench, and their checks
    generated_files  the files that are uploaded
    disk             the speed of reading the user's own files
    trial_plan       the choice of the next settings, without I/O
    trial_run        a trial: one run of the uploader
    measuring        the measurements during a trial: requests, queues, processor time
    session          the whole bench

The conclusions from the trials belong to `bulkup.reports` (bench_trials, bench_verdict, bench_advice), and questions to
the user to cli.
"""

from __future__ import annotations

from bulkup.api.bench.bench_settings import bench_choice, bench_extension, check_bench
from bulkup.api.bench.session import Bench, BenchLoad
from bulkup.api.bench.trial_plan import TrialPlan

__all__ = ["Bench", "BenchLoad", "TrialPlan", "bench_choice", "bench_extension", "check_bench"]
