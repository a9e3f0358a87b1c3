"""What crosses the border between the processes, as plain values: a setup at first, then jobs and reports. Pure.

A job is what one attempt needs of an item, a report what came of it. Both begin with a number that the pool gave.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.history import FileHistory
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.transport import HostRules, TransportOptions

Plain = tuple[Any, ...]


class Came(enum.IntEnum):
    """What a report says has come of a job; after `PROGRESS` there is more to come."""

    PROGRESS = 0
    SENT = 1
    PROBLEM = 2
    CANCELLED = 3
    FAULT = 4  # of the program


@dataclass(frozen=True, slots=True)
class Setup:
    """What a sending process is told at first: which provider's storage it sends to, and how."""

    provider: str
    transport: TransportOptions
    sending: SendOptions


def setup_to_plain(setup: Setup) -> Plain:
    """Return a setup as it goes out."""
    return setup.provider, dataclasses.asdict(setup.transport), dataclasses.asdict(setup.sending)


def setup_from_plain(plain: Plain) -> Setup:
    """Return a setup as it came."""
    provider, transport, sending = plain
    hosts = HostRules(**transport.pop("hosts"))
    return Setup(provider, TransportOptions(**transport, hosts=hosts), SendOptions(**sending))


def job_of(number: int, item: Item) -> Plain:
    """Return what an attempt needs of an item with a ticket for the whole of it."""
    file, ticket = item.file, item.ticket
    assert ticket is not None
    return (
        number,
        file.source.root,
        file.path,
        tuple(file.identity),
        ticket.url.reveal(),
        ticket.method,
        _headers_to_plain(ticket.headers) if ticket.headers else None,
        ticket.content_md5,
        None if ticket.form is None else [(name, value.reveal()) for name, value in ticket.form],
        None if item.digest is None else item.digest.md5,
        item.history.mismatches,
    )


def item_of(job: Plain) -> Item:
    """Return an item that is good for one attempt."""
    _, root, path, identity, url, method, headers, content_md5, form, md5, mismatches = job
    ticket = Ticket(
        SecretUrl(url),
        remote_id="",
        method=method,
        headers=_headers_from_plain(headers) if headers else {},
        content_md5=content_md5,
        form=None if form is None else tuple((name, Secret(value)) for name, value in form),
    )
    file = FoundFile(Source(root), path, Identity(*identity))
    history = FileHistory(mismatches=mismatches)
    return Item(file, ticket, None if md5 is None else Digest(md5), history=history)


def _headers_to_plain(headers: Mapping[str, str | Secret]) -> dict[str, str | tuple[str]]:
    """A secret among them is marked by a tuple around it."""
    return {name: (value.reveal(),) if isinstance(value, Secret) else value for name, value in headers.items()}


def _headers_from_plain(headers: Mapping[str, str | tuple[str]]) -> dict[str, str | Secret]:
    return {name: Secret(value[0]) if isinstance(value, tuple) else value for name, value in headers.items()}


def report_sent(number: int, count: int, item: Item) -> Plain:
    """Return the report of an attempt that storage took; `count` bytes went since the last one."""
    receipt = item.receipt
    assert receipt is not None
    md5 = None if receipt.digest is None else receipt.digest.md5
    return number, count, int(Came.SENT), md5, tuple(receipt.identity), receipt.etag, receipt.verified


def report_problem(number: int, count: int, problem: Problem) -> Plain:
    """Return the report of an attempt that came to nothing."""
    what = problem.kind.value, problem.message, problem.retry_after, problem.maybe_created
    return number, count, int(Came.PROBLEM), *what


def report(number: int, count: int, came: Came, text: str = "") -> Plain:
    """Return a report without more to it than a text."""
    return number, count, int(came), text


def take_receipt(report: Plain, item: Item, now: float) -> None:
    """Give the item what the report of a sent one says, as `Sender` does; `now` is Unix time."""
    _, _, _, md5, identity, etag, verified = report
    digest = None if md5 is None else Digest(md5)
    item.digest = digest or item.digest
    item.receipt = Receipt(digest, Identity(*identity), etag, verified, now)


def problem_of(report: Plain) -> Problem:
    """Return the problem of a report of one."""
    _, _, _, kind, message, retry_after, maybe_created = report
    return Problem(ProblemKind(kind), message, retry_after, maybe_created)
