"""MetaStudio's calls for files (docs/contracts.md section 3): create, complete, delete."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from anyio import to_thread

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import apply_fault, parse_json
from bulkup.localserver.context import ServerContext, request_origin
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.metastudio import api_errors
from bulkup.localserver.metastudio.file_records import DELETED, MetaStudioFile, MetaStudioFileRegistry
from bulkup.localserver.metastudio.file_storage import FileStorage
from bulkup.localserver.metastudio.gateway import Gateway
from bulkup.localserver.metastudio.parameters import parse_file, parse_large_file, parse_state
from bulkup.localserver.metastudio.upload_urls import URL_TTL, file_object_key, file_url, part_urls

# The SDK sends the literal `{project_id}` if it has no project id.
_PROJECT: Final = "/v1/{project_id:[^/]+}"
FILES: Final = _PROJECT + "/files"
LARGE_FILES: Final = _PROJECT + "/large-files"
ONE_FILE: Final = FILES + "/{file_id:[^/]+}"
COMPLETE: Final = ONE_FILE + "/complete"


class MetaStudioApi:
    """The MetaStudio API of one server."""

    def __init__(
        self, context: ServerContext, gateway: Gateway, files: MetaStudioFileRegistry, storage: FileStorage
    ) -> None:
        self._context = context
        self._gateway = gateway
        self._files = files
        self._storage = storage
        self._joining: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        routes = [
            web.post(FILES, self.create),
            web.post(LARGE_FILES, self.create_large),
            web.post(COMPLETE, self.complete),
            web.delete(ONE_FILE, self.delete),
        ]
        return refuse_other_methods(routes, self._gateway.refuse)

    async def create(self, request: web.Request) -> web.Response:
        """Create a file that is uploaded with one PUT."""
        self._context.counters.add(presign_calls=1)
        return await self._gateway.serve(request, self._create)

    async def create_large(self, request: web.Request) -> web.Response:
        """Create a file that is uploaded in parts."""
        self._context.counters.add(presign_calls=1)
        return await self._gateway.serve(request, self._create_large)

    async def complete(self, request: web.Request) -> web.Response:
        """Complete an upload."""
        return await self._gateway.serve(request, self._complete)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a file."""
        return await self._gateway.serve(request, self._delete)

    async def _create(self, request: web.Request, body: bytes) -> dict[str, Any]:
        requested = parse_file(parse_json(body))
        incomplete = self._apply_fault(FaultPoint.PRESIGN)
        file_id = self._files.create(requested)
        if incomplete:
            return {"file_id": file_id}
        self._context.counters.add(tickets=1)
        key = file_object_key(file_id, requested.asset, requested.extension)
        url = file_url(request_origin(request), key, requested, self._context.key, self._expiry())
        return {"file_id": file_id, "upload_url": url}

    async def _create_large(self, request: web.Request, body: bytes) -> dict[str, Any]:
        requested = parse_large_file(parse_json(body))
        incomplete = self._apply_fault(FaultPoint.PRESIGN)
        file_id = self._files.create(requested)
        self._storage.begin(file_id)
        if incomplete:
            return {"file_id": file_id}
        self._context.counters.add(tickets=1)
        key = file_object_key(file_id, requested.asset, requested.extension)
        urls = part_urls(request_origin(request), key, file_id, requested.parts, self._context.key, self._expiry())
        return {"file_id": file_id, "upload_urls": urls}

    async def _complete(self, request: web.Request, body: bytes) -> None:
        file_id, state = request.match_info["file_id"], parse_state(parse_json(body))
        file = self._get_open(file_id, state)
        if state == "CREATED":
            self._check_stored(file_id, file)
        self._apply_fault(FaultPoint.API)
        if state != "CREATED":
            await to_thread.run_sync(self._storage.discard, file_id, file)
        elif file.parts:
            await self._join(file_id, file)
        self._files.end(file_id, file, state)

    async def _delete(self, request: web.Request, _body: bytes) -> None:
        file_id = request.match_info["file_id"]
        file = self._files.get(file_id)
        self._check_not_joining(file_id)
        self._apply_fault(FaultPoint.API)
        self._files.end(file_id, file, DELETED)
        await to_thread.run_sync(self._storage.discard, file_id, file)

    def _get_open(self, file_id: str, state: str) -> MetaStudioFile:
        self._check_not_joining(file_id)
        return self._files.get_open(file_id, state)

    def _check_not_joining(self, file_id: str) -> None:
        if file_id in self._joining:
            raise api_errors.already_completed()

    def _check_stored(self, file_id: str, file: MetaStudioFile) -> None:
        size = self._storage.size(file_id, file)
        if size is None:
            raise api_errors.invalid_parameter("the file, or a part of it, has not been uploaded")
        if size != file.size:
            raise api_errors.invalid_parameter(f"file_size was {file.size} and {size} bytes have been uploaded")

    async def _join(self, file_id: str, file: MetaStudioFile) -> None:
        self._joining.add(file_id)
        try:
            await to_thread.run_sync(self._storage.join, file_id, file)
        finally:
            self._joining.discard(file_id)
        self._files.get_open(file_id, "CREATED")  # another MAIN file may have been completed meanwhile

    def _apply_fault(self, point: FaultPoint) -> bool:
        return apply_fault(self._context.draw_fault(point, self._context.clock.now()))

    def _expiry(self) -> float:
        return self._context.clock.now() + self._context.url_ttl(URL_TTL)
