"""`python -m bulkup.pipeline.processes`: a sending process. Its standard input is a socket to its parent."""

from __future__ import annotations

import signal

from bulkup.helpers.garbage_collector import disable_gc, enable_gc
from bulkup.helpers.standard_streams import open_missing_streams

# Signals are meant for the parent. This process ends with it.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)

open_missing_streams()
disable_gc()
from bulkup.pipeline.processes.child import main  # noqa: E402  # this import is slow, and a signal may arrive meanwhile

enable_gc()
main()
