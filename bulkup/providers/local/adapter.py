"""The embedded server's own small API: what `--provider local` uses. It takes any file."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from bulkup.model.http import ApiAnswer, ApiCall, json_request
from bulkup.model.tickets import Rejection, Ticket
from bulkup.providers.answer_parsing import (
    distinct,
    json_object,
    malformed,
    message_of,
    raise_for_status,
    takes_content_md5,
    text_of,
    upload_url,
)
from bulkup.providers.base import Capabilities, FileSpec, Provider
from bulkup.providers.bearer import Bearer

_SERVICE = "the local server"
_EXTENSION_LIMIT = 32


class Local(Provider):
    """The embedded server, started for the run. The remote id is the object's path below `objects/` of its store."""

    name = "local"
    capabilities = Capabilities(batch_limit=1000, batch_size=100)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Ask for upload URLs, answered in the order asked."""
        files = [{"extension": _clean(spec.extension), "size": spec.size} for spec in specs]
        headers = {"Authorization": Bearer(self.config.credentials["token"])}
        answer = await call(json_request("POST", "/local/v1/tickets", headers, {"files": files}))
        raise_for_status(answer, _SERVICE, message_of(answer))
        items = json_object(answer, _SERVICE).get("tickets")
        if not isinstance(items, list) or len(items) != len(specs):
            raise malformed(_SERVICE, f"another number of tickets than the {len(specs)} asked for")
        tickets = [self._ticket(item, answer) for item in items]
        distinct(tickets, _SERVICE)
        return tickets

    def _ticket(self, item: object, answer: ApiAnswer) -> Ticket:
        url = upload_url(text_of(item, "url", _SERVICE), self.config.base_url, _SERVICE)
        seconds = item.get("expires_in") if isinstance(item, dict) else None
        if not isinstance(seconds, int | float):
            raise malformed(_SERVICE, "a ticket without expires_in")
        remote_id = text_of(item, "id", _SERVICE)
        return Ticket(
            url=url,
            remote_id=remote_id,
            expires_at=answer.sent_at + seconds,
            remote={"id": remote_id},
            content_md5=takes_content_md5(url),
        )

    def reusable(self, ticket: Ticket) -> bool:
        """Say whether the ticket is for the server as it runs now: started anew it may have another port."""
        return urlsplit(ticket.url.reveal()).netloc == urlsplit(self.config.base_url).netloc


def _clean(extension: str) -> str:
    kept = "".join(c for c in extension if c.isascii() and (c.isalnum() or c in "_-"))
    return kept[:_EXTENSION_LIMIT]
