"""What people and programs get to read: progress, JSON lines, summary, exit code, manifest, tables, logs.

This package turns counters, results and journal rows (`bulkup.model`) into text or JSON. Reports only read: they open
no file, query no journal and do not import the pipeline. `bulkup.api` and `bulkup.cli` pass rows and streams in. Text
from outside (file names, messages of servers) passes through `safe_text` before a
terminal sees it and through `json_text` before a program does.
"""
