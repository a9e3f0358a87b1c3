"""Huawei MetaStudio: one file per call, which states its MD5, and a closing call (docs/contracts.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from bulkup.config.asset_categories import wrong_category
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import NameAtService, Place
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
from bulkup.providers.base import GIB, S3_PUT_LIMIT, Capabilities, FileSpec, Provider, ProviderConfig, valid_text
from bulkup.providers.metastudio.answers import SERVICE, has_completed, raise_for, token_expired
from bulkup.providers.metastudio.asset_targets import AssetTarget, AssetTargets
from bulkup.providers.metastudio.auth import auth_of

_MAX_NAME = 256
_MAX_REQUEST_ID = 128
_MAX_TYPE = 64
# The types that storage signs by extension; every other file is an octet stream.
_CONTENT_TYPES = {
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
}


@dataclass(frozen=True, slots=True)
class PartLimits:
    """How files are divided. Files of more than `single_put` bytes are sent in parts of `part_size` bytes."""

    single_put: int = S3_PUT_LIMIT
    part_size: int = 512 * 1024**2  # 1,000 parts for the largest file


class MetaStudio(Provider):
    """The files API of MetaStudio. The remote id is the file's `file_id`."""

    name = "metastudio"
    part_limits: ClassVar[PartLimits] = PartLimits()

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._auth = auth_of(config) if config.credentials else None
        self._assets = AssetTargets(config.settings)
        self._files = f"/v1/{config.settings['project_id']}"
        self._capabilities = Capabilities(
            batch_limit=1,
            batch_size=1,
            calls_in_flight=32,
            rate_limit=10.0,
            min_size=1,
            max_size=500 * GIB,
            checksum_first="md5",
            confirms=config.settings["confirm"],
            abandons=config.settings["confirm"],
            placed=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The limits and needs of the service; closing calls only with the setting `confirm`."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The project, and the asset if all files go to the same one.

        With rules or a map, each file has its own asset, and a change of it shows in the file's place.
        """
        settings = self.config.settings
        asset_id = settings["asset_id"] if not settings["assets"] and not settings["asset_map"] else None
        return "/".join(part for part in (settings["project_id"], asset_id) if part)

    @property
    def secrets(self) -> Iterable[Secret]:
        """The credentials, and tokens fetched with them."""
        return (*super().secrets, *(self._auth.secrets if self._auth is not None else ()))

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files that violate the service's field rules, and files without an asset."""
        if not spec.extension:
            return Rejection("metastudio does not accept a file without an extension", unsupported=True)
        target = self._assets.find(spec)
        if target is None:
            return Rejection("it has no asset: set asset_id, or add a rule to assets or a line to asset_map")
        if (reason := wrong_category(target.asset_type, target.category)) is not None:
            return Rejection(f"{reason} (asset {target.asset_id})")
        if len(spec.extension) > _MAX_TYPE:
            return Rejection(f"its extension is longer than the {_MAX_TYPE} characters that metastudio accepts")
        if not 1 <= len(target.name) <= _MAX_NAME:
            return Rejection(f"its name is longer than the {_MAX_NAME} characters that metastudio accepts")
        return super().reject(spec)

    def place(self, spec: FileSpec) -> Place | None:
        """Return asset and category. An asset has exactly one MAIN, so that place is exclusive."""
        target = self._assets.find(spec)
        if target is None:
            return None
        return Place(f"{target.category} of asset {target.asset_id}", exclusive=target.category == "MAIN")

    def name_at_service(self, spec: FileSpec) -> NameAtService | None:
        """Return the name in the asset, which the service compares without case."""
        target = self._assets.find(spec)
        return None if target is None else NameAtService(f"asset {target.asset_id}", target.name)

    def hashes_first(self, spec: FileSpec) -> bool:
        """Return True except for files in parts, which are created without a checksum."""
        return not self._in_parts(spec)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Create the file."""
        (spec,) = specs
        target = self._assets.find(spec)
        assert target is not None  # a file without an asset is rejected before any call
        large = self._in_parts(spec)
        path = f"{self._files}/{'large-files' if large else 'files'}"
        parts = -(-spec.size // self.part_limits.part_size) if large else 1
        body = self._create_body(spec, target)
        answer = await self._call(json_request("POST", path, self._headers(), body, urls=parts), call)
        raise_for(answer, signs=self._auth is not None and self._auth.signs)
        answered = json_object(answer, SERVICE)
        remote_id = remote_id_field(answered, "file_id", SERVICE)
        remote = {"file_id": remote_id, "asset_id": target.asset_id, "asset_file_category": target.category}
        request_id = answer.headers.get("x-request-id")
        remote |= {"request_id": request_id[:_MAX_REQUEST_ID]} if request_id is not None else {}
        return [
            self._multipart_ticket(spec, answered, remote, answer)
            if large
            else self._ticket(spec, answered, remote, answer)
        ]

    async def confirm(
        self,
        ticket: Ticket,
        receipt: Receipt,  # noqa: ARG002  # the checksum was part of the create call
        call: ApiCall,
        *,
        again: bool,
    ) -> Mapping[str, Any]:
        """Report that the bytes are stored. It is no error if an earlier call reported it."""
        answer = await self._complete(ticket, "CREATED", call)
        if not has_completed(answer, again=again):
            raise_for(answer, signs=self._auth is not None and self._auth.signs, closing=True)
        return {"state": "CREATED"}

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> None:
        """Report that a file failed or is cancelled."""
        answer = await self._complete(ticket, "FAILED" if state is FileState.FAILED else "CANCELLED", call)
        raise_for(answer, signs=self._auth is not None and self._auth.signs, closing=True)

    async def _complete(self, ticket: Ticket, state: str, call: ApiCall) -> ApiAnswer:
        path = f"{self._files}/files/{ticket.remote_id}/complete"
        return await self._call(json_request("POST", path, self._headers(), {"state": state}), call)

    async def _call(self, request: ApiRequest, call: ApiCall) -> ApiAnswer:
        assert self._auth is not None  # only a preview has no credentials, and it makes no calls
        authorized = await self._auth.apply(request, call)
        answer = await call(authorized)
        if token_expired(answer) and self._auth.invalidate(authorized):
            answer = await call(await self._auth.apply(request, call))
        return answer

    def _headers(self) -> dict[str, str | Secret]:
        settings = self.config.settings
        user = {"X-App-UserId": settings["app_user_id"]} if settings["app_user_id"] else {}
        return {"X-Project-Id": settings["project_id"], **user}

    def _ticket(self, spec: FileSpec, body: Mapping[str, Any], remote: dict[str, Any], answer: ApiAnswer) -> Ticket:
        assert spec.digest is not None  # the hasher comes before this call
        url = self._url(text_field(body, "upload_url", SERVICE))
        headers = {
            "Content-MD5": spec.digest.base64,
            "Content-Type": _CONTENT_TYPES.get(spec.extension, "application/octet-stream"),
        }
        return Ticket(url, remote["file_id"], lease_of_url(url, answer), headers=headers, remote=remote)

    def _multipart_ticket(
        self, spec: FileSpec, body: Mapping[str, Any], remote: dict[str, Any], answer: ApiAnswer
    ) -> Ticket:
        texts = body.get("upload_urls")
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise malformed(SERVICE, "no list of upload_urls")
        if -(-spec.size // len(texts)) > self.part_limits.single_put:
            raise malformed(SERVICE, f"{len(texts)} upload_urls for {spec.size} bytes, which is too few")
        first, *more = [self._url(text) for text in texts]
        check_distinct_urls([first, *more], SERVICE)
        leases = [lease for url in (first, *more) if (lease := lease_of_url(url, answer)) is not None]
        return Ticket(
            first,
            remote["file_id"],
            min(leases, default=None),
            remote=remote | {"parts": len(texts)},
            more_urls=(*more,),
        )

    def _url(self, value: str) -> SecretUrl:
        return upload_url(value, self.config.base_url, SERVICE)

    def _in_parts(self, spec: FileSpec) -> bool:
        return spec.size > self.part_limits.single_put

    def _create_body(self, spec: FileSpec, target: AssetTarget) -> dict[str, Any]:
        """Return the body of the create call, with its keys in the order of the service's example."""
        digest = spec.digest.base64 if spec.digest is not None else None
        large = self._in_parts(spec)
        return {
            "file_name": target.name,
            **({} if large else {"file_md5": digest}),
            "file_size": spec.size,
            "file_type": valid_text(spec.extension),
            "asset_id": target.asset_id,
            "asset_file_category": target.category,
            **({"file_multipart_count": -(-spec.size // self.part_limits.part_size)} if large else {}),
        }
