"""The messages between the processes as plain values: first a set-up, then jobs and reports. Pure.

A job holds the parts of an item that one attempt needs; a report holds its result or its progress. Both begin with the
attempt's number. The result of nearly all attempts is their number and the MD5 alone (`is_usual`).

To a sending process go batches of jobs, and whether all attempts are cancelled; or without batches, the limit on the
bandwidth and the bytes that are granted. To the parent go usual results, and reports of everything else.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.history import FileHistory
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import ChecksumHeader, Receipt, Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.transport import HostRules, TransportOptions

Plain = tuple[Any, ...]


class ReportKind(enum.IntEnum):
    """The content of a report. `PROGRESS` is of a job that goes on, `BANDWIDTH` of none: it asks for bytes to send.

    Every other kind is the job's last report.
    """

    PROGRESS = 0
    SENT = 1
    PROBLEM = 2
    CANCELLED = 3
    FAULT = 4  # an error in the program
    BANDWIDTH = 5


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a sending process: the provider whose storage it sends to, and the options."""

    provider: str
    transport: TransportOptions
    sending: SendOptions


def setup_to_plain(setup: Setup) -> Plain:
    """Return a set-up as plain values."""
    return setup.provider, dataclasses.asdict(setup.transport), dataclasses.asdict(setup.sending)


def setup_from_plain(plain: Plain) -> Setup:
    """Return the set-up of plain values."""
    provider, transport, sending = plain
    hosts = HostRules(**transport.pop("hosts"))
    return Setup(provider, TransportOptions(**transport, hosts=hosts), SendOptions(**sending))


def jobs_to_plain(files: Iterable[tuple[int, Ticketed]]) -> list[Plain]:
    """Return the jobs for numbered files whose tickets take them whole.

    Files that follow one another mostly share the parts that stand in front of their jobs.
    """
    batches, jobs = list[Plain](), list[Plain]()
    before: Plain | None = None
    for number, (item, ticket, _, _) in files:
        file = item.file
        rules = ticket.checksum_headers, ticket.success, ticket.proof
        common = file.source.root, ticket.method, ticket.content_md5, rules, ticket.headers
        if common != before:
            before, jobs = common, []
            batches.append((*common[:3], _rules_to_plain(ticket), _headers_to_plain(ticket.headers), jobs))
        form = None if ticket.form is None else [(name, value.reveal()) for name, value in ticket.form]
        digest = None if item.digest is None else tuple(item.digest)
        url, mismatches = ticket.url.reveal(), item.history.mismatches
        jobs.append((number, file.path, tuple(file.identity), url, ticket.expires_at, form, digest, mismatches))
    return batches


def grant_to_plain(rate: float | None, granted: int) -> Plain:
    """Return the message with the limit in bytes per second, None for none, and the bytes that are granted."""
    return None, (rate, granted)


def files_of(batch: Plain) -> Iterator[tuple[int, Ticketed]]:
    """Yield the numbers of the jobs of a batch, each with a file that holds enough for one attempt."""
    root, method, content_md5, (plain_checksums, success, proof), plain_headers, jobs = batch
    source, headers = Source(root), _headers_from_plain(plain_headers)
    checksum_headers = tuple(ChecksumHeader(*header) for header in plain_checksums)
    for number, path, identity, url, expires_at, form, digest, mismatches in jobs:
        ticket = Ticket(
            SecretUrl(url),
            remote_id="",
            expires_at=expires_at,
            method=method,
            headers=headers,
            content_md5=content_md5,
            form=None if form is None else tuple((name, Secret(value)) for name, value in form),
            checksum_headers=checksum_headers,
            success=success,
            proof=proof,
        )
        file, history = FoundFile(source, path, Identity(*identity)), FileHistory(mismatches=mismatches)
        yield number, Ticketed(Item(file, ticket, None if digest is None else Digest(*digest), history=history), ticket)


def _rules_to_plain(ticket: Ticket) -> Plain:
    return tuple(tuple(header) for header in ticket.checksum_headers), ticket.success, ticket.proof


def _headers_to_plain(headers: Mapping[str, str | Secret]) -> dict[str, str | tuple[str]]:
    """Return headers as plain values; a tuple around a value marks a secret."""
    return {name: (value.reveal(),) if isinstance(value, Secret) else value for name, value in headers.items()}


def _headers_from_plain(headers: Mapping[str, str | tuple[str]]) -> dict[str, str | Secret]:
    return {name: Secret(value[0]) if isinstance(value, tuple) else value for name, value in headers.items()}


def is_usual(file: Ticketed, receipt: Receipt) -> bool:
    """Return whether the MD5 says all about a receipt: the file is unchanged, and its ETag is the MD5."""
    digest = receipt.digest
    return (
        receipt.verified
        and digest is not None
        and digest.algorithm == "md5"
        and receipt.etag == digest.hex
        and receipt.identity == file.item.file.identity
    )


def usual_receipt(file: Ticketed, md5: bytes, now: float) -> Receipt:
    """Return the receipt that `is_usual`; `now` is Unix time."""
    return Receipt(Digest(md5), file.item.file.identity, md5.hex(), verified=True, stored_at=now)


def report_sent(number: int, count: int, receipt: Receipt) -> Plain:
    """Return the report of an attempt that storage accepted; `count` bytes were sent since the last report."""
    digest = None if receipt.digest is None else tuple(receipt.digest)
    return number, count, int(ReportKind.SENT), digest, tuple(receipt.identity), receipt.etag, receipt.verified


def report_problem(number: int, count: int, problem: Problem) -> Plain:
    """Return the report of a failed attempt."""
    plain = problem.kind.value, problem.message, problem.retry_after, problem.maybe_created, problem.unanswered
    return number, count, int(ReportKind.PROBLEM), *plain


def report(number: int, count: int, kind: ReportKind, text: str = "") -> Plain:
    """Return a report that holds no more than a text."""
    return number, count, int(kind), text


def receipt_of(report: Plain, now: float) -> Receipt:
    """Return the receipt of a report of kind `SENT`; `now` is Unix time."""
    _, _, _, digest, identity, etag, verified = report
    return Receipt(None if digest is None else Digest(*digest), Identity(*identity), etag, verified, now)


def problem_of(report: Plain) -> Problem:
    """Return the problem of a report of kind `PROBLEM`."""
    _, _, _, kind, message, retry_after, maybe_created, unanswered = report
    return Problem(ProblemKind(kind), message, retry_after, maybe_created, unanswered)
