"""Xvid MediaHub: an upload session a file, an S3 form POST, a closing call and polls (docs/contracts.md section 4)."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from bulkup.config.expiry import Expiry
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Place
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, StorageAnswer, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.providers.answer_parsing import malformed, remote_id_field, upload_url
from bulkup.providers.base import Capabilities, Closing, FileSpec, NotYet, Provider, ProviderConfig
from bulkup.providers.bearer_header import BearerHeader
from bulkup.providers.storage_answers import form_evidence
from bulkup.providers.tokens import StaticToken
from bulkup.providers.xvid.answers import SERVICE, error_of, raise_for, token_refused, upload_of
from bulkup.providers.xvid.auth import OAuthTokenCache
from bulkup.providers.xvid.form import PLACEHOLDER, fields_of, lease_of_form

_UPLOADS = "/v1/files/uploads/"
_DAY = 86_400.0
_LONGEST_KEY = 1024  # bytes, S3's limit
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_TOLD = 128  # characters of what goes into the manifest as it was told
_FIRST_POLL = 0.25  # seconds
# The manual's two words for an upload that has not come to its end: before it was closed, and after.
_OPEN = "UPLOADING"
_UNDER_WAY = "COMPLETING"
# How the service says that it failed is not documented; words that mean it in any language of an API are taken so.
_FAILURE = re.compile(r"FAIL|ERROR|ABORT|CANCEL|EXPIRE|REJECT|INVALID", re.IGNORECASE)


class Xvid(Provider):
    """The uploads API of MediaHub. The remote id is the upload's id; jobs take the object key, which is in `remote`."""

    name = "xvid"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        token = config.credentials.get("token")
        self._auth = StaticToken(token) if token is not None else OAuthTokenCache(config)
        self._expiry: Expiry | None = config.settings["expires_at"]
        self._capabilities = Capabilities(
            batch_limit=1, batch_size=1, calls_in_flight=32, confirms=config.settings["confirm"], placed=True
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do and wants; closing calls only where they are wanted."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The pipeline."""
        return str(self.config.settings["pipeline_id"])

    @property
    def secrets(self) -> Iterable[Secret]:
        """The credentials, and a token fetched with them."""
        return (*super().secrets, *self._auth.secrets)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files whose object key would be none."""
        try:
            key = self._object_key(spec).encode()
        except UnicodeEncodeError:
            return Rejection("its name is not UTF-8, and xvid's object keys are")
        if len(key) > _LONGEST_KEY:
            return Rejection(f"its object key has {len(key)} bytes, and xvid takes {_LONGEST_KEY}")
        if _CONTROL.search(key.decode()):
            return Rejection("its object key has a control character, which storage refuses")
        if any(part in (b"", b".", b"..") for part in key.split(b"/")):
            return Rejection("its object key has an empty part, or one of dots alone")
        if PLACEHOLDER in key.decode():
            return Rejection(f"its object key holds {PLACEHOLDER}, which storage would replace by another name")
        return super().reject(spec)

    def place(self, spec: FileSpec) -> Place | None:
        """Return the object key, which two files must not share. A name that is not UTF-8 has none."""
        key = self._object_key(spec)
        return Place(key, exclusive=True) if _is_utf8(key) else None

    def kept_until(self, stored_at: float) -> float | None:
        """Return the end that was asked for, else that of the service's seven days."""
        if self._expiry is None:
            return stored_at + 7 * _DAY
        if self._expiry.never:
            return None
        return self._expiry.at if self._expiry.after is None else stored_at + self._expiry.after

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Open an upload session."""
        (spec,) = specs
        key = self._object_key(spec)
        query = {"object_key": key, "pipeline_id": self.config.settings["pipeline_id"], **self._expires_at()}
        # Encoded once, slashes too, as in the service's own example.
        target = f"{_UPLOADS}?{urlencode(query, quote_via=quote, safe='')}"
        answer = await self._call(ApiRequest("POST", target), call)
        raise_for(answer)
        upload = upload_of(answer)
        if upload.get("object_key", key) != key:
            raise malformed(SERVICE, "another object key than the one asked for")
        return [self._ticket(upload, key, answer)]

    @classmethod
    def evidence(cls, answer: StorageAnswer) -> Mapping[str, str]:
        """Return what storage says in headers, and in the document that answers a form."""
        return form_evidence(answer)

    async def confirm(
        self,
        ticket: Ticket,
        receipt: Receipt,  # noqa: ARG002  # the service knows what it has
        call: ApiCall,
        *,
        again: bool,  # noqa: ARG002  # it is asked for the status, which tells
    ) -> Closing:
        """Say that the one chunk is there. An upload that was closed before is asked about instead."""
        request = json_request("PUT", _UPLOADS + ticket.remote_id, {}, {"upload": {"nb_chunks": 1}})
        answer = await self._call(request, call)
        if answer.status != 400:
            raise_for(answer, closing=True)
            return self._closing(answer)
        polled = await self.poll(ticket, call)
        if isinstance(polled, NotYet) and polled.remote["status"] == _OPEN:
            raise ProblemError(Problem(ProblemKind.FAILED, f"{SERVICE} answered 400: {error_of(answer)[1]}"))
        return polled

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Ask for the upload's status."""
        answer = await self._call(ApiRequest("GET", _UPLOADS + ticket.remote_id), call)
        raise_for(answer, closing=True)
        return self._closing(answer)

    def _closing(self, answer: ApiAnswer) -> Closing:
        status = upload_of(answer).get("status")
        if not isinstance(status, str) or not status:
            raise malformed(SERVICE, "an upload without a status")
        if status in (_OPEN, _UNDER_WAY):
            return NotYet(_FIRST_POLL, {"status": status})
        if _FAILURE.search(status):
            raise ProblemError(Problem(ProblemKind.FAILED, f"{SERVICE} says that the upload is {status[:64]}"))
        return {"status": status[:_LONGEST_TOLD]}

    def _ticket(self, upload: Mapping[str, Any], key: str, answer: ApiAnswer) -> Ticket:
        remote_id = remote_id_field(upload, "id", SERVICE)
        told = upload.get("form_post_url")
        url = upload_url(told if isinstance(told, str) else "", self.config.base_url, SERVICE)
        fields = fields_of(upload.get("form_post_params"))
        file = upload.get("file")
        file_id = file.get("id") if isinstance(file, dict) else None
        remote = {"id": remote_id, "object_key": key, "pipeline_id": self.config.settings["pipeline_id"]}
        remote |= {"file_id": file_id[:_LONGEST_TOLD]} if isinstance(file_id, str) else {}
        status = upload.get("status")
        remote |= {"status": status[:_LONGEST_TOLD] if isinstance(status, str) else ""}
        return Ticket(
            url,
            remote_id,
            lease_of_form(fields, answer),
            method="POST",
            remote=remote,
            form=fields,
        )

    async def _call(self, request: ApiRequest, call: ApiCall) -> ApiAnswer:
        for _ in range(2):
            token = await self._auth.token(call)
            headers = {**request.headers, "Authorization": BearerHeader(token), "Accept": "application/json"}
            answer = await call(ApiRequest(request.method, request.path, headers, request.body))
            if not token_refused(answer) or not self._auth.refused(token):
                break
        return answer

    def _object_key(self, spec: FileSpec) -> str:
        """Return the key, bytes that are not UTF-8 as surrogates."""
        stem, _ = os.path.splitext(spec.name)
        date = dt.datetime.fromtimestamp(spec.modified, dt.UTC).strftime("%Y-%m-%d")
        template: str = self.config.settings["object_key"]
        return template.format(
            path=spec.path, name=spec.name, stem=stem, ext=os.path.splitext(spec.name)[1][1:], date=date
        )

    def _expires_at(self) -> dict[str, str]:
        if self._expiry is None:
            return {}
        after = self._expiry.after
        at = self._expiry.at if after is None else int(self.config.clock.now() + after)
        return {"expires_at": str(at)}


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
