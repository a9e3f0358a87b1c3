"""An imitation of Parcel, whose URLs lead to bulkup's store."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bulkup.testing import Store

TOKEN = "secret-parcel-token"


@asynccontextmanager
async def parcel_service(store: Store) -> AsyncIterator[str]:
    """Serve the API on a free port of this machine, and return its root URL."""
    numbers = itertools.count(1)

    async def create(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "the token is wrong"}, status=401)
        asked = await request.json()
        ids = [f"{asked['shelf']}/{next(numbers):06}" for _ in asked["files"]]
        ends = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
        parcels = [{"id": one, "put_url": store.upload_url(one), "expires_at": ends} for one in ids]
        return web.json_response({"parcels": parcels}, status=201)

    application = web.Application()
    application.router.add_post("/v1/parcels", create)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
