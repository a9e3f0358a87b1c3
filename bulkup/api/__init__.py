"""The library, and the composition root: it builds the parts of a run from the settings.

The choice of classes and the order of set-up and tear-down belong here. How a run proceeds belongs to the pipeline, and
everything about terminals and command lines to cli.
"""

from __future__ import annotations

from bulkup.api.preview import Preview, place_conflicts, preview
from bulkup.api.run_summary import Summary
from bulkup.api.uploader import Uploader, upload

__all__ = ["Preview", "Summary", "Uploader", "place_conflicts", "preview", "upload"]
