"""Magic Hour: a POST with a list of files returns their upload URLs, in order (docs/contracts.md section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bulkup.config.extension_types import NONE, is_extension
from bulkup.model.files import extension_of
from bulkup.model.http import ApiAnswer, ApiCall, json_request
from bulkup.model.tickets import Rejection, Ticket
from bulkup.providers.answer_parsing import (
    check_distinct_tickets,
    error_message,
    json_object,
    malformed,
    raise_for_status,
    text_field,
)
from bulkup.providers.base import Capabilities, FileSpec, Provider, ProviderConfig
from bulkup.providers.bearer_header import BearerHeader
from bulkup.providers.url_reader import UrlReader

_SERVICE = "Magic Hour"
_DAY = 86_400.0

# The newest table of the API reference (docs/contracts.md section 1, "Extensions per type"); the setting `extensions`
# changes it. webm is listed both as video and as audio; here it is video. gif is left out: the API has no type for it.
_TYPES = {
    "video": ("mp4", "m4v", "mov", "webm"),
    "audio": ("mp3", "wav", "aac", "flac", "weba", "m4a", "opus", "ogg", "oga", "aiff", "amr"),
    "image": ("png", "jpg", "jpeg", "jfif", "heic", "heif", "webp", "avif", "jp2", "tiff", "tif", "bmp"),
}
# Two extensions of one format. An answer that uses the other one is still in the order of the request.
_SPELLINGS = {"jpeg": "jpg", "jfif": "jpg", "tiff": "tif", "heif": "heic", "oga": "ogg", "opus": "ogg"}
TYPE_OF = {extension: kind for kind, extensions in _TYPES.items() for extension in extensions}


class MagicHour(Provider):
    """The files API of Magic Hour. The remote id is the `file_path`, which later API calls refer to."""

    name = "magic-hour"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        changed = {**TYPE_OF, **config.settings.get("extensions", {})}
        self._types = {extension: kind for extension, kind in changed.items() if kind != NONE}
        self._capabilities = Capabilities(
            batch_limit=1000,  # the service states no limit; this bounds an answer to about 1 MiB
            batch_size=100,
            extensions=frozenset(self._types),
            kept_for=7 * _DAY,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The limits of the service, with the extensions of its table and of the setting."""
        return self._capabilities

    def _extension_reason(self, extension: str, known: frozenset[str]) -> str:
        reason = super()._extension_reason(extension, known)
        return f"{reason}; the setting extensions can add others" if is_extension(extension) else reason

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Request upload URLs. The answer must have one item per file, because items are matched by their order."""
        items = [{"type": self._types[spec.extension], "extension": spec.extension} for spec in specs]
        headers = {"Authorization": BearerHeader(self.config.credentials["token"])}
        answer = await call(json_request("POST", "/v1/files/upload-urls", headers, {"items": items}, urls=len(items)))
        raise_for_status(answer, _SERVICE, error_message(answer))
        tickets = self._tickets(answer, specs)
        check_distinct_tickets(tickets, _SERVICE)
        return tickets

    def _tickets(self, answer: ApiAnswer, specs: Sequence[FileSpec]) -> list[Ticket]:
        items = json_object(answer, _SERVICE).get("items")
        if not isinstance(items, list) or len(items) != len(specs):
            got = f"a list of {len(items)}" if isinstance(items, list) else "no list"
            raise malformed(_SERVICE, f"{got} in `items`, and the number of files was {len(specs)}")
        urls = UrlReader(answer, self.config.base_url, _SERVICE)
        return [self._ticket(item, spec, urls) for item, spec in zip(items, specs, strict=True)]

    def _ticket(self, item: Any, spec: FileSpec, urls: UrlReader) -> Ticket:
        file_path = text_field(item, "file_path", _SERVICE)
        if not _same_format(file_path, spec.extension):
            raise malformed(_SERVICE, "its items in another order than requested")
        url, lease, content_md5 = urls.read(text_field(item, "upload_url", _SERVICE))
        expires_text = text_field(item, "expires_at", _SERVICE)
        expires_at = urls.lease_until(expires_text)
        if expires_at is None:
            raise malformed(_SERVICE, "an expires_at that is not an RFC 3339 time")
        return Ticket(
            url=url,
            remote_id=file_path,
            expires_at=expires_at if lease is None or lease > expires_at else lease,
            remote={"file_path": file_path, "expires_at": expires_text},
            content_md5=content_md5,
        )


def _same_format(file_path: str, asked: str) -> bool:
    """Return whether a path can belong to a file with that extension. A path without an extension says nothing."""
    if asked and file_path.endswith(f".{asked}"):  # nearly always
        return True
    answered = extension_of(file_path[file_path.rfind("/") + 1 :])
    return not answered or _SPELLINGS.get(answered, answered) == _SPELLINGS.get(asked, asked)
