"""The lean sender: bytes to storage over HTTP/1.1, with as little work per request as possible.

A request costs no task and no timer: one future, one write, one read. The modules, from the top:

- `lean_sender` carries out one exchange, and repeats it when an idle connection turned out to be closed.
- `body_stream` sends a body that is not in memory; `sendfile` has the system copy it from a file.
- `connector` opens connections, through a proxy if there is one; `name_cache` keeps DNS answers for some seconds.
- `origin` holds the common data of all requests to one origin, such as the fixed part of a request's head.
- `connection_pool` owns all connections, keeps idle ones and enforces deadlines.
- `connection` is one connection with its state; `tls_stream` encrypts its bytes.
- `answer_reader` parses answers with httptools; `exchange_error` reports a failed exchange between these modules.

Redirects and forms are outside, in `transport.storage`, because both senders share them. The providers interpret the
answers.
"""

from __future__ import annotations

from bulkup.transport.lean.lean_sender import LeanSender

__all__ = ["LeanSender"]
