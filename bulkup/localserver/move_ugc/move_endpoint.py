"""The route of the Move API, `POST /ugc/graphql`, which works without graphql-core until the API is called.

graphql-core is an extra, `bulkup[server]`, and is imported at the first call: a server for other APIs starts sooner and
does not need it. Without it, calls are answered with 501 and a message that names the extra.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from aiohttp import web

from bulkup.localserver.api_common import ApiError, json_answer
from bulkup.localserver.context import ServerContext
from bulkup.localserver.move_ugc.api_errors import refuse
from bulkup.localserver.record_log import RecordLog

if TYPE_CHECKING:
    from bulkup.localserver.move_ugc.move_api import MoveApi

PATH = "/ugc/graphql"
EXTRA_MISSING = "The Move API needs graphql-core, which is not installed: pip install 'bulkup[server]'"


def is_available() -> bool:
    """Return whether graphql-core is installed, without importing it."""
    return importlib.util.find_spec("graphql") is not None


class MoveEndpoint:
    """Passes calls on to the Move API, which it creates at the first call."""

    def __init__(self, context: ServerContext, files: RecordLog) -> None:
        self._context = context
        self._files = files
        self._api: MoveApi | None = None

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call. Refusals have a status of their own; errors of a field come with 200."""
        try:
            if self._api is None:
                self._api = _new_api(self._context, self._files)
            return json_answer(await self._api.call(request))
        except ApiError as error:
            return await refuse(request, error)


def _new_api(context: ServerContext, files: RecordLog) -> MoveApi:
    if not is_available():
        raise ApiError(501, EXTRA_MISSING)
    from bulkup.localserver.move_ugc.move_api import MoveApi  # noqa: PLC0415  # graphql-core is an extra

    return MoveApi(context, files)
