"""The output for people and programs: progress, JSON lines, summary, exit code, manifest, tables, logs.

This package turns counters, results and journal rows (`bulkup.model`) into text or JSON. It opens no files, queries no
journal and does not import the pipeline: `bulkup.api` and `bulkup.cli` pass rows and streams. Text from outside (file
names, messages of servers) passes `safe_text` on its way to a terminal, and `json_text` on its way to a program.
"""
