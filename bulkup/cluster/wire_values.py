"""Files, tickets and outcomes as plain values, between coordinator and worker. Pure.

A file has a number, which stands for it in all later messages. Most values of a file are the usual ones, so they are
left out. The values hold secrets in the clear, and are never logged (`sealed_body`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkup.cluster.device_numbers import DeviceNumbers
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Place, Source
from bulkup.model.history import FileHistory
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import ChecksumHeader, PartPlan, Receipt, SentPart, Ticket

Plain = tuple[Any, ...]


def ticket_to_plain(ticket: Ticket) -> Plain:
    """Return a ticket with its secrets in the clear. The action that closes an upload stays with the worker."""
    headers = {
        name: (value.reveal(),) if isinstance(value, Secret) else value for name, value in ticket.headers.items()
    }
    usual = ticket.url.reveal(), ticket.remote_id, ticket.expires_at, ticket.method, headers, dict(ticket.remote)
    if not (ticket.form or ticket.more_urls or ticket.checksum_headers or ticket.success or ticket.parts):
        return *usual, ticket.content_md5, ticket.proof
    form = None if ticket.form is None else [(name, value.reveal()) for name, value in ticket.form]
    plan = ticket.parts
    return (
        *(*usual, ticket.content_md5, ticket.proof, form),
        [url.reveal() for url in ticket.more_urls],
        [tuple(header) for header in ticket.checksum_headers],
        ticket.success,
        None if plan is None else (plan.size, plan.count, plan.object_id),
    )


def ticket_of(plain: Plain) -> Ticket:
    """Return the ticket of plain values."""
    url, remote_id, expires_at, method, headers, remote, content_md5, proof, *more = plain
    ticket = Ticket(
        SecretUrl(url),
        remote_id,
        expires_at,
        method,
        {name: Secret(value[0]) if isinstance(value, tuple) else value for name, value in headers.items()},
        remote,
        content_md5,
        proof=proof,
    )
    if not more:
        return ticket
    form, more_urls, checksum_headers, success, plan = more
    return ticket._replace(
        form=None if form is None else tuple((name, Secret(value)) for name, value in form),
        more_urls=tuple(map(SecretUrl, more_urls)),
        checksum_headers=tuple(ChecksumHeader(*header) for header in checksum_headers),
        success=tuple(success),
        parts=None if plan is None else PartPlan(*plan),
    )


def receipt_to_plain(receipt: Receipt) -> Plain:
    """Return a receipt as plain values."""
    parts = [part_to_plain(part) for part in receipt.parts]
    digest = _plain_digest(receipt.digest)
    return digest, tuple(receipt.identity), receipt.etag, receipt.verified, receipt.stored_at, parts


def receipt_from(plain: Plain) -> Receipt:
    """Return the receipt of plain values."""
    digest, identity, etag, verified, stored_at, parts = plain
    return Receipt(digest_of(digest), Identity(*identity), etag, verified, stored_at, tuple(map(part_from, parts)))


def part_to_plain(part: SentPart) -> Plain:
    """Return a part that storage has as plain values."""
    return part.number, part.etag, _plain_digest(part.digest), part.verified


def part_from(plain: Plain) -> SentPart:
    """Return the part of plain values."""
    number, etag, digest, verified = plain
    return SentPart(number, etag, digest_of(digest), verified)


def _plain_digest(digest: Digest | None) -> Plain | None:
    return None if digest is None else tuple(digest)


def digest_of(plain: Plain | None) -> Digest | None:
    """Return the digest of plain values, None for none."""
    return None if plain is None else Digest(*plain)


def file_to_plain(number: int, need: str, item: Item) -> Plain:
    """Return a file on its way to a worker. `need` is the name of the route on which it enters there."""
    usual = number, need, item.file.source.id, item.file.path, tuple(item.file.identity), item.accepted is item.file
    place = None if item.place is None else (item.place.name, item.place.exclusive)
    history = item.history.attempts, item.history.mismatches
    if not (item.ticket or item.digest or item.receipt or item.known_digest or place or any(history) or item.parts):
        return usual
    return (
        *usual,
        None if item.ticket is None else ticket_to_plain(item.ticket),
        _plain_digest(item.digest),
        None if item.receipt is None else receipt_to_plain(item.receipt),
        _plain_digest(item.known_digest),
        place,
        history,
        [part_to_plain(part) for part in item.parts],
    )


def file_of(plain: Plain, sources: Mapping[int, Source], devices: DeviceNumbers) -> tuple[int, str, Item]:
    """Return the number, need and item of a file, with the device number that it has on this machine."""
    number, need, source, path, identity, accepted, *more = plain
    item = Item(FoundFile(sources[source], path, devices.here(Identity(*identity))))
    item.accepted = item.file if accepted else None
    if more:
        ticket, digest, receipt, known_digest, place, (attempts, mismatches), parts = more
        item.ticket = None if ticket is None else ticket_of(ticket)
        item.digest, item.known_digest = digest_of(digest), digest_of(known_digest)
        item.receipt = None if receipt is None else receipt_from(receipt)
        item.place = None if place is None else Place(*place)
        item.history = FileHistory(attempts=attempts, mismatches=mismatches)
        item.parts = tuple(map(part_from, parts))
    return number, need, item


def problem_to_plain(problem: Problem) -> Plain:
    """Return a problem as plain values."""
    return problem.kind.value, problem.message, problem.retry_after, problem.maybe_created, problem.unanswered


def problem_from(plain: Plain) -> Problem:
    """Return the problem of plain values."""
    kind, *others = plain
    return Problem(ProblemKind(kind), *others)


def outcome_to_plain(
    number: int, outcome: Outcome, changes: Plain | None, ticket: Ticket | None, devices: DeviceNumbers
) -> Plain:
    """Return an outcome. `changes` are those of `file_changes`; `ticket` is one that no record has named yet.

    Nearly all files are uploaded, and storage's ETag is their MD5: then the MD5 says all about the receipt.
    """
    item, receipt = outcome.item, outcome.item.receipt
    usual = (
        outcome.state is FileState.UPLOADED
        and receipt is not None
        and receipt.verified
        and receipt.digest is not None
        and receipt.digest.algorithm == "md5"
        and receipt.etag == receipt.digest.hex
        and receipt.identity == item.file.identity
        and not receipt.parts
        and changes is None
        and ticket is None
        and not (outcome.remote or outcome.unchanged or outcome.on_disk or outcome.already_there)
    )
    if usual:
        assert receipt is not None
        assert receipt.digest is not None
        return number, receipt.digest.value, item.history.attempts, receipt.stored_at
    problem = outcome.problem
    return (
        number,
        None if outcome.state is None else outcome.state.value,
        None if problem is None else problem_to_plain(problem),
        None if outcome.remote is None else dict(outcome.remote),
        tuple(outcome[4:]),
        changes,
        None if ticket is None else ticket_to_plain(ticket),
        None if receipt is None else receipt_to_plain(devices.receipt_there(receipt)),
        item.history.attempts,
    )


def outcome_of(plain: Plain, item: Item) -> tuple[Outcome, Plain | None]:
    """Return the outcome of plain values for the coordinator's item, and the changes of the file."""
    if len(plain) == 4:
        _, md5, attempts, stored_at = plain
        digest = Digest(md5)
        item.history.attempts = attempts
        item.digest = digest
        item.receipt = Receipt(digest, item.file.identity, digest.hex, verified=True, stored_at=stored_at)
        return Outcome(item, FileState.UPLOADED), None
    _, state, problem, remote, flags, changes, ticket, receipt, attempts = plain
    item.history.attempts = attempts
    if ticket is not None:
        item.ticket = ticket_of(ticket)
    item.receipt = None if receipt is None else receipt_from(receipt)
    kind = None if state is None else FileState(state)
    return Outcome(item, kind, None if problem is None else problem_from(problem), remote, *flags), changes


def file_changes(item: Item, sent: FoundFile, devices: DeviceNumbers) -> Plain | None:
    """Return what a worker knows of a file and the coordinator may not, None for nothing.

    `sent` is the file as it came from the coordinator.
    """
    same = item.file is sent
    if same and item.digest is None and not item.history.attempts:
        return None
    identity = None if same else tuple(devices.there(item.file.identity))
    return identity, _plain_digest(item.digest), item.history.attempts


def apply_changes(item: Item, changes: Plain | None) -> None:
    """Bring the coordinator's item up to date."""
    if changes is None:
        return
    identity, digest, attempts = changes
    if identity is not None:
        item.file = item.file._replace(identity=Identity(*identity))
    item.digest = digest_of(digest)
    item.history.attempts = attempts
