"""The library, and the composition root: it builds the parts of a run from the settings.

    uploader                one run, from its settings to its summary
    composition             provider, options and destination from the settings
    preview                 a dry run
    rate_limit, clock_skew  wrap API calls: their rate, and a warning about a wrong clock
    run_summary             the summary of a run
    bench                   `bulkup bench`

The choice of classes and the order of set-up and tear-down belong here. How a run proceeds belongs to
`bulkup.pipeline`, and everything about terminals and command lines to `bulkup.cli`.
"""

from __future__ import annotations

from bulkup.api.preview import Preview, place_conflicts, preview
from bulkup.api.run_summary import Summary
from bulkup.api.uploader import Uploader, upload

__all__ = ["Preview", "Summary", "Uploader", "place_conflicts", "preview", "upload"]
