"""Measures a service and the way to it: runs with generated files, one after the other, each with other settings.

    made     the generated files
    watch    what is measured while a run goes on: requests, queues, processor
    disk     how fast the user's own files can be read
    plan     which settings come next; pure
    session  carries it out

Not here: what the trials say (`bulkup.reports`: trials, verdict, advice), and questions to the user (cli).
"""

from __future__ import annotations

from bulkup.api.bench.plan import Plan
from bulkup.api.bench.session import Bench, Load, bench_choice, check

__all__ = ["Bench", "Load", "Plan", "bench_choice", "check"]
