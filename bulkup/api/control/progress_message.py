"""The progress of a run as a JSON object, and back. Pure.

The object has the fields of `Progress` by their names, with the files in `sending` and the `workers` as objects. A path
that is not UTF-8 has its exact bytes in `path_b64`.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bulkup.model.progress import Progress, SendingFile, WorkerProgress
from bulkup.reports.json_text import path_fields

_FIELDS = tuple(field.name for field in dataclasses.fields(Progress))
_OF_FILES = ("size", "sent", "seconds")


def progress_object(progress: Progress) -> dict[str, Any]:
    """Return the progress as an object for JSON."""
    found = {name: getattr(progress, name) for name in _FIELDS}
    return {
        **found,
        "sending": [_file_object(file) for file in progress.sending],
        "depths": dict(progress.depths),
        "workers": [dataclasses.asdict(worker) for worker in progress.workers],
    }


def progress_of(message: Mapping[str, Any]) -> Progress:
    """Return the progress that an object has; it may have other fields too, and lack those with a default.

    Raises ValueError for an object that is none.
    """
    found = {name: message[name] for name in _FIELDS if name in message}
    try:
        found["sending"] = tuple(_file(one) for one in message.get("sending", ()))
        found["workers"] = tuple(WorkerProgress(**one) for one in message.get("workers", ()))
        found["depths"] = MappingProxyType(dict(message.get("depths", {})))
        return Progress(**found)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not the progress of a run") from error


def _file_object(file: SendingFile) -> dict[str, Any]:
    return {
        "source": file.source,
        **path_fields("path", file.path),
        **{name: getattr(file, name) for name in _OF_FILES},
    }


def _file(found: Mapping[str, Any]) -> SendingFile:
    exact = found.get("path_b64")
    path = base64.b64decode(exact) if exact is not None else found["path"].encode()
    return SendingFile(found["source"], path, *(found[name] for name in _OF_FILES))
