"""Xvid's calls for uploads (docs/contracts.md section 4): begin a session, finish it, ask how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import apply_fault, parse_json, read_body
from bulkup.localserver.context import ServerContext, request_origin
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.xvid import errors
from bulkup.localserver.xvid.endpoint import refuse, serve
from bulkup.localserver.xvid.oauth import OAuthApi
from bulkup.localserver.xvid.parameters import parse_chunks, parse_upload
from bulkup.localserver.xvid.sessions import UploadSession, UploadSessionRegistry
from bulkup.localserver.xvid.upload_form import BUCKET, FORM_TTL, form_post_params, object_path

UPLOADS: Final = "/v1/files/uploads"
ONE_UPLOAD: Final = UPLOADS + "/{upload_id:[^/]+}"


class XvidApi:
    """The API of one server."""

    def __init__(
        self, context: ServerContext, oauth: OAuthApi, sessions: UploadSessionRegistry, objects: ObjectStore
    ) -> None:
        self._context = context
        self._oauth = oauth
        self._sessions = sessions
        self._objects = objects

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API; the service's own example has a slash before the query."""
        routes = [
            route
            for slash in ("", "/")
            for route in (
                web.post(UPLOADS + slash, self.begin),
                web.put(ONE_UPLOAD + slash, self.finish),
                web.get(ONE_UPLOAD + slash, self.look),
            )
        ]
        return refuse_other_methods(routes, refuse)

    async def begin(self, request: web.Request) -> web.Response:
        """Answer a call for a session."""
        self._context.counters.add(presign_calls=1)
        return await serve(request, self._begin)

    async def finish(self, request: web.Request) -> web.Response:
        """Answer a call that finishes an upload."""
        return await serve(request, self._finish)

    async def look(self, request: web.Request) -> web.Response:
        """Answer a call that asks for the status."""
        return await serve(request, self._look)

    async def _begin(self, request: web.Request, parameters: Mapping[str, str]) -> dict[str, Any]:
        self._admit(request)
        wanted = parse_upload(parameters)
        short = self._meets_fault(FaultPoint.PRESIGN)
        now = self._context.clock.now()
        upload_id, session = self._sessions.begin(wanted, now)
        upload = _described(request, upload_id, session, now, storage="type")
        if short:
            return {"upload": upload}
        self._context.counters.add(tickets=1)
        expires = now + self._context.lifetime(FORM_TTL)
        params = form_post_params(session.pipeline, session.object_key, self._context.key, expires)
        return {"upload": {"form_post_params": params, **upload}}

    async def _finish(self, request: web.Request, _parameters: Mapping[str, str]) -> dict[str, Any]:
        self._admit(request)
        body = await read_body(request)
        upload_id = request.match_info["upload_id"]
        session = self._sessions.unfinished(upload_id)
        chunks = parse_chunks(parse_json(body))
        if self._objects.size(object_path(session.pipeline, session.object_key)) is None:
            raise errors.invalid_input("the file has not been uploaded")
        self._meets_fault(FaultPoint.API)
        now = self._context.clock.now()
        session = self._sessions.finish(upload_id, session, chunks, now)
        return {"upload": _described(request, upload_id, session, now)}

    async def _look(self, request: web.Request, _parameters: Mapping[str, str]) -> dict[str, Any]:
        self._admit(request)
        upload_id = request.match_info["upload_id"]
        session = self._sessions.get(upload_id)
        self._meets_fault(FaultPoint.API)
        now = self._context.clock.now()
        return {"upload": _described(request, upload_id, session, now)}

    def _admit(self, request: web.Request) -> None:
        if not self._oauth.accepts(request.headers.get("Authorization", "")):
            raise errors.invalid_token()

    def _meets_fault(self, point: FaultPoint) -> bool:
        return apply_fault(self._context.draw(point, self._context.clock.now()))


def _described(
    request: web.Request, upload_id: str, session: UploadSession, now: float, *, storage: str = "storage_type"
) -> dict[str, Any]:
    """Return what all answers say of an upload; `storage` is what this one calls the kind of store."""
    return {
        "form_post_url": request_origin(request).url(f"/{BUCKET}/"),
        "status": session.status(now),
        "object_key": session.object_key,
        "nb_chunks": session.nb_chunks,
        storage: "S3",
        "pipeline": {"id": session.pipeline},
        "file": {"id": upload_id},
        "id": upload_id,
    }
