"""Which part of the server answers which request."""

from __future__ import annotations

import importlib.resources

from aiohttp import web

from bulkup.localserver.api_common import LARGEST_BODY, ListApi, answer, not_found, refuse
from bulkup.localserver.context import Context
from bulkup.localserver.local import local_api
from bulkup.localserver.magic_hour import magic_hour_api
from bulkup.localserver.metastudio import iam
from bulkup.localserver.metastudio.files import MetaStudioFiles
from bulkup.localserver.metastudio.gateway import Gateway
from bulkup.localserver.metastudio.iam import IamApi
from bulkup.localserver.metastudio.metastudio_api import MetaStudioApi
from bulkup.localserver.metastudio.stored import StoredFiles
from bulkup.localserver.methods import only
from bulkup.localserver.move_ugc import move_endpoint
from bulkup.localserver.move_ugc.move_endpoint import MoveEndpoint
from bulkup.localserver.s3.store import Store
from bulkup.localserver.server_state import ServerCounters
from bulkup.localserver.server_storage import ServerStorage
from bulkup.localserver.signed_tokens import Mint
from bulkup.localserver.xvid.oauth import OAuthApi
from bulkup.localserver.xvid.sessions import SessionBook
from bulkup.localserver.xvid.xvid_api import XvidApi

STATS_PATH = "/-/stats"
HITS_PATH = "/-/faults"
DOCUMENT_PATH = "/-/openapi.json"

_ANYTHING = r"/{rest:[\s\S]*}"  # a name may have a line break

# Below these no request is ever one for an object.
_RESERVED = ("/v1", "/v3", "/ugc", "/local/v1", "/-")


def application(context: Context, storage: ServerStorage) -> web.Application:
    """Return the routes: the APIs, the figures, and the store for everything else."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes(_list_apis(context))
    app.add_routes(_metastudio(context, storage))
    app.add_routes(_xvid(context, storage))
    app.add_routes(_about_itself(context))
    for prefix in _RESERVED:
        app.router.add_route("*", prefix + _ANYTHING, not_found)
    store = Store(context, storage.objects, storage.parts)
    app.router.add_route("*", _ANYTHING, store.handle, expect_handler=_expect_later)
    return app


def _list_apis(context: Context) -> list[web.RouteDef]:
    magic = ListApi(context, "items", magic_hour_api.read, magic_hour_api.ticket)
    local = ListApi(context, "tickets", local_api.read, local_api.ticket)
    return [
        *only([web.post(magic_hour_api.PATH, magic.handle), web.post(local_api.PATH, local.handle)], refuse),
        *only([web.post(move_endpoint.PATH, MoveEndpoint(context).handle)], move_endpoint.refuse),
    ]


def _metastudio(context: Context, storage: ServerStorage) -> list[web.RouteDef]:
    mint = Mint(context.key.secret, "iam")
    files = MetaStudioFiles(storage.meta_files)
    api = MetaStudioApi(context, Gateway(context, mint), files, StoredFiles(storage.objects, storage.parts))
    identity = IamApi(context, mint)
    return [*api.routes(), *only([web.post(iam.PATH, identity.handle)], identity.refuse)]


def _xvid(context: Context, storage: ServerStorage) -> list[web.RouteDef]:
    oauth = OAuthApi(context, Mint(context.key.secret, "oauth"))
    api = XvidApi(context, oauth, SessionBook(storage.xvid_uploads), storage.objects)
    return [*api.routes(), *oauth.routes()]


def _about_itself(context: Context) -> list[web.RouteDef]:
    routes = [
        web.get(STATS_PATH, _Figures(context.counters).handle),
        web.get(HITS_PATH, _Figures(context.hits).handle),
        web.get(DOCUMENT_PATH, _Document().handle),
    ]
    return only(routes, refuse)


def document() -> bytes:
    """Return the OpenAPI document of all that this server answers, as JSON."""
    return importlib.resources.files("bulkup.localserver").joinpath("openapi.json").read_bytes()


class _Document:
    def __init__(self) -> None:
        self._text = document()

    async def handle(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._text, content_type="application/json")


class _Figures:
    def __init__(self, counters: ServerCounters) -> None:
        self._counters = counters

    async def handle(self, _request: web.Request) -> web.Response:
        return answer(self._counters.read())


async def _expect_later(request: web.Request) -> None:
    """Leave `Expect: 100-continue` to the store, which first looks whether it wants the body."""
