"""`python -m bulkup.pipeline.processes`: a sending process. Its standard input is a socket to who started it."""

from __future__ import annotations

import signal

from bulkup.helpers.garbage_collector import disable_gc, enable_gc

# What ends a run is between its user and the process that was started by them; this one ends with that process.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)

disable_gc()
from bulkup.pipeline.processes.child import main  # noqa: E402  # it takes a while, and signals may come meanwhile

enable_gc()
main()
