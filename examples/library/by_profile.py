"""Upload a profile of the configuration file, from code that is not async."""

import sys

from bulkup import BulkupError, upload_sync

try:
    summary = upload_sync(profile="nightly", max_duration="6h")
except BulkupError as error:  # it could not start
    sys.exit(f"{error.message}; {error.hint}")
print(f"{summary.counters.uploaded} files uploaded, {summary.counters.failed} failed")
sys.exit(summary.exit_code)
