"""The library, and the composition root: settings become parts, the parts become a run.

Here belongs the choice of classes and the order of setting up and tearing down. Not here: how a run goes (pipeline),
and anything about terminals or command lines (cli).
"""

from __future__ import annotations

from bulkup.api.preview import Preview, place_conflicts, preview
from bulkup.api.run_summary import Summary
from bulkup.api.uploader import Uploader, upload

__all__ = ["Preview", "Summary", "Uploader", "place_conflicts", "preview", "upload"]
