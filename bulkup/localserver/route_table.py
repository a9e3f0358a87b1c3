"""The routes of the server: APIs, statistics, and the store for all other paths."""

from __future__ import annotations

import functools
import importlib.resources

from aiohttp import web

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import TicketListApi, json_answer, not_found, refuse
from bulkup.localserver.context import ServerContext
from bulkup.localserver.extension_lists import EXTENSION_LISTS
from bulkup.localserver.git_lfs.lfs_api import LfsApi
from bulkup.localserver.local import local_api
from bulkup.localserver.magic_hour import magic_hour_api
from bulkup.localserver.metastudio import iam
from bulkup.localserver.metastudio.file_records import MetaStudioFileRegistry
from bulkup.localserver.metastudio.file_storage import FileStorage
from bulkup.localserver.metastudio.gateway import Gateway
from bulkup.localserver.metastudio.iam import IamApi
from bulkup.localserver.metastudio.metastudio_api import MetaStudioApi
from bulkup.localserver.move_ugc import api_errors, move_endpoint
from bulkup.localserver.move_ugc.move_endpoint import MoveEndpoint
from bulkup.localserver.s3.s3_api import S3Api
from bulkup.localserver.server_state import ServerCounters
from bulkup.localserver.server_storage import ServerStorage
from bulkup.localserver.signed_tokens import TokenSigner
from bulkup.localserver.xvid.oauth import OAuthApi
from bulkup.localserver.xvid.sessions import UploadSessionRegistry
from bulkup.localserver.xvid.xvid_api import XvidApi

STATS_PATH = "/-/stats"
FAULT_COUNTS_PATH = "/-/faults"
OPENAPI_PATH = "/-/openapi.json"

_ANYTHING = r"/{rest:[\s\S]*}"  # including line breaks

# Paths below these are never objects.
_RESERVED = ("/v1", "/v3", "/ugc", "/local/v1", "/-")


def create_application(context: ServerContext, storage: ServerStorage) -> web.Application:
    """Return the web application of one server."""
    app = web.Application(client_max_size=context.limits.max_body_size)
    app.add_routes(_list_apis(context, storage))
    app.add_routes(_move(context, storage))
    app.add_routes(_metastudio(context, storage))
    app.add_routes(_xvid(context, storage))
    app.add_routes(LfsApi(context, storage.objects).routes())
    app.add_routes(_server_info(context))
    for prefix in _RESERVED:
        app.router.add_route("*", prefix + _ANYTHING, not_found)
    store = S3Api(context, storage.objects, storage.parts)
    app.router.add_route("*", _ANYTHING, store.handle, expect_handler=_defer_100_continue)
    return app


def _list_apis(context: ServerContext, storage: ServerStorage) -> list[web.RouteDef]:
    accepted = EXTENSION_LISTS[context.config.magic_hour_extensions]
    parse_magic = functools.partial(magic_hour_api.parse_request, accepted=accepted)
    magic = TicketListApi(context, "items", parse_magic, magic_hour_api.create_ticket)
    local = TicketListApi(context, "tickets", local_api.parse_request, local_api.create_ticket)
    describe = functools.partial(local_api.describe_object, storage.objects)
    objects = TicketListApi(context, "objects", local_api.parse_ids, describe, creates=False)
    routes = [web.post(magic_hour_api.PATH, magic.handle), web.post(local_api.PATH, local.handle)]
    routes.append(web.post(local_api.OBJECTS_PATH, objects.handle))
    return refuse_other_methods(routes, refuse)


def _move(context: ServerContext, storage: ServerStorage) -> list[web.RouteDef]:
    endpoint = MoveEndpoint(context, storage.move_files)
    return refuse_other_methods([web.post(move_endpoint.PATH, endpoint.handle)], api_errors.refuse)


def _metastudio(context: ServerContext, storage: ServerStorage) -> list[web.RouteDef]:
    signer = TokenSigner(context.key.secret, "iam")
    files = MetaStudioFileRegistry(storage.metastudio_files)
    api = MetaStudioApi(context, Gateway(context, signer), files, FileStorage(storage.objects, storage.parts))
    identity = IamApi(context, signer)
    return [*api.routes(), *refuse_other_methods([web.post(iam.PATH, identity.handle)], identity.refuse)]


def _xvid(context: ServerContext, storage: ServerStorage) -> list[web.RouteDef]:
    oauth = OAuthApi(context, TokenSigner(context.key.secret, "oauth"))
    api = XvidApi(context, oauth, UploadSessionRegistry(storage.xvid_uploads), storage.objects)
    return [*api.routes(), *oauth.routes()]


def _server_info(context: ServerContext) -> list[web.RouteDef]:
    routes = [
        web.get(STATS_PATH, _CountersEndpoint(context.counters).handle),
        web.get(FAULT_COUNTS_PATH, _CountersEndpoint(context.fault_counters).handle),
        web.get(OPENAPI_PATH, _OpenApiEndpoint().handle),
    ]
    return refuse_other_methods(routes, refuse)


def openapi_document() -> bytes:
    """Return the OpenAPI document of this server, as JSON."""
    return importlib.resources.files("bulkup.localserver").joinpath("openapi.json").read_bytes()


class _OpenApiEndpoint:
    def __init__(self) -> None:
        self._text = openapi_document()

    async def handle(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._text, content_type="application/json")


class _CountersEndpoint:
    def __init__(self, counters: ServerCounters) -> None:
        self._counters = counters

    async def handle(self, _request: web.Request) -> web.Response:
        return json_answer(self._counters.read())


async def _defer_100_continue(request: web.Request) -> None:
    """Send no 100 Continue yet. The store sends it once it has accepted the headers."""
