"""What people and programs get to read: progress, JSON lines, summary, exit code, manifest, tables, logs.

Here belongs whatever turns figures (`bulkup.counters`), results (`bulkup.messages`) and journal rows
(`bulkup.records`) into text or JSON, and nothing that decides how a run goes on. Reports only read: they open
no file, ask no journal and know no pipeline, so rows and streams are handed in by `bulkup.api` or
`bulkup.cli`. Whatever comes from outside (file names, servers' messages) passes through `safe_text` before a
terminal sees it and through `jsontext` before a program does.
"""
