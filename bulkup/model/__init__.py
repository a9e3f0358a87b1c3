"""Plain values that are passed between the layers. No I/O.

states         the states of a file in the journal
problems       the reasons why an attempt or a call failed
files          sources and files of the user
tickets        a service's answer for a file, and storage's receipt
url_ends       the end that a presigned URL states
object_names   the object that an upload URL writes to
items          a file and its ticket in the pipeline, and its outcome
history        the failures of a call, and of a file
http, bodies   requests, answers and bodies, exchanged by providers, pipeline and transport
journal_rows   rows that the journal returns to commands
disk_states    how a file on disk compares with its row; verify_results has the results of a verification
stored_objects  what a service says about an upload
log_events     names and sentences of log events
counters       the figures of a run; histogram counts durations by size
progress       the figures at one moment, as the display, the log and the library have them
run_record     what a run notes of itself for reports; sent_files has durations and the files that stand out
shard          a part of a tree that a run takes
reason_hints   the next step for a reason why files failed

Not here: code that decides, waits, or knows a service.
"""
