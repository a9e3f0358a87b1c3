"""Tells a URL that has expired from one that storage refuses, by its time. Pure.

Stores describe an expired URL in different words, and some with none: Ceph answers `AccessDenied` without a message.
The URL's own end is certain. It is compared with storage's clock, the header `Date` of the answer.
"""

from __future__ import annotations

import dataclasses

from bulkup.model.http import StorageAnswer, http_date
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.model.url_ends import end_of_url

_STATUSES = frozenset({400, 401, 403})
# Storage checks the end when a request arrives, up to this long after the attempt began (seconds).
_ARRIVES_WITHIN = 15.0


def judge_by_end(problem: Problem, answer: StorageAnswer, ticket: Ticket, now: float, lasted: float) -> Problem:
    """Return a refusal as `EXPIRED` if the URL was over when the request arrived; other problems unchanged.

    `now` is the Unix time of the answer by this machine's clock, `lasted` the duration of the attempt in seconds.
    """
    if problem.kind is not ProblemKind.REFUSED or answer.status not in _STATUSES:
        return problem
    before_answer = max(0.0, lasted - _ARRIVES_WITHIN)
    theirs = http_date(answer.headers.get("date", ""), now)
    ends = ((end_of_url(ticket.url).at, theirs), (ticket.expires_at, now))
    if not any(end is not None and end <= answered - before_answer for end, answered in ends):
        return problem
    return dataclasses.replace(problem, kind=ProblemKind.EXPIRED, message=f"{problem.message}; the URL has expired")
