"""HTTP answers as bytes: a status, header lines, an empty line, the body. Any bytes can be read as an answer."""

from __future__ import annotations

from bulkup.model.http import ApiAnswer, StorageAnswer

NOW = 1_700_000_000.0


def parsed(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body. Header names are lower case, and their values are valid text."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("utf-8", "replace").split("\n")
    status = int(first) if len(first) == 3 and first.isascii() and first.isdigit() and first >= "200" else 200
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}, body


def api_answer(data: bytes) -> ApiAnswer:
    """Return the bytes as an answer of an API."""
    return ApiAnswer(*parsed(data), NOW)


def storage_answer(data: bytes) -> StorageAnswer:
    """Return the bytes as an answer of storage."""
    return StorageAnswer(*parsed(data))


def as_bytes(body: bytes, status: int = 200, **headers: str) -> bytes:
    """Return an answer as the bytes that `parsed` reads. `_` in the name of a header stands for `-`."""
    lines = [str(status), *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\n".join(lines).encode() + b"\n\n" + body
