"""The values of the placeholders that belong to one file. Pure, apart from `{uuid}`."""

from __future__ import annotations

import datetime as dt
import functools
import mimetypes
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bulkup.config.described_service import ANY_EXTENSION
from bulkup.config.description_names import FILE_NAMES, PART_COUNT
from bulkup.providers.base import FileSpec

# The types of Python itself: those of the machine would make a file's type depend on where the run is.
_types_of_python = functools.cache(lambda: mimetypes.MimeTypes(filenames=()))
_OTHER_TYPE = "application/octet-stream"

Value = str | int


class MissingValueError(LookupError):
    """A template names a value that a ticket of an earlier run does not have. The text is the name."""


class FileValues:
    """The file of a rendered template, and values by name that are known apart from it.

    `spec` is None in a call for several files, and in a closing call.
    """

    __slots__ = ("_uuid", "more", "spec")

    def __init__(self, spec: FileSpec | None, more: Mapping[str, Any] | None = None) -> None:
        self.spec = spec
        self.more = more or {}
        self._uuid: str | None = None

    @property
    def uuid(self) -> str:
        """A random id, which stays the same for this object."""
        if self._uuid is None:
            self._uuid = str(uuid.uuid4())
        return self._uuid


Get = Callable[[FileValues], Value]


def getter_of(name: str, types: Mapping[str, str], part_size: int | None = None) -> Get:
    """Return the function for the value of a name. `types` are the types of extensions that the description gives."""
    if name == PART_COUNT and part_size is not None:
        return functools.partial(_of_file, functools.partial(_part_count, part_size), name)
    if name == "type":
        return functools.partial(_type, types)
    if name == "uuid":
        return lambda values: values.uuid
    if name in _OF_SPEC:
        return functools.partial(_of_file, _OF_SPEC[name], name)
    return functools.partial(_of_others, name)


def _of_file(of_spec: Callable[[FileSpec], Value], name: str, values: FileValues) -> Value:
    return of_spec(values.spec) if values.spec is not None else _of_others(name, values)


def _part_count(part_size: int, spec: FileSpec) -> int:
    return max(1, -(-spec.size // part_size))


def _of_others(name: str, values: FileValues) -> Value:
    if name not in values.more:
        raise MissingValueError(name)
    value: Value = values.more[name]
    return value


def _type(types: Mapping[str, str], values: FileValues) -> Value:
    if values.spec is None:
        return _of_others("type", values)
    extension = values.spec.extension
    return types[extension] if extension in types else types[ANY_EXTENSION]


@functools.lru_cache(maxsize=1024)
def _content_type(extension: str) -> str:
    return _types_of_python().guess_type(f"a.{extension}", strict=True)[0] or _OTHER_TYPE


def _dir(spec: FileSpec) -> str:
    return spec.path[: -len(spec.name)].rstrip("/") if spec.name else spec.path


def _date(spec: FileSpec) -> str:
    return dt.datetime.fromtimestamp(spec.modified, dt.UTC).strftime("%Y-%m-%d")


def _hex(spec: FileSpec) -> str:
    assert spec.digest is not None  # the hasher comes before the call
    return spec.digest.hex


def _base64(spec: FileSpec) -> str:
    assert spec.digest is not None  # the same
    return spec.digest.base64


_OF_SPEC: Mapping[str, Callable[[FileSpec], Value]] = {
    "path": lambda spec: spec.path,
    "name": lambda spec: spec.name,
    "stem": lambda spec: os.path.splitext(spec.name)[0],
    "ext": lambda spec: os.path.splitext(spec.name)[1][1:],
    "extension": lambda spec: spec.extension,
    "dir": _dir,
    "size": lambda spec: spec.size,
    "content_type": lambda spec: _content_type(spec.extension),
    "mtime": lambda spec: int(spec.modified),
    "date": _date,
    "md5_hex": _hex,
    "md5_base64": _base64,
    "sha256_hex": _hex,
    "sha256_base64": _base64,
    "crc32c_base64": _base64,
    "crc64nvme_base64": _base64,
}
assert {*_OF_SPEC, "type", "uuid", PART_COUNT} == set(FILE_NAMES)
