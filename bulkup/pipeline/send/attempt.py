"""One attempt: a file's bytes to where its ticket says, and what storage's answer proves of them.

Most tickets have one URL and take the file whole. One with more URLs takes it in as many parts, one after the other; a
part that went through is not sent again by the next attempt with the same ticket.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from bulkup.helpers.clock import Clock
from bulkup.model.files import Digest, Identity
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import PartsSent, Receipt, Ticket
from bulkup.pipeline.files.large import FileBody, FilePart, StreamedBody
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.files.small import SmallFileReader, WholeBody
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.send.verification import Verification, plain_etag, verify
from bulkup.pipeline.send.zero_copy import ZeroCopy
from bulkup.transport import Storage

_MISMATCH = Problem(
    ProblemKind.MISMATCH, "storage holds other bytes than were read: its ETag or checksum is not theirs"
)
_UNPROVEN = Problem(
    ProblemKind.MISMATCH, "storage's answer does not prove bytes that were sent apart from being hashed"
)
_EARLY = Problem(ProblemKind.TRANSIENT, "storage answered before it had all bytes")
_CHANGED = Problem(ProblemKind.CHANGED, "it changed after it was hashed")
_CHANGED_BETWEEN = Problem(ProblemKind.CHANGED, "it changed between two of its parts")
_SMALL = CHUNK

Count = Callable[[int], None]


class FileSender(Protocol):
    """Makes attempts, in this process or in others."""

    async def send(self, item: Item, count: Count) -> Problem | None:
        """Send the file; with None it has its receipt. Raises `ProblemError`. `count` is told of bytes as they go."""
        ...


class Answers(Protocol):
    """What storage's answers mean: a provider, or its class (`bulkup.providers`)."""

    def classify(self, answer: StorageAnswer, now: float) -> Problem | None:
        """Say what storage's answer means; None when it took the bytes."""
        ...

    def evidence(self, answer: StorageAnswer) -> Mapping[str, str]:
        """Return what storage says of the bytes that it took, as headers."""
        ...


class LocalSender:
    """Makes attempts in this process; holds nothing of any of them but what they teach of storage."""

    def __init__(self, storage: Storage, answers: Answers, clock: Clock, options: SendOptions) -> None:
        self._storage = storage
        self._answers = answers
        self._clock = clock
        self._follow_links = options.follow_links
        self._hashed = options.checksum != "none"
        self._reader = SmallFileReader(options.readers, follow_links=self._follow_links, hashed=self._hashed)
        self._lending = ZeroCopy(options.checksum)

    async def send(self, item: Item, count: Count) -> Problem | None:
        """Send the file; with None it has its receipt. Raises `ProblemError`. `count` is told of bytes as they go."""
        ticket = item.ticket
        assert ticket is not None
        return await (self._send_parts(item, ticket, count) if ticket.more_urls else self._whole(item, ticket, count))

    async def _whole(self, item: Item, ticket: Ticket, count: Count) -> Problem | None:
        body = await self._body(item, ticket)
        if _unlike(item, body.digest):
            return _CHANGED
        headers = {}
        if ticket.content_md5 and isinstance(body, WholeBody) and body.digest is not None:
            headers["Content-MD5"] = body.digest.content_md5
        answer = await self._storage.send(ticket, body, headers, count)
        judged = self._judge(answer, body, lambda: _unlike(item, body.digest))
        if isinstance(judged, Problem):
            return judged
        if isinstance(body, StreamedBody):
            self._lending.learn(ticket.url, judged)
        if isinstance(body, FileBody) and body.lent and self._hashed and judged is not Verification.MATCH:
            return _UNPROVEN  # the host is known by now: the next attempt goes streamed
        assert body.identity is not None
        etag = plain_etag(self._answers.evidence(answer))
        self._sent(item, body.digest, body.identity, etag, verified=judged is Verification.MATCH)
        return None

    async def _send_parts(self, item: Item, ticket: Ticket, count: Count) -> Problem | None:
        urls = (ticket.url, *ticket.more_urls)
        md5 = hashlib.md5(usedforsecurity=False) if self._hashed else None
        sent = item.sent or PartsSent(0, 0, md5, None, verified=True)
        for part in list(parts_of(item.file.identity.size, len(urls)))[sent.parts :]:
            here = dataclasses.replace(ticket, url=urls[sent.parts], more_urls=())
            body = self._part(item, part, sent)
            answer = await self._storage.send(here, body, {}, count)
            judged = self._judge(answer, body, lambda: False)
            if isinstance(judged, Problem):
                return judged
            if sent.identity not in (None, body.identity):
                return _CHANGED_BETWEEN
            verified = sent.verified and judged is Verification.MATCH
            item.sent = sent = PartsSent(sent.parts + 1, part.end, body.whole, body.identity, verified=verified)
            item.history.note_progress()
        assert sent.identity is not None
        digest = Digest(sent.md5.digest()) if sent.md5 is not None else None
        self._sent(item, digest, sent.identity, None, verified=sent.verified)
        return None

    def _part(self, item: Item, part: FilePart, sent: PartsSent) -> StreamedBody:
        return StreamedBody(item.file, follow_links=self._follow_links, part=part, before=sent.md5, hashed=self._hashed)

    async def _body(self, item: Item, ticket: Ticket) -> WholeBody | StreamedBody:
        if item.file.identity.size <= _SMALL:
            return await self._reader.read(item.file)
        body = FileBody if self._lending.allows(item, ticket) else StreamedBody
        return body(item.file, follow_links=self._follow_links, hashed=self._hashed)

    def _judge(
        self, answer: StorageAnswer, body: WholeBody | StreamedBody, changed: Callable[[], bool]
    ) -> Problem | Verification:
        problem = self._answers.classify(answer, self._clock.now())
        if problem is not None:
            # A store that was told the checksum says of a changed file that its bytes are wrong.
            return _CHANGED if problem.kind is ProblemKind.MISMATCH and changed() else problem
        if body.identity is None:
            # An answer of success before the body had gone out cannot be about this body.
            return _EARLY
        if changed():
            return _CHANGED
        if body.digest is None:
            return Verification.NONE
        evidence = self._answers.evidence(answer)
        proven = verify(evidence, body.digest, body.data)
        return _MISMATCH if proven is Verification.MISMATCH else proven

    def _sent(self, item: Item, digest: Digest | None, identity: Identity, etag: str | None, *, verified: bool) -> None:
        item.digest = digest or item.digest
        item.receipt = Receipt(digest, identity, etag, verified, self._clock.now())


def parts_of(size: int, count: int) -> Iterator[FilePart]:
    """Yield `count` parts of a file of `size` bytes: of one size until the file ends, which may be before the last."""
    length = -(-size // count)
    for start in range(0, count * length, length):
        yield FilePart(min(start, size), min(start + length, size))


def _unlike(item: Item, digest: Digest | None) -> bool:
    """Say whether the bytes are others than those hashed ahead; False while either is not known."""
    return item.digest is not None and digest is not None and item.digest != digest
