"""Git LFS: a batch call asks for upload URLs by SHA-256, and a verify call completes an upload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.tickets import AlreadyThere, ChecksumHeader, ClosingAction, Download, Receipt, Rejection, Ticket
from bulkup.providers.answer_parsing import check_distinct_tickets, lease_of_url, takes_content_md5, upload_url
from bulkup.providers.base import Capabilities, FileSpec, Provider, ProviderConfig, TicketAnswer
from bulkup.providers.git_lfs.answers import (
    MEDIA_TYPE,
    SERVICE,
    Answered,
    LfsAction,
    LfsOffer,
    downloads_of,
    objects_of,
    raise_for,
)
from bulkup.providers.git_lfs.credentials import LoginSource
from bulkup.providers.storage_answers import STORED, classify_s3

_LARGEST = (1 << 63) - 1  # bytes; the protocol states no limit
_EXPIRES_SOON = 5.0  # seconds before its end at which git's client takes an action for expired
_CONTENT_MD5 = (ChecksumHeader("Content-MD5", "md5"),)


class GitLfs(Provider):
    """A repository's LFS server. The remote id of a file is its SHA-256 in hex, the `oid`."""

    name = "git-lfs"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._logins = LoginSource(config)
        self._most = 1000  # objects in one call; fewer after a 413
        self._capabilities = Capabilities(
            batch_limit=self._most,
            batch_size=100,
            max_size=_LARGEST,
            checksum_first="sha256",
            confirms=config.settings["confirm"],
            creates_ids=False,
            content_addressed=True,
            tells_stored=True,
            stored_at_once=100,
            reads_back=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The limits and needs of the service; closing calls only with the setting `confirm`."""
        return self._capabilities

    @property
    def secrets(self) -> Iterable[Secret]:
        """The credentials, and those that netrc or git gave."""
        return (*super().secrets, *self._logins.secrets)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Ask for the objects of these files. Files with equal bytes are asked for once."""
        oids = [_oid_of(spec) for spec in specs]
        sizes = dict(zip(oids, (spec.size for spec in specs), strict=True))
        answers: dict[str, TicketAnswer] = {}
        left = list(sizes)
        while left:
            group = {oid: sizes[oid] for oid in left[: self._most]}
            answer = await self._batch(group, call)
            if answer.status == 413 and len(group) > 1:
                self._most = len(group) // 2
                continue
            raise_for(answer)
            found = objects_of(answer, group)
            tickets = {oid: self._ticket_answer(oid, sizes[oid], one, answer) for oid, one in found.items()}
            check_distinct_tickets([one for one in tickets.values() if isinstance(one, Ticket)], SERVICE)
            answers |= tickets
            left = left[len(group) :]
        return [answers[oid] for oid in oids]

    @classmethod
    def classify(cls, answer: StorageAnswer, now: float) -> Problem | None:
        """Return the problem in storage's answer. Every status from 200 to 299 is a success."""
        if 200 <= answer.status < 300 and answer.status not in STORED:
            answer = answer._replace(status=200)
        return classify_s3(answer, now)

    def closes(self, ticket: Ticket) -> bool:
        """Return whether the server asked for a verify call."""
        return bool(ticket.remote.get("verify"))

    async def confirm(
        self,
        ticket: Ticket,
        receipt: Receipt,
        call: ApiCall,
        *,
        again: bool,  # noqa: ARG002  # a repeated call is harmless
    ) -> Mapping[str, Any]:
        """Make the verify call: the server checks that it has the object."""
        size, action = receipt.identity.size, ticket.closing
        if action is None or self._is_over(action):
            action = await self._asked_again(ticket.remote_id, size, call)
        if action is not None:
            body = orjson.dumps({"oid": ticket.remote_id, "size": size})
            root = action.url.origin
            headers = {"Accept": MEDIA_TYPE, **action.headers, "Content-Type": MEDIA_TYPE}
            path = action.url.reveal()[len(root) :] or "/"
            raise_for(await call(ApiRequest("POST", path, headers, body, base_url=root)), closing=True)
        return {}

    async def _asked_again(self, oid: str, size: int, call: ApiCall) -> ClosingAction | None:
        """Return the verify call of an upload of an earlier run, None if the server has the object by now."""
        answer = await self._batch({oid: size}, call)
        raise_for(answer)
        found = self._ticket_answer(oid, size, objects_of(answer, {oid: size})[oid], answer)
        if isinstance(found, Problem):
            raise ProblemError(found)
        if isinstance(found, AlreadyThere):
            return None
        if isinstance(found, Ticket) and found.closing is not None:
            return found.closing
        text = found.reason if isinstance(found, Rejection) else f"{SERVICE} does not have the object that was sent"
        raise ProblemError(Problem(ProblemKind.FAILED, text))

    async def stored(self, uploads: Sequence[Upload], call: ApiCall) -> Sequence[StoredObject | None]:
        """Ask for the download of the objects. The server compares id and size."""
        sizes = {upload.remote_id: upload.size for upload in uploads}
        answer = await self._batch(sizes, call, "download")
        raise_for(answer)
        found = downloads_of(answer, sizes)
        return [None if found[one.remote_id] is None else StoredObject(one.size) for one in uploads]

    async def read_back(self, upload: Upload, call: ApiCall) -> Download | None:
        """Ask for the download of an object."""
        sizes = {upload.remote_id: upload.size}
        answer = await self._batch(sizes, call, "download")
        raise_for(answer)
        found = downloads_of(answer, sizes)[upload.remote_id]
        if found is None:
            return None
        url = upload_url(found.upload.href, self.config.base_url, SERVICE, "a download URL")
        ends = [end for end in (found.upload.expires_at, lease_of_url(url, answer)) if end is not None]
        return Download(url, min(ends, default=None), self._authorized(url, found.upload, found))

    def _is_over(self, action: ClosingAction) -> bool:
        return action.expires_at is not None and action.expires_at - _EXPIRES_SOON <= self.config.clock.now()

    async def _batch(self, objects: Mapping[str, int], call: ApiCall, operation: str = "upload") -> ApiAnswer:
        asked: dict[str, Any] = {
            "operation": operation,
            "transfers": ["basic"],
            "objects": [{"oid": oid, "size": size} for oid, size in objects.items()],
            "hash_algo": "sha256",
        }
        if (ref := self.config.settings.get("ref")) is not None:
            asked["ref"] = {"name": ref}
        body = orjson.dumps(asked)
        while True:
            login = await self._logins.login()
            headers: dict[str, str | Secret] = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
            headers |= {} if login is None else {"Authorization": login.header}
            answer = await call(ApiRequest("POST", "/objects/batch", headers, body, urls=2 * len(objects)))
            if answer.status != 401 or not await self._logins.other(login):
                return answer

    def _ticket_answer(self, oid: str, size: int, answered: Answered, answer: ApiAnswer) -> TicketAnswer:
        if answered is None:
            return AlreadyThere(oid, {"oid": oid, "size": size})
        return answered if isinstance(answered, Rejection | Problem) else self._ticket(oid, size, answered, answer)

    def _ticket(self, oid: str, size: int, offer: LfsOffer, answer: ApiAnswer) -> Ticket:
        url = upload_url(offer.upload.href, self.config.base_url, SERVICE)
        headers = self._authorized(url, offer.upload, offer)
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/octet-stream"
        ends = [end for end in (offer.upload.expires_at, lease_of_url(url, answer)) if end is not None]
        closing = None
        if offer.verify is not None:
            to = self._verify_url(offer.verify.href)
            closing = ClosingAction(to, self._authorized(to, offer.verify, offer), offer.verify.expires_at)
        return Ticket(
            url=url,
            remote_id=oid,
            expires_at=min(ends, default=None),
            headers=headers,
            remote={"oid": oid, "size": size, "verify": closing is not None},
            checksum_headers=_CONTENT_MD5 if takes_content_md5(url) else (),
            closing=closing,
        )

    def _authorized(self, url: SecretUrl, action: LfsAction, offer: LfsOffer) -> dict[str, str | Secret]:
        """Return the headers of an action, with the login if it goes to the server itself and has none."""
        headers: dict[str, str | Secret] = {**action.headers}
        login = self._logins.known
        named = "authorization" in {name.lower() for name in headers}
        if not (offer.authenticated or named or login is None) and url.origin == SecretUrl(self.config.base_url).origin:
            headers["Authorization"] = Secret(login.header.reveal())  # of the type that the journal reads back
        return headers

    def _verify_url(self, href: str) -> SecretUrl:
        """Return the address of a verify call: the server's host, a host below it, or one that the user allows."""
        url = upload_url(href, self.config.base_url, SERVICE, "a verify URL")
        host, own = (urlsplit(text).hostname or "" for text in (href, self.config.base_url))
        if host != own and not host.endswith(f".{own}") and host not in self.config.settings["allowed_hosts"]:
            text = f"{SERVICE} names {host} for its verify call; if this is intended, add it to allowed_hosts"
            raise ProblemError(Problem(ProblemKind.UNUSABLE, text))
        return url


def _oid_of(spec: FileSpec) -> str:
    assert spec.digest is not None  # the hasher comes before this call
    return spec.digest.hex
