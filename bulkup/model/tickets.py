"""The answer of a service for one file, and the answer of storage to its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, Identity


@dataclass(frozen=True, slots=True)
class Ticket:
    """Provider to workers: what the service handed out for one file.

    `expires_at` is Unix time by *our* clock, None where nothing tells. `remote` is what the service answered about the
    file, without secrets; it goes to the manifest. `content_md5` says that storage takes, and checks, a Content-MD5
    header although the URL was signed without one. `form` are the fields, in order, that go before the file in a
    multipart form; None where the body is the file itself. `more_urls` are those of the second and further parts where
    a file goes in parts.
    """

    url: SecretUrl
    remote_id: str
    expires_at: float | None = None
    method: str = "PUT"
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    remote: Mapping[str, Any] = field(default_factory=dict)
    content_md5: bool = False
    form: tuple[tuple[str, Secret], ...] | None = None
    more_urls: tuple[SecretUrl, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """Provider to recorder: the service does not take this file, and why.

    `unsupported` says that it is of a kind that the service does not take, by its extension, whatever is in it.
    """

    reason: str
    unsupported: bool = False


class Receipt(NamedTuple):
    """Workers to confirmer or recorder: storage took the bytes.

    `identity` is that of the descriptor the bytes were read from; `verified` says that storage's answer proves them.
    `digest` is None where nothing was hashed (`checksum = "none"`).
    """

    digest: Digest | None
    identity: Identity
    etag: str | None
    verified: bool
    stored_at: float


@dataclass(frozen=True, slots=True)
class PartsSent:
    """How far a file that goes in parts has got: so many parts and bytes, the MD5 of all of them (None where nothing is
    hashed), the file's identity meanwhile, and whether storage's answers prove each one.
    """

    parts: int
    bytes: int
    md5: Any  # of hashlib, on its way
    identity: Identity | None
    verified: bool
