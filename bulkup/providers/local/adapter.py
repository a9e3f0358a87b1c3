"""The API of the embedded server, for `--provider local`. It accepts any file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bulkup.model.http import ApiAnswer, ApiCall, json_request
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.tickets import Download, Ticket
from bulkup.providers.answer_parsing import (
    check_distinct_tickets,
    error_message,
    json_object,
    lease_of_url,
    malformed,
    raise_for_status,
    text_field,
    upload_url,
)
from bulkup.providers.base import Capabilities, FileSpec, Provider, TicketAnswer
from bulkup.providers.bearer_header import BearerHeader
from bulkup.providers.url_reader import UrlReader

_SERVICE = "the local server"
_EXTENSION_LIMIT = 32


class Local(Provider):
    """The embedded server, started for the run. The remote id is the object's path below `objects/` in its store."""

    name = "local"
    capabilities = Capabilities(
        batch_limit=1000, batch_size=100, tells_stored=True, stored_at_once=500, reads_back=True
    )

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Request upload URLs. The answer has them in the order of the request."""
        files = [{"extension": _clean(spec.extension), "size": spec.size} for spec in specs]
        headers = {"Authorization": BearerHeader(self.config.credentials["token"])}
        answer = await call(json_request("POST", "/local/v1/tickets", headers, {"files": files}, urls=len(files)))
        raise_for_status(answer, _SERVICE, error_message(answer))
        items = json_object(answer, _SERVICE).get("tickets")
        if not isinstance(items, list) or len(items) != len(specs):
            raise malformed(_SERVICE, f"a number of tickets other than the {len(specs)} requested")
        urls = UrlReader(answer, self.config.base_url, _SERVICE)
        tickets = [self._ticket(item, answer, urls) for item in items]
        check_distinct_tickets(tickets, _SERVICE)
        return tickets

    async def stored(self, uploads: Sequence[Upload], call: ApiCall) -> Sequence[StoredObject | None]:
        """Ask for the objects. The server tells their sizes."""
        found, _ = await self._objects([upload.remote_id for upload in uploads], call)
        return [None if one is None else StoredObject(_size_of(one)) for one in found]

    async def read_back(self, upload: Upload, call: ApiCall) -> Download | None:
        """Ask for the URL of an object."""
        (found,), answer = await self._objects([upload.remote_id], call)
        if found is None:
            return None
        url = upload_url(text_field(found, "url", _SERVICE), self.config.base_url, _SERVICE, "a download URL")
        return Download(url, lease_of_url(url, answer))

    async def _objects(self, ids: Sequence[str], call: ApiCall) -> tuple[list[Any], ApiAnswer]:
        """Return the answer about each id, None for an object that is not stored, and the answer as a whole."""
        headers = {"Authorization": BearerHeader(self.config.credentials["token"])}
        answer = await call(json_request("POST", "/local/v1/objects", headers, {"ids": list(ids)}, urls=len(ids)))
        raise_for_status(answer, _SERVICE, error_message(answer))
        items = json_object(answer, _SERVICE).get("objects")
        if not isinstance(items, list) or len(items) != len(ids):
            raise malformed(_SERVICE, f"a number of objects other than the {len(ids)} requested")
        if any(one is not None and text_field(one, "id", _SERVICE) != id_ for one, id_ in zip(items, ids, strict=True)):
            raise malformed(_SERVICE, "another object than the one requested")
        return items, answer

    def _ticket(self, item: object, answer: ApiAnswer, urls: UrlReader) -> Ticket:
        url, _, content_md5 = urls.read(text_field(item, "url", _SERVICE))
        seconds = item.get("expires_in") if isinstance(item, dict) else None
        if not isinstance(seconds, int | float):
            raise malformed(_SERVICE, "a ticket without expires_in")
        remote_id = text_field(item, "id", _SERVICE)
        return Ticket(
            url=url,
            remote_id=remote_id,
            expires_at=answer.sent_at + seconds,
            remote={"id": remote_id},
            content_md5=content_md5,
        )

    def reusable(self, ticket: Ticket) -> bool:
        """Return whether the ticket is for the server that runs now. A restarted server may have another port."""
        return urlsplit(ticket.url.reveal()).netloc == urlsplit(self.config.base_url).netloc


def _size_of(item: Any) -> int | None:
    size = item.get("size")
    return size if isinstance(size, int) else None


def _clean(extension: str) -> str:
    kept = "".join(c for c in extension if c.isascii() and (c.isalnum() or c in "_-"))
    return kept[:_EXTENSION_LIMIT]
