"""Serves the files of the page. They hold no data, so they need no token."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from bulkup.helpers.quick_dataclass import dataclass

_FOLDER = os.path.join(os.path.dirname(__file__), "page")
_START = "index.html"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class _PageFile(NamedTuple):
    content: bytes
    kind: str
    etag: str


@dataclass(frozen=True, slots=True)
class PageFiles:
    """The files in memory, by their path in the URL."""

    files: Mapping[str, _PageFile]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with a file, or with 304 if the browser has it. Raises 404 for any other path."""
        file = self.files.get(request.path)
        if file is None:
            raise web.HTTPNotFound
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == file.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.content, content_type=file.kind, charset="utf-8", headers=headers)


def read_page_files() -> PageFiles:
    """Read all files of the page. Raises OSError if the installation is incomplete."""
    found = dict[str, _PageFile]()
    for folder, _, names in os.walk(_FOLDER):
        for name in names:
            kind = _TYPES.get(os.path.splitext(name)[1])
            if kind is None:
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                content = file.read()
            url = "/" + os.path.relpath(path, _FOLDER).replace(os.sep, "/")
            found["/" if url == f"/{_START}" else url] = _PageFile(content, kind, _etag(content))
    return PageFiles(found)


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'
