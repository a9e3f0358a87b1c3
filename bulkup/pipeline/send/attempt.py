"""One attempt: sends a file's bytes to the URL of its ticket, and verifies storage's answer.

Most tickets have one URL for the whole file. A ticket with more URLs takes the file in parts, one after the other. The
next attempt with the same ticket does not repeat parts that storage accepted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Protocol

from bulkup.helpers.clock import Clock
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import PartsSent, Receipt, Ticket
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.hashing import RunningDigests
from bulkup.pipeline.files.large import FileBody, FilePart, StreamedBody
from bulkup.pipeline.files.mounts import is_remote
from bulkup.pipeline.files.opening import CHUNK, READING, ReadingOptions
from bulkup.pipeline.files.slow_devices import SlowDevices
from bulkup.pipeline.files.small import SmallFileReader, WholeBody
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.send.expired_urls import judge_by_end
from bulkup.pipeline.send.missing_bucket import name_bucket
from bulkup.pipeline.send.proven_hosts import ProvenHosts
from bulkup.pipeline.send.stated_checksums import verify_stated
from bulkup.pipeline.send.verification import Verification, plain_etag, verify
from bulkup.pipeline.send.zero_copy import ZeroCopy
from bulkup.transport import Storage

_MISMATCH = Problem(ProblemKind.MISMATCH, "storage received other bytes than were read: its ETag or checksum differs")
_EARLY = Problem(ProblemKind.TRANSIENT, "storage answered before it had all bytes")
_CHANGED = Problem(ProblemKind.CHANGED, "it changed after it was hashed")
_CHANGED_BETWEEN = Problem(ProblemKind.CHANGED, "it changed between two of its parts")
_NEEDLESS = Problem(ProblemKind.CHANGED, "its file was given up")
_SMALL = CHUNK

Count = Callable[[int], None]  # called with the number of bytes of each step


class FileSender(Protocol):
    """Makes attempts, in this process or in others."""

    def send(self, file: Ticketed, count: Count) -> Coroutine[Any, Any, Receipt | Problem]:
        """Send the file; return its receipt, or the problem. Raises `ProblemError`, too."""
        ...


class AnswerClassifier(Protocol):
    """Interprets storage's answers: a provider, or its class (`bulkup.providers`)."""

    def classify(self, answer: StorageAnswer, now: float) -> Problem | None:
        """Return the problem that an answer reports, None if storage accepted the bytes."""
        ...

    def evidence(self, answer: StorageAnswer) -> Mapping[str, str]:
        """Return the headers of an answer that describe the bytes."""
        ...


class LocalSender:
    """Sends files from this process. Keeps no state per file, only the hosts whose answers prove stored bytes."""

    def __init__(
        self,
        storage: Storage,
        answers: AnswerClassifier,
        clock: Clock,
        options: SendOptions,
        reading: ReadingOptions = READING,
        opener: FileOpener | None = None,
    ) -> None:
        self._storage = storage
        self._answers = answers
        self._clock = clock
        self._opener = opener or FileOpener(options.symlinks, options.identity)
        self._algorithms = options.algorithms
        self._hashed = bool(options.algorithms)
        self._reading = reading
        self._slow = SlowDevices(is_remote)
        self._reader = SmallFileReader(
            options.readers, self._opener, self._slow, algorithms=options.algorithms, options=reading
        )
        self._proven = ProvenHosts()
        self._zero_copy = ZeroCopy(reading.range, hashed=self._hashed)

    def send(self, file: Ticketed, count: Count) -> Coroutine[Any, Any, Receipt | Problem]:
        """Send the file, as `FileSender` says."""
        item, ticket = file.item, file.ticket
        return self._send_parts(item, ticket, count) if ticket.more_urls else self._whole(item, ticket, count)

    async def _whole(self, item: Item, ticket: Ticket, count: Count) -> Receipt | Problem:
        body: WholeBody | StreamedBody
        if item.part is not None and item.part.upload.ended:
            return _NEEDLESS
        if item.size <= _SMALL and item.part is None:
            # Without an `await` if the system has the file in memory, as it has most of those that were just written.
            body = self._reader.read_at_once(item.file) or await self._reader.read_by_thread(item.file)
        else:
            body = self._streamed(item, FileBody if self._zero_copy.allows(item, ticket) else StreamedBody)
        if item.digest is not None and _differs(item, body):
            return _CHANGED
        headers = {}
        if (
            ticket.content_md5
            and isinstance(body, WholeBody)
            and body.digest is not None
            and body.digest.algorithm == "md5"
        ):
            headers["Content-MD5"] = body.digest.base64
        if ticket.checksum_headers:
            headers |= _checksum_headers(ticket, item, body)
        begun = self._clock.monotonic()
        answer = await self._storage.send(ticket, body, headers, count)
        judged = self._judge(answer, body, ticket, begun, item)
        if isinstance(body, StreamedBody) and isinstance(judged, Verification):
            self._zero_copy.learn(ticket.url, judged)
        if judged is Verification.NONE and self._doubts(ticket, body):
            if isinstance(body, FileBody):
                # The bytes that are sent have to be those that are hashed, now that storage may not prove them.
                body = self._streamed(item)
            answer = await self._storage.send(ticket, body, headers, count, new_connection=True)
            judged = self._judge(answer, body, ticket, begun, item)
        if isinstance(judged, Problem):
            return judged
        self._proven.learn(ticket.url, judged)
        assert body.identity is not None
        etag = plain_etag(self._answers.evidence(answer))
        return Receipt(body.digest, body.identity, etag, judged is Verification.MATCH, self._clock.now())

    async def _send_parts(self, item: Item, ticket: Ticket, count: Count) -> Receipt | Problem:
        urls = (ticket.url, *ticket.more_urls)
        hashes = RunningDigests(self._algorithms) if self._hashed else None
        sent = item.sent or PartsSent(0, 0, hashes, None, verified=True)
        for part in list(parts_of(item.file.identity.size, len(urls)))[sent.parts :]:
            here = ticket._replace(url=urls[sent.parts], more_urls=())
            body = self._part(item, part, sent)
            begun = self._clock.monotonic()
            answer = await self._storage.send(here, body, {}, count)
            judged = self._judge(answer, body, here, begun)
            if judged is Verification.NONE and self._doubts(here, body):
                answer = await self._storage.send(here, body, {}, count, new_connection=True)
                judged = self._judge(answer, body, here, begun)
            if isinstance(judged, Problem):
                return judged
            self._proven.learn(here.url, judged)
            if sent.identity not in (None, body.identity):
                return _CHANGED_BETWEEN
            verified = sent.verified and judged is Verification.MATCH
            item.sent = sent = PartsSent(sent.parts + 1, part.end, body.whole, body.identity, verified=verified)
            item.history.note_progress()
        assert sent.identity is not None
        digest = sent.hashes.digests()[0] if sent.hashes is not None else None
        return Receipt(digest, sent.identity, None, sent.verified, self._clock.now())

    def _part(self, item: Item, part: FilePart, sent: PartsSent) -> StreamedBody:
        return StreamedBody(
            item.file,
            self._opener,
            self._slow,
            part=part,
            before=sent.hashes,
            algorithms=self._algorithms,
            options=self._reading,
        )

    def _streamed(self, item: Item, body: type[StreamedBody] = StreamedBody) -> StreamedBody:
        part = None if item.part is None else FilePart(item.part.start, item.part.end)
        algorithms, reading = self._algorithms, self._reading
        return body(item.file, self._opener, self._slow, part=part, algorithms=algorithms, options=reading)

    def _doubts(self, ticket: Ticket, body: WholeBody | StreamedBody) -> bool:
        """Return whether to ask once more on a new connection, because a success lacks the proof that its host gives.

        A proxy that answers a request twice makes the second answer look like that of the next request.
        """
        if not self._hashed:
            return False
        return (isinstance(body, FileBody) and body.lent) or ticket.url in self._proven

    def _judge(
        self,
        answer: StorageAnswer,
        body: WholeBody | StreamedBody,
        ticket: Ticket,
        begun: float,
        item: Item | None = None,
    ) -> Problem | Verification:
        """Return what an answer means for a body; `item` is given if it is the whole file.

        `begun` is the monotonic time at which the request began.
        """
        changed = item is not None and item.digest is not None and _differs(item, body)
        now = self._clock.now()
        if ticket.success:
            problem = _classify_by(ticket.success, answer, functools.partial(self._answers.classify, now=now))
        else:
            problem = self._answers.classify(answer, now)
        if problem is not None:
            problem = name_bucket(problem, answer, ticket.url)
            problem = judge_by_end(problem, answer, ticket, now, self._clock.monotonic() - begun)
            # Of a file that changed, a store that received its checksum reports a mismatch.
            return _CHANGED if problem.kind is ProblemKind.MISMATCH and changed else problem
        if body.identity is None:
            # Storage reported success before the body was sent: the answer cannot be about this body.
            return _EARLY
        if changed:
            return _CHANGED
        proven = Verification.NONE
        if body.digest is not None:
            proven = verify(self._answers.evidence(answer), body.digest, body.data, body.others)
            if ticket.proof and proven is Verification.NONE:
                proven = verify_stated(ticket.proof, answer, (body.digest, *body.others))
        if proven is Verification.NONE and answer.early:
            return _EARLY
        return _MISMATCH if proven is Verification.MISMATCH else proven


def parts_of(size: int, count: int) -> Iterator[FilePart]:
    """Yield `count` parts of equal size; the last with bytes may be smaller, and parts after it are empty."""
    length = -(-size // count)
    for start in range(0, count * length, length):
        yield FilePart(min(start, size), min(start + length, size))


def _checksum_headers(ticket: Ticket, item: Item, body: WholeBody | StreamedBody) -> dict[str, str]:
    """Return the checksum headers of a ticket whose digests are known before the first byte is sent."""
    known = (item.digest, body.digest, *body.others)
    by_algorithm = {digest.algorithm: digest for digest in known if digest is not None}
    wanted = [header for header in ticket.checksum_headers if header.algorithm in by_algorithm]
    return {header.name: header.value_of(by_algorithm[header.algorithm]) for header in wanted}


def _classify_by(
    success: Sequence[int], answer: StorageAnswer, classify: Callable[[StorageAnswer], Problem | None]
) -> Problem | None:
    """Return the problem in an answer whose ticket says which statuses mean success."""
    if answer.status in success:
        return classify(answer._replace(status=200))
    problem = classify(answer)
    if problem is not None:
        return problem
    expected = " or ".join(map(str, success))
    return Problem(ProblemKind.FAILED, f"storage answered {answer.status}, and {expected} means success here")


def _differs(item: Item, body: WholeBody | StreamedBody) -> bool:
    """Return whether the bytes differ from those that were hashed ahead; False if no digests can be compared."""
    if item.digest is None or body.digest is None:
        return False
    of_body = (body.digest, *body.others)
    return any(one.algorithm == item.digest.algorithm and one != item.digest for one in of_body)
