"""The extensions that Magic Hour accepts for each type, by published list (docs/contracts.md section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ExtensionList = Mapping[str, tuple[str, ...]]

_VIDEO = ("mp4", "m4v", "mov", "webm")
_SDK_PAGE: ExtensionList = {
    "video": _VIDEO,
    "audio": ("mp3", "mpeg", "wav", "aac", "aiff", "flac"),
    "image": ("png", "jpg", "jpeg", "webp", "avif", "jp2", "tiff", "bmp"),
}
_API_REFERENCE: ExtensionList = {
    "video": _VIDEO,
    "audio": ("mp3", "wav", "aac", "flac", "webm", "m4a"),
    "image": ("png", "jpg", "jpeg", "heic", "heif", "webp", "avif", "jp2", "tiff", "bmp"),
}
_LATEST: ExtensionList = {
    "video": _VIDEO,
    "audio": ("mp3", "wav", "aac", "flac", "webm", "weba", "m4a", "opus", "ogg", "oga", "aiff", "amr"),
    "image": ("png", "jpg", "jpeg", "jfif", "heic", "heif", "webp", "avif", "jp2", "tiff", "tif", "bmp"),
}
# The extensions of all lists, and the types that the SDK's own `upload_file` gives to mpeg and gif.
_ALL: ExtensionList = {
    "video": (*_VIDEO, "mpeg", "gif"),
    "audio": (*_LATEST["audio"], "mpeg"),
    "image": (*_LATEST["image"], "gif"),
}

DEFAULT_LIST: Final = "all"
EXTENSION_LISTS: Final[Mapping[str, ExtensionList]] = {
    DEFAULT_LIST: _ALL,
    "sdk-page": _SDK_PAGE,
    "api-reference": _API_REFERENCE,
    "latest": _LATEST,
}
