"""Requesting tickets, and the loop that makes all calls of the service's API.

    leases     when to ask, and for how many files
    request    one presign call: recorded before it is made, its tickets recorded before they are used
    api_calls  the loop of API calls under the gate of the API; the batcher and the closer each have one

Not here: the format of a call and of its answer (`bulkup.providers`), the decision after a failed call (`policy`), and
closing calls themselves (`closer`).
"""
