"""Plain values that flow between the layers. No I/O, and no behaviour beyond reading themselves.

states, problems      where a file stands; why an attempt or a call did not succeed
files, tickets, items a file of the user, a service's answer for it, and the two on their way through the pipeline
http, bodies          requests, answers and bodies, exchanged by providers, pipeline and transport
journal_rows          what the journal returns to its readers
log_events            the names of log events, with their sentences
counters              the figures of a run
"""
