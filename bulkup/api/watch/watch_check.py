"""Settings that a watch cannot have. Pure."""

from __future__ import annotations

from bulkup.config import Settings
from bulkup.errors import UsageError

# Each of these ends a run early or belongs to a single one, and a watch has no end.
_CONTRADICT = ("files_from", "urls", "cluster", "max_duration", "until", "max_files", "max_bytes", "metrics_addr")
_HINTS = {
    "urls": "a list of URLs is read once, and has no URL for a file that arrives later",
    "cluster": "its workers are connected for one run; watch on one machine",
    "metrics_addr": "use metrics_file, which is written by each run",
}


def check_watch(settings: Settings) -> None:
    """Raise `UsageError` for a setting that contradicts a watch."""
    for name in _CONTRADICT:
        if getattr(settings, name) is not None:
            hint = _HINTS.get(name, "leave it out; a watch ends with a signal or `bulkup control stop`")
            raise UsageError(f"watch cannot be combined with {name}", hint=hint)
