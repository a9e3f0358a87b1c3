"""Xvid MediaHub: an upload session per file, an S3 form, a closing call and polls (docs/contracts.md section 4)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from bulkup.config.expiry import Expiry
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import Secret
from bulkup.helpers.short_text import shortened
from bulkup.model.files import Place
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, StorageAnswer, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.providers.answer_parsing import MESSAGE_LIMIT, malformed, remote_id_field, upload_url
from bulkup.providers.base import Capabilities, Closing, FileSpec, NotYet, Provider, ProviderConfig
from bulkup.providers.bearer_header import BearerHeader
from bulkup.providers.key_template import KeyTemplate, fault_of_key, is_utf8
from bulkup.providers.storage_answers import form_evidence
from bulkup.providers.tokens import StaticToken
from bulkup.providers.xvid.answers import SERVICE, error_of, raise_for, token_refused, upload_of
from bulkup.providers.xvid.auth import client_credentials
from bulkup.providers.xvid.form import PLACEHOLDER, fields_of, lease_of_form

_UPLOADS = "/v1/files/uploads/"
_DAY = 86_400.0
_MAX_REMOTE_TEXT = 128  # characters of a text from the service that is stored in the manifest
_POLL_AFTER = 0.25  # seconds
# The two statuses of an incomplete upload: before and after the closing call.
_UPLOADING = "UPLOADING"
_COMPLETING = "COMPLETING"
# The statuses of a failed upload are not documented. Common words for failure are recognized.
_FAILURE = lazy_pattern(r"FAIL|ERROR|ABORT|CANCEL|EXPIRE|REJECT|INVALID", re.IGNORECASE)


class Xvid(Provider):
    """The uploads API of MediaHub. The remote id is that of the upload; jobs use the object key in `remote`."""

    name = "xvid"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        token = config.credentials.get("token")
        self._auth = StaticToken(token) if token is not None else client_credentials(config)
        self._key = KeyTemplate(config.settings["object_key"])
        self._expiry: Expiry | None = config.settings["expires_at"]
        self._capabilities = Capabilities(
            batch_limit=1, batch_size=1, calls_in_flight=32, confirms=config.settings["confirm"], placed=True
        )

    @property
    def capabilities(self) -> Capabilities:
        """The limits and needs of the service; closing calls only with the setting `confirm`."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The pipeline."""
        return str(self.config.settings["pipeline_id"])

    @property
    def secrets(self) -> Iterable[Secret]:
        """The credentials, and tokens fetched with them."""
        return (*super().secrets, *self._auth.secrets)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files whose object key would be invalid."""
        key = self._key(spec)
        if (fault := fault_of_key(key, self.name)) is not None:
            return Rejection(fault)
        if PLACEHOLDER in key:
            return Rejection(f"its object key holds {PLACEHOLDER}, which storage would replace with another name")
        return super().reject(spec)

    def place(self, spec: FileSpec) -> Place | None:
        """Return the object key, which two files must not share. None if it is not valid UTF-8."""
        key = self._key(spec)
        return Place(key, exclusive=True) if is_utf8(key) else None

    def kept_until(self, stored_at: float) -> float | None:
        """Return the requested expiry, or the service's default of seven days."""
        if self._expiry is None:
            return stored_at + 7 * _DAY
        if self._expiry.never:
            return None
        return self._expiry.at if self._expiry.after is None else stored_at + self._expiry.after

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Open an upload session."""
        (spec,) = specs
        key = self._key(spec)
        query = {"object_key": key, "pipeline_id": self.config.settings["pipeline_id"]}
        query |= {**self._uploader_address(), **self._expires_at()}
        # Percent-encoded once, including slashes, as in the service's example.
        target = f"{_UPLOADS}?{urlencode(query, quote_via=quote, safe='')}"
        answer = await self._call(ApiRequest("POST", target), call)
        raise_for(answer)
        upload = upload_of(answer)
        if upload.get("object_key", key) != key:
            raise malformed(SERVICE, "an object key other than the one requested")
        return [self._ticket(upload, key, answer)]

    @classmethod
    def evidence(cls, answer: StorageAnswer) -> Mapping[str, str]:
        """Return the headers of the answer, with the ETag of the document that answers a form."""
        return form_evidence(answer)

    async def confirm(
        self,
        ticket: Ticket,
        receipt: Receipt,  # noqa: ARG002  # the call does not need it
        call: ApiCall,
        *,
        again: bool,  # noqa: ARG002  # the status shows whether it was received
    ) -> Closing:
        """Report that the only chunk is stored. If the upload was closed before, return its status instead."""
        request = json_request("PUT", _UPLOADS + ticket.remote_id, {}, {"upload": {"nb_chunks": 1}})
        answer = await self._call(request, call)
        if answer.status != 400:
            raise_for(answer, closing=True)
            return self._closing(answer)
        polled = await self.poll(ticket, call)
        if isinstance(polled, NotYet) and polled.remote["status"] == _UPLOADING:
            said = shortened(error_of(answer)[1], MESSAGE_LIMIT)
            raise ProblemError(Problem(ProblemKind.FAILED, f"{SERVICE} answered 400: {said}"))
        return polled

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Request the status of the upload."""
        answer = await self._call(ApiRequest("GET", _UPLOADS + ticket.remote_id), call)
        raise_for(answer, closing=True)
        return self._closing(answer)

    def _closing(self, answer: ApiAnswer) -> Closing:
        status = upload_of(answer).get("status")
        if not isinstance(status, str) or not status:
            raise malformed(SERVICE, "an upload without a status")
        if status in (_UPLOADING, _COMPLETING):
            return NotYet(_POLL_AFTER, {"status": status})
        if _FAILURE.search(status):
            raise ProblemError(Problem(ProblemKind.FAILED, f"{SERVICE} reports the upload as {status[:64]}"))
        return {"status": status[:_MAX_REMOTE_TEXT]}

    def _ticket(self, upload: Mapping[str, Any], key: str, answer: ApiAnswer) -> Ticket:
        remote_id = remote_id_field(upload, "id", SERVICE)
        text = upload.get("form_post_url")
        url = upload_url(text if isinstance(text, str) else "", self.config.base_url, SERVICE)
        fields = fields_of(upload.get("form_post_params"))
        file = upload.get("file")
        file_id = file.get("id") if isinstance(file, dict) else None
        remote = {"id": remote_id, "object_key": key, "pipeline_id": self.config.settings["pipeline_id"]}
        remote |= {"file_id": file_id[:_MAX_REMOTE_TEXT]} if isinstance(file_id, str) else {}
        status = upload.get("status")
        remote |= {"status": status[:_MAX_REMOTE_TEXT] if isinstance(status, str) else ""}
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
            if not token_refused(answer) or not self._auth.invalidate(token):
                break
        return answer

    def _uploader_address(self) -> dict[str, str]:
        address = self.config.settings["ip"]
        return {} if address is None else {"ip": str(int(ipaddress.IPv4Address(address)))}

    def _expires_at(self) -> dict[str, str]:
        if self._expiry is None:
            return {}
        after = self._expiry.after
        at = self._expiry.at if after is None else int(self.config.service_now() + after)
        return {"expires_at": str(at)}
