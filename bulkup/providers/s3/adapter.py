"""S3 and compatible stores: upload URLs are signed on this machine, so they cost no call.

Large files are uploads in parts: a call begins one, each part has a URL, and a call completes or abandons it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

import anyio

from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Algorithm, Place
from bulkup.model.http import ApiCall, StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.tickets import Download, PartPlan, Receipt, Rejection, Ticket, UnfinishedUpload
from bulkup.providers.answer_parsing import unix_time
from bulkup.providers.base import (
    GIB,
    S3_PUT_LIMIT,
    Capabilities,
    Closing,
    FileSpec,
    PartSpec,
    Provider,
    ProviderConfig,
    TicketAnswer,
)
from bulkup.providers.key_template import KeyTemplate, fault_of_key, is_utf8
from bulkup.providers.s3.answers import classify
from bulkup.providers.s3.calls import BucketCalls, Completed, composite_etag, object_url, part_query
from bulkup.providers.s3.credentials import KeySource
from bulkup.providers.s3.endpoint import BucketAddress
from bulkup.providers.s3.existing_objects import ExistingObjects
from bulkup.providers.s3.object_checksum import NAMES, ObjectChecksum, object_checksum
from bulkup.providers.s3.object_headers import ObjectHeaders
from bulkup.providers.s3.signing import AccessKeys, UrlSigner

MOST_PARTS = 10_000
LARGEST_PART = 5 * GIB
_BEGUN_AT_ONCE = 16  # calls
_MIB = 1024**2
_ALGORITHM = "checksum_algorithm"  # of the parts of an upload, in the ticket
_UPLOAD = "?uploadId="  # between key and upload id, in the id of an unfinished upload


class S3(Provider):
    """A bucket. The remote id of a file is the key of its object, and of an unfinished upload key and upload id."""

    name = "s3"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        settings = config.settings
        self._bucket: str = settings["bucket"]
        if urlsplit(config.base_url).path.strip("/") == self._bucket:
            what = f"base_url ends with the bucket {self._bucket}, so all keys would begin with its name"
            raise UsageError(what, hint="leave it out of base_url")
        self._address = BucketAddress.of(config.base_url, self._bucket, settings["region"], settings["addressing"])
        self._key = KeyTemplate(settings["key"])
        self._headers = ObjectHeaders(settings)
        self._source = KeySource(config)
        self._calls = BucketCalls(self._address, self._source, config.service_now)
        self._lifetime: float = settings["url_lifetime"]
        self._in_parts_from: int = min(settings["multipart_from"], S3_PUT_LIMIT + 1)
        self._part_size: int = settings["part_size"]
        self._checksum: Algorithm | None = settings["checksum_algorithm"]
        self._existing = ExistingObjects(self._calls, self._key.prefix) if settings["skip_existing"] else None
        if self._existing is not None and self._checksum is not None:
            hint = "leave out one of the two"
            raise UsageError("skip_existing compares MD5s, and checksum_algorithm is not MD5", hint=hint)
        self._signer: tuple[AccessKeys, UrlSigner] | None = None
        self._in_doubt = False  # a signed URL was called expired, so keys or clock may be to blame
        self._capabilities = Capabilities(
            checksum_first=self._checksum,
            batch_limit=1000,
            batch_size=200,
            max_size=MOST_PARTS * LARGEST_PART,
            placed=True,
            parts=True,
            part_checksum=self._checksum,
            abandons=True,
            lists_unfinished=True,
            tells_stored=True,
            reads_back=True,
            creates_ids=False,
            signs_locally=not settings["skip_existing"],
        )

    @property
    def capabilities(self) -> Capabilities:
        """The limits and needs of the store."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The bucket."""
        return self._bucket

    @property
    def secrets(self) -> Iterable[Secret]:
        """The keys of the settings, and those that were found."""
        return (*super().secrets, *self._source.secrets)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files whose object key would be invalid."""
        fault = fault_of_key(self._key(spec), self.name)
        return super().reject(spec) if fault is None else Rejection(fault)

    def hashes_first(self, spec: FileSpec) -> bool:
        """Return whether the checksum of a file is signed. Of a file in parts, those of its parts are."""
        return self._checksum is not None and spec.size < self._in_parts_from

    def place(self, spec: FileSpec) -> Place | None:
        """Return the object key, which two files must not share. None if it is not valid UTF-8."""
        key = self._key(spec)
        return Place(key, exclusive=True) if is_utf8(key) else None

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Sign upload URLs, and begin the uploads of large files. Only for those the store is asked."""
        there: Mapping[str, TicketAnswer] = {}
        if self._existing is not None:
            there = await self._existing.answers({self._key(spec): spec for spec in specs}, call)
        missing = [spec for spec in specs if self._key(spec) not in there] if there else specs
        signer, now, expires_at = await self._signing(call)
        tickets = [self._ticket(self._key(spec), spec, signer, now, expires_at) for spec in missing]
        large = [number for number, spec in enumerate(missing) if spec.size >= self._in_parts_from]
        if large:
            await self._begin(missing, tickets, large, call)
        if not there:
            return tickets
        made = iter(tickets)
        return [there.get(self._key(spec)) or next(made) for spec in specs]

    async def part_tickets(self, ticket: Ticket, parts: Sequence[PartSpec], call: ApiCall) -> Sequence[Ticket]:
        """Sign the URLs of parts, with their checksums if they have some."""
        signer, now, expires_at = await self._signing(call)
        key, upload_id = ticket.object_id, str(ticket.remote["upload_id"])
        path = self._address.path_of(key)
        tickets = []
        for number, digest in parts:
            headers = {} if digest is None else {f"x-amz-checksum-{digest.algorithm}": digest.base64}
            url = signer.sign("PUT", path, now, headers, part_query(number, upload_id))
            tickets.append(Ticket(url, f"{ticket.remote_id}&partNumber={number}", expires_at, headers=headers))
        return tickets

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        """Complete an upload in parts, and compare ETag and checksum of the object with those of its parts."""
        key, upload_id = ticket.object_id, str(ticket.remote["upload_id"])
        expected = composite_etag(receipt.parts)
        checksum = self._object_checksum(ticket, receipt)
        headers = self._headers.of_completion
        if checksum is not None and checksum.whole:
            # The store compares it. A composite checksum follows from those of the parts, which the request lists.
            name = f"x-amz-checksum-{checksum.digest.algorithm}"
            headers = {**headers, name: checksum.text, "x-amz-checksum-type": "FULL_OBJECT"}
        algorithm = None if checksum is None else checksum.digest.algorithm
        try:
            done = await self._calls.complete(key, upload_id, receipt.parts, headers, call, algorithm)
        except ProblemError as error:
            # An upload that was completed by a call whose answer was lost does not exist any more.
            if not again or error.problem.kind is not ProblemKind.FAILED:
                raise
            found = await self._calls.etag_of(key, call)
            if found is None or not found[0].endswith(f"-{len(receipt.parts)}") or (found[1] and found[0] != expected):
                raise
            done = Completed(found[0], "", encrypted=not found[1])
        # The ETags of parts that are encrypted with KMS are no MD5s, and so that of the object is none of them.
        comparable = receipt.verified and expected is not None and done.etag.endswith(f"-{len(receipt.parts)}")
        if comparable and not done.encrypted and done.etag != expected:
            raise _other_parts("ETag", done.etag, expected)
        if checksum is not None and checksum.differs(done.checksum):
            raise _other_parts(NAMES[checksum.digest.algorithm], done.checksum, checksum.text)
        return {name: value for name, value in (("etag", done.etag), ("checksum", done.checksum)) if value}

    def _object_checksum(self, ticket: Ticket, receipt: Receipt) -> ObjectChecksum | None:
        """Return the checksum of a file in parts, None if its parts were sent without one."""
        algorithm, plan = ticket.remote.get(_ALGORITHM), ticket.parts
        if algorithm is None or plan is None:
            return None
        return object_checksum(receipt.parts, algorithm, plan.size, receipt.identity.size)

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> bool:
        """Delete the parts of a file that is given up. Of other files the store has nothing."""
        del state
        if ticket.parts is not None:
            await self._calls.abort(ticket.object_id, str(ticket.remote["upload_id"]), call)
        return True

    async def unfinished(self, call: ApiCall) -> Sequence[UnfinishedUpload]:
        """Return the unfinished uploads whose keys begin like those of this template."""
        found = await self._calls.unfinished(self._key.prefix, call)
        return [UnfinishedUpload(_unfinished_id(one.key, one.upload_id), unix_time(one.begun)) for one in found]

    async def remove_unfinished(self, upload: UnfinishedUpload, call: ApiCall) -> None:
        """Delete the parts of an unfinished upload."""
        key, _, upload_id = upload.remote_id.rpartition(_UPLOAD)
        await self._calls.abort(key, upload_id, call)

    async def stored(self, uploads: Sequence[Upload], call: ApiCall) -> Sequence[StoredObject | None]:
        """Ask for the objects, one call for each. The store tells size, ETag, and a checksum where it has one."""
        return [await self._calls.head(upload.remote_id, self._checksum, call) for upload in uploads]

    async def read_back(self, upload: Upload, call: ApiCall) -> Download | None:
        """Sign a URL to read an object, once the store has said that it exists."""
        if await self._calls.head(upload.remote_id, None, call) is None:
            return None
        signer, now, expires_at = await self._signing(call)
        return Download(signer.sign("GET", self._address.path_of(upload.remote_id), now), expires_at)

    def reusable(self, ticket: Ticket) -> bool:
        """Return whether a ticket of an earlier run can be used: that of an upload in parts, until it is deleted.

        The URL of a whole file is signed anew, because it costs nothing and the keys may have changed.
        """
        same_object = ticket.parts is not None and ticket.url == object_url(self._address, ticket.object_id)
        return same_object and ticket.remote.get(_ALGORITHM) == self._checksum

    @classmethod
    def classify(cls, answer: StorageAnswer, now: float) -> Problem | None:
        """Return the problem in storage's answer, with a hint."""
        return classify(answer, now)

    def url_expired(self) -> None:
        """Have keys and clock checked before the next URL is signed."""
        self._in_doubt = True

    async def _signing(self, call: ApiCall) -> tuple[UrlSigner, float, float]:
        """Return the signer, the time to sign with, and when URLs that are signed now end by this machine's clock."""
        if self._in_doubt:
            await self._calls.check_signature(self._key.prefix, call)
            self._in_doubt = False
        keys, now = await self._source.keys(), self.config.clock.now()
        if self._signer is None or self._signer[0] is not keys:
            self._signer = keys, UrlSigner(keys, self._address.target, int(self._lifetime))
        end = now + self._lifetime if keys.expires_at is None else min(now + self._lifetime, keys.expires_at)
        return self._signer[1], self.config.service_now(), end

    async def _begin(
        self, specs: Sequence[FileSpec], tickets: list[Ticket], large: Sequence[int], call: ApiCall
    ) -> None:
        """Begin the uploads of large files, and replace their tickets. If one fails, the others are abandoned."""
        failures: list[ProblemError] = []
        limiter = anyio.Semaphore(_BEGUN_AT_ONCE)

        async def begin(number: int) -> None:
            async with limiter:
                if not failures:
                    try:
                        tickets[number] = await self._in_parts(tickets[number], specs[number], call)
                    except ProblemError as error:
                        failures.append(error)

        async with anyio.create_task_group() as tasks:
            for number in large:
                tasks.start_soon(begin, number)
        if failures:
            for number in large:
                with contextlib.suppress(ProblemError):  # `bulkup orphans` finds one that stays
                    await self.abandon(tickets[number], FileState.FAILED, call)
            raise failures[0]

    async def _in_parts(self, ticket: Ticket, spec: FileSpec, call: ApiCall) -> Ticket:
        key = ticket.remote_id
        headers, remote = self._headers.of_upload(spec.extension), dict(ticket.remote)
        if self._checksum is not None:
            headers = {**headers, "x-amz-checksum-algorithm": NAMES[self._checksum]}
            remote[_ALGORITHM] = self._checksum
        upload_id = await self._calls.begin(key, headers, call)
        least = -(-spec.size // MOST_PARTS)
        size = max(self._part_size, -(-least // _MIB) * _MIB)
        return ticket._replace(
            url=object_url(self._address, key),
            remote_id=_unfinished_id(key, upload_id),
            expires_at=None,
            headers={},
            remote={**remote, "upload_id": upload_id},
            content_md5=False,
            parts=PartPlan(size, -(-spec.size // size), key),
        )

    def _ticket(self, key: str, spec: FileSpec, signer: UrlSigner, now: float, expires_at: float) -> Ticket:
        headers = self._headers.of(spec.extension)
        if self._checksum is not None and spec.digest is not None:
            headers = {**headers, f"x-amz-checksum-{self._checksum}": spec.digest.base64}
        return Ticket(
            url=signer.sign("PUT", self._address.path_of(key), now, headers),
            remote_id=key,
            expires_at=expires_at,
            headers=headers,
            remote={"bucket": self._bucket, "key": key},
            content_md5=True,
        )


def _other_parts(what: str, stated: str, expected: str | None) -> ProblemError:
    text = f"the store joined other parts than were sent: the {what} is {stated}, not {expected}"
    return ProblemError(Problem(ProblemKind.FAILED, text))


def _unfinished_id(key: str, upload_id: str) -> str:
    return f"{key}{_UPLOAD}{upload_id}"
