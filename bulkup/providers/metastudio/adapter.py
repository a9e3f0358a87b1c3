"""Huawei MetaStudio: one file a call, its MD5 told beforehand, and a closing call (docs/contracts.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Place
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, json_request
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.providers.answer_parsing import (
    check_distinct_urls,
    json_object,
    lease_of_url,
    malformed,
    remote_id_field,
    text_field,
    upload_url,
)
from bulkup.providers.base import GIB, Capabilities, FileSpec, Provider, ProviderConfig, valid_text
from bulkup.providers.metastudio.answers import SERVICE, has_completed, raise_for, token_expired
from bulkup.providers.metastudio.asset_targets import Assets, Target
from bulkup.providers.metastudio.auth import auth_of

_ONE_PUT = 5 * GIB
_PART = 512 * 1024**2  # so that the largest file has 1,000 parts
_LONGEST_NAME = 256
_LONGEST_TYPE = 64
# What storage signs; every other type is an octet stream.
_CONTENT_TYPES = {
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
}


class MetaStudio(Provider):
    """The files API of MetaStudio. The remote id is the file's `file_id`."""

    name = "metastudio"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._auth = auth_of(config) if config.credentials else None
        self._assets = Assets(config.settings)
        self._files = f"/v1/{config.settings['project_id']}"
        self._capabilities = Capabilities(
            batch_limit=1,
            batch_size=1,
            calls_in_flight=32,
            rate_limit=10.0,
            min_size=1,
            max_size=500 * GIB,
            checksum_first=True,
            confirms=config.settings["confirm"],
            abandons=config.settings["confirm"],
            placed=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do and wants; closing calls only where they are wanted."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The project, and the asset where all files go to one.

        With rules or a map the asset is each file's own, and its place tells when that becomes another.
        """
        settings = self.config.settings
        one = settings["asset_id"] if not settings["assets"] and not settings["asset_map"] else None
        return "/".join(part for part in (settings["project_id"], one) if part)

    @property
    def secrets(self) -> Iterable[Secret]:
        """The credentials, and a token fetched with them."""
        return (*super().secrets, *(self._auth.secrets if self._auth is not None else ()))

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse what the service's own field rules refuse, and files that no asset is named for."""
        if not spec.extension:
            return Rejection("metastudio does not take a file without an extension", unsupported=True)
        target = self._assets.of(spec)
        if target is None:
            return Rejection("no asset is named for it: set asset_id, or add a rule to assets or a line to asset_map")
        if len(spec.extension) > _LONGEST_TYPE:
            return Rejection(f"its extension is longer than the {_LONGEST_TYPE} characters that metastudio takes")
        if not 1 <= len(target.name) <= _LONGEST_NAME:
            return Rejection(f"its name is longer than the {_LONGEST_NAME} characters that metastudio takes")
        return super().reject(spec)

    def place(self, spec: FileSpec) -> Place | None:
        """Return asset and category; an asset has exactly one MAIN."""
        target = self._assets.of(spec)
        if target is None:
            return None
        return Place(f"{target.category} of asset {target.asset_id}", exclusive=target.category == "MAIN")

    def hashes_first(self, spec: FileSpec) -> bool:
        """Say yes but for files that go in parts: those are created without a checksum."""
        return spec.size <= _ONE_PUT

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Create the file."""
        (spec,) = specs
        target = self._assets.of(spec)
        assert target is not None  # a file without an asset is rejected before any call
        large = spec.size > _ONE_PUT
        path = f"{self._files}/{'large-files' if large else 'files'}"
        answer = await self._call(json_request("POST", path, self._headers(), _created(spec, target)), call)
        raise_for(answer, signs=self._auth is not None and self._auth.signs)
        body = json_object(answer, SERVICE)
        remote_id = remote_id_field(body, "file_id", SERVICE)
        remote = {"file_id": remote_id, "asset_id": target.asset_id, "asset_file_category": target.category}
        remote |= {"request_id": answer.headers["x-request-id"]} if "x-request-id" in answer.headers else {}
        return [self._large(spec, body, remote, answer) if large else self._ticket(spec, body, remote, answer)]

    async def confirm(
        self,
        ticket: Ticket,
        receipt: Receipt,  # noqa: ARG002  # the service was told the checksum beforehand
        call: ApiCall,
        *,
        again: bool,
    ) -> Mapping[str, Any]:
        """Say that the bytes are there. That they were said to be before is as good."""
        answer = await self._complete(ticket, "CREATED", call)
        if not has_completed(answer, again=again):
            raise_for(answer, signs=self._auth is not None and self._auth.signs, closing=True)
        return {"state": "CREATED"}

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> None:
        """Say that a file failed, or that it is not to come after all."""
        answer = await self._complete(ticket, "FAILED" if state is FileState.FAILED else "CANCELLED", call)
        raise_for(answer, signs=self._auth is not None and self._auth.signs, closing=True)

    async def _complete(self, ticket: Ticket, state: str, call: ApiCall) -> ApiAnswer:
        path = f"{self._files}/files/{ticket.remote_id}/complete"
        return await self._call(json_request("POST", path, self._headers(), {"state": state}), call)

    async def _call(self, request: ApiRequest, call: ApiCall) -> ApiAnswer:
        assert self._auth is not None  # only a preview has no credentials, and calls nothing
        proven = await self._auth.apply(request, call)
        answer = await call(proven)
        if token_expired(answer) and self._auth.refused(proven):
            answer = await call(await self._auth.apply(request, call))
        return answer

    def _headers(self) -> dict[str, str | Secret]:
        settings = self.config.settings
        user = {"X-App-UserId": settings["app_user_id"]} if settings["app_user_id"] else {}
        return {"X-Project-Id": settings["project_id"], **user}

    def _ticket(self, spec: FileSpec, body: Mapping[str, Any], remote: dict[str, Any], answer: ApiAnswer) -> Ticket:
        assert spec.digest is not None  # the hasher stands before this call
        url = self._url(text_field(body, "upload_url", SERVICE))
        headers = {
            "Content-MD5": spec.digest.content_md5,
            "Content-Type": _CONTENT_TYPES.get(spec.extension, "application/octet-stream"),
        }
        return Ticket(url, remote["file_id"], lease_of_url(url, answer), headers=headers, remote=remote)

    def _large(self, spec: FileSpec, body: Mapping[str, Any], remote: dict[str, Any], answer: ApiAnswer) -> Ticket:
        told = body.get("upload_urls")
        if not isinstance(told, list) or not told or not all(isinstance(url, str) for url in told):
            raise malformed(SERVICE, "no list of upload_urls")
        if -(-spec.size // len(told)) > _ONE_PUT:
            raise malformed(SERVICE, f"{len(told)} upload_urls for {spec.size} bytes, which is too few")
        first, *more = [self._url(url) for url in told]
        check_distinct_urls([first, *more], SERVICE)
        leases = [lease for url in (first, *more) if (lease := lease_of_url(url, answer)) is not None]
        return Ticket(
            first,
            remote["file_id"],
            min(leases, default=None),
            remote=remote | {"parts": len(told)},
            more_urls=(*more,),
        )

    def _url(self, value: str) -> SecretUrl:
        return upload_url(value, self.config.base_url, SERVICE)


def _created(spec: FileSpec, target: Target) -> dict[str, Any]:
    """Return the request's body, its keys in the order of the service's own example."""
    digest = spec.digest.content_md5 if spec.digest is not None else None
    large = spec.size > _ONE_PUT
    return {
        "file_name": target.name,
        **({} if large else {"file_md5": digest}),
        "file_size": spec.size,
        "file_type": valid_text(spec.extension),
        "asset_id": target.asset_id,
        "asset_file_category": target.category,
        **({"file_multipart_count": -(-spec.size // _PART)} if large else {}),
    }
