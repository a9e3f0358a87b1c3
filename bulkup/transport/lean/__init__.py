"""Bytes to storage over HTTP/1.1, with as little work a request as can be.

`sender` is the way of one request. `connection` is a socket with its state, `answers` reads what comes over it (with
httptools), `tls` is the layer between. `origins` knows what is the same for all requests to one host, `pool` owns all
connections and their times, `connecting` makes new ones, by a proxy too. `streaming` sends what is not in memory, and
`lending` has the system copy it from a file.
A request costs no task and no timer: one future, one write, one read. Not here: redirects and forms, which all senders
share, and what an answer means.
"""

from __future__ import annotations

from bulkup.transport.lean.lean_sender import LeanSender

__all__ = ["LeanSender"]
