"""The headers that an upload to S3 sends beside its bytes. All of them are signed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

_CONDITION = "if-none-match"
_UNKNOWN = "application/octet-stream"


class ObjectHeaders:
    """The headers of objects by extension, as the settings give them."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._own_types: Mapping[str, str] = settings["content_types"]
        self._common = _common(settings)
        self.of_completion = {name: value for name, value in self._common.items() if name == _CONDITION}
        self._by_extension: dict[str, Mapping[str, str]] = {}

    def of(self, extension: str) -> Mapping[str, str]:
        """Return the headers of an object, with names in lower case."""
        found = self._by_extension.get(extension)
        if found is None:
            kind = self._own_types.get(extension) or _types_by_extension().get(extension, _UNKNOWN)
            found = self._by_extension[extension] = {"content-type": kind, **self._common}
        return found

    def of_upload(self, extension: str) -> Mapping[str, str]:
        """Return the headers of the call that begins an upload in parts. The condition counts when it is completed."""
        return {name: value for name, value in self.of(extension).items() if name != _CONDITION}


def _common(settings: Mapping[str, Any]) -> Mapping[str, str]:
    named = {
        _CONDITION: "*" if settings["if_none_match"] else None,
        "x-amz-acl": settings["acl"],
        "x-amz-server-side-encryption": settings["sse"],
        "x-amz-server-side-encryption-aws-kms-key-id": settings["sse_kms_key"],
        "x-amz-storage-class": settings["storage_class"],
        "x-amz-tagging": urlencode(settings["tags"], quote_via=quote) if settings["tags"] else None,
    }
    headers = {name: value for name, value in named.items() if value is not None}
    return headers | {f"x-amz-meta-{name}": value for name, value in settings["metadata"].items()}


@functools.cache
def _types_by_extension() -> Mapping[str, str]:
    """Return Python's own table, without the files of the system: it is the same on every machine."""
    import mimetypes  # noqa: PLC0415  # only S3 uses it

    return {extension[1:]: kind for extension, kind in mimetypes.MimeTypes(filenames=()).types_map[True].items()}
