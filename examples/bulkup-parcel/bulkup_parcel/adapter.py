"""Parcel: `POST /v1/parcels` with a list of files returns an upload URL for each of them, in order.

{"shelf": "inbox", "files": [{"name": "a.mp4", "size": 123}]}
201 {"parcels": [{"id": "inbox/1f0c", "put_url": "https://...", "expires_at": "2026-01-02T03:04:05Z"}]}
4xx {"message": "..."}
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.plugins import (
    ApiCall,
    BearerHeader,
    Capabilities,
    FileSpec,
    Provider,
    Ticket,
    TicketAnswer,
    check_distinct_tickets,
    error_message,
    json_object,
    json_request,
    lease_from,
    malformed,
    raise_for_status,
    takes_content_md5,
    text_field,
    unix_time,
    upload_url,
)

_SERVICE = "Parcel"


class Parcel(Provider):
    """The parcels API. The remote id is that of the parcel."""

    name = "parcel"
    capabilities = Capabilities(batch_limit=100, batch_size=50)

    @property
    def scope(self) -> str:
        """The shelf: a file that lies on one shelf is uploaded again to another one."""
        return str(self.config.settings["plugin"]["shelf"])

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Request upload URLs. The answer has them in the order of the request."""
        body = {"shelf": self.scope, "files": [{"name": spec.name, "size": spec.size} for spec in specs]}
        headers = {"Authorization": BearerHeader(self.config.credentials["token"])}
        answer = await call(json_request("POST", "/v1/parcels", headers, body, urls=len(specs)))
        raise_for_status(answer, _SERVICE, error_message(answer))
        parcels = json_object(answer, _SERVICE).get("parcels")
        if not isinstance(parcels, list) or len(parcels) != len(specs):
            raise malformed(_SERVICE, f"a number of parcels other than the {len(specs)} requested")
        tickets = []
        for parcel in parcels:
            url = upload_url(text_field(parcel, "put_url", _SERVICE), self.config.base_url, _SERVICE)
            expires_at = unix_time(text_field(parcel, "expires_at", _SERVICE))
            if expires_at is None:
                raise malformed(_SERVICE, "an expires_at that is not an RFC 3339 time")
            remote_id = text_field(parcel, "id", _SERVICE)
            tickets.append(
                Ticket(
                    url=url,
                    remote_id=remote_id,
                    expires_at=lease_from(expires_at, answer),
                    remote={"id": remote_id, "shelf": self.scope},
                    content_md5=takes_content_md5(url),
                )
            )
        check_distinct_tickets(tickets, _SERVICE)
        return tickets
