"""The API of the embedded server, for `--provider local`. It accepts any file."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from bulkup.model.http import ApiAnswer, ApiCall, json_request
from bulkup.model.tickets import Ticket
from bulkup.providers.answer_parsing import (
    check_distinct_tickets,
    error_message,
    json_object,
    malformed,
    raise_for_status,
    text_field,
)
from bulkup.providers.base import Capabilities, FileSpec, Provider, TicketAnswer
from bulkup.providers.bearer_header import BearerHeader
from bulkup.providers.url_reader import UrlReader

_SERVICE = "the local server"
_EXTENSION_LIMIT = 32


class Local(Provider):
    """The embedded server, started for the run. The remote id is the object's path below `objects/` in its store."""

    name = "local"
    capabilities = Capabilities(batch_limit=1000, batch_size=100)

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


def _clean(extension: str) -> str:
    kept = "".join(c for c in extension if c.isascii() and (c.isalnum() or c in "_-"))
    return kept[:_EXTENSION_LIMIT]
