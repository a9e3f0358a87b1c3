"""Sending on more than one core: processes that make the attempts, while this one decides and records.

    pool       hands attempts to sending processes instead of making them here; the same promise as `sending.Sender`
    process    one of them, as this process sees it: its start, what it has in hand, its end
    trial      finds out by trying whether they bring anything (`processes = "auto"`)
    __main__   what runs in them: `child` takes jobs and answers with what came of them
    child      opens, reads, hashes and sends, over connections of its own

Pure, and beside them: `frames` and `jobs` (what crosses the border between the processes), `worth` (when to try, and
what to keep), `machine` (how many cores there are, and are idle).

A sending process knows of an attempt what it needs to make it, and nothing of runs, journals or retries; it has no
credentials, and ends when this process does, whatever that died of.
"""
