"""Xvid's calls for uploads (docs/contracts.md section 4): begin a session, finish it, get its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import apply_fault, parse_json, read_body
from bulkup.localserver.context import ServerContext, request_origin
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.xvid import api_errors
from bulkup.localserver.xvid.endpoint import refuse, serve
from bulkup.localserver.xvid.oauth import OAuthApi
from bulkup.localserver.xvid.parameters import parse_chunks, parse_upload
from bulkup.localserver.xvid.sessions import UploadSession, UploadSessionRegistry
from bulkup.localserver.xvid.upload_form import BUCKET, FORM_TTL, form_post_params, object_path

UPLOADS: Final = "/v1/files/uploads"
ONE_UPLOAD: Final = UPLOADS + "/{upload_id:[^/]+}"


class XvidApi:
    """The Xvid API of one server."""

    def __init__(
        self, context: ServerContext, oauth: OAuthApi, sessions: UploadSessionRegistry, objects: ObjectStore
    ) -> None:
        self._context = context
        self._oauth = oauth
        self._sessions = sessions
        self._objects = objects

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API, with and without a slash at the end, which the service's example has."""
        routes = [
            route
            for slash in ("", "/")
            for route in (
                web.post(UPLOADS + slash, self.begin),
                web.put(ONE_UPLOAD + slash, self.finish),
                web.get(ONE_UPLOAD + slash, self.get),
            )
        ]
        return refuse_other_methods(routes, refuse)

    async def begin(self, request: web.Request) -> web.Response:
        """Begin a session."""
        self._context.counters.add(presign_calls=1)
        return await serve(request, self._begin)

    async def finish(self, request: web.Request) -> web.Response:
        """Finish an upload."""
        return await serve(request, self._finish)

    async def get(self, request: web.Request) -> web.Response:
        """Return the status of an upload."""
        return await serve(request, self._get)

    async def _begin(self, request: web.Request, parameters: Mapping[str, str]) -> dict[str, Any]:
        self._authorize(request)
        requested = parse_upload(parameters)
        incomplete = self._apply_fault(FaultPoint.PRESIGN)
        now = self._context.clock.now()
        upload_id, session = self._sessions.begin(requested, now)
        upload = _upload_fields(request, upload_id, session, now, storage="type")
        if incomplete:
            return {"upload": upload}
        self._context.counters.add(tickets=1)
        expires = now + self._context.url_ttl(FORM_TTL)
        params = form_post_params(session.pipeline, session.object_key, self._context.key, expires)
        return {"upload": {"form_post_params": params, **upload}}

    async def _finish(self, request: web.Request, _parameters: Mapping[str, str]) -> dict[str, Any]:
        self._authorize(request)
        body = await read_body(request, self._context.limits)
        upload_id = request.match_info["upload_id"]
        session = self._sessions.get_unfinished(upload_id)
        chunks = parse_chunks(parse_json(body))
        if self._objects.size(object_path(session.pipeline, session.object_key)) is None:
            raise api_errors.invalid_input("the file has not been uploaded")
        self._apply_fault(FaultPoint.API)
        now = self._context.clock.now()
        session = self._sessions.finish(upload_id, session, chunks, now)
        return {"upload": _upload_fields(request, upload_id, session, now)}

    async def _get(self, request: web.Request, _parameters: Mapping[str, str]) -> dict[str, Any]:
        self._authorize(request)
        upload_id = request.match_info["upload_id"]
        session = self._sessions.get(upload_id)
        self._apply_fault(FaultPoint.API)
        now = self._context.clock.now()
        return {"upload": _upload_fields(request, upload_id, session, now)}

    def _authorize(self, request: web.Request) -> None:
        if not self._oauth.accepts(request.headers.get("Authorization", "")):
            raise api_errors.invalid_token()

    def _apply_fault(self, point: FaultPoint) -> bool:
        return apply_fault(self._context.draw_fault(point, self._context.clock.now()))


def _upload_fields(
    request: web.Request, upload_id: str, session: UploadSession, now: float, *, storage: str = "storage_type"
) -> dict[str, Any]:
    """Return the fields of an upload in an answer. `storage` is the name of the field for the kind of storage."""
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
