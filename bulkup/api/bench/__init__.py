"""Measures a service and the way to it: runs with generated files, one after the other, each with other settings.

    preparing  the settings of a bench, checked before anything is begun
    made       the generated files
    disk       how fast the user's own files can be read
    plan       which settings come next; pure
    trying     a trial: one run of the uploader
    watch      what is measured while it goes on: requests, queues, processor
    session    all of it, one after the other

Not here: what the trials say (`bulkup.reports`: trials, verdict, advice), and questions to the user (cli).
"""

from __future__ import annotations

from bulkup.api.bench.bench_settings import bench_choice, check_bench
from bulkup.api.bench.session import Bench, BenchLoad
from bulkup.api.bench.trial_plan import TrialPlan

__all__ = ["Bench", "BenchLoad", "TrialPlan", "bench_choice", "check_bench"]
