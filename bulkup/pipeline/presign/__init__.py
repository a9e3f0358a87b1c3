"""Requesting tickets.

    leases   when to ask, and for how many files
    request  one presign call: recorded before it is made, its tickets recorded before they are used

Not here: the loop that makes the calls (`api_calls`), the format of a call and of its answer (`bulkup.providers`), and
the decision after a failed call (`policy`).
"""
