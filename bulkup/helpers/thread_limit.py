"""The error when the system refuses to start another thread."""

from __future__ import annotations

NO_THREADS = "this process cannot start another thread"
THREADS_HINT = "raise `ulimit -u` or the limit of the container (pids.max), or free some memory"


def is_thread_limit(error: BaseException) -> bool:
    """Return whether Python could not start a thread. It has no exception of its own for that."""
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"
