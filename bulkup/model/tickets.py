"""The service's answers for one file, and storage's answer to its bytes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Algorithm, Digest, Identity


class ChecksumHeader(NamedTuple):
    """A request header with the checksum of the bytes that are sent."""

    name: str
    algorithm: Algorithm
    encoding: Literal["base64", "hex"] = "base64"

    def value_of(self, digest: Digest) -> str:
        """Return the value of the header."""
        return digest.base64 if self.encoding == "base64" else digest.hex


@dataclass(frozen=True, slots=True)
class PartPlan:
    """How a file is sent in parts that have tickets of their own: all of `size` bytes, but for the last.

    `object_id` is the remote id of the complete file. Until then the ticket names the unfinished upload.
    """

    size: int
    count: int
    object_id: str


class SentPart(NamedTuple):
    """A part that storage has, with its number from 1. `digest` is None if nothing was hashed."""

    number: int
    etag: str | None
    digest: Digest | None
    verified: bool


class ClosingAction(NamedTuple):
    """The request that completes an upload, as the answer with the ticket names it.

    `expires_at` is Unix time by this machine's clock, None if unknown. The journal does not keep it.
    """

    url: SecretUrl
    headers: Mapping[str, str | Secret]
    expires_at: float | None = None


_NOTHING: Mapping[str, Any] = {}  # never changed


class Ticket(NamedTuple):
    """The upload URL of one file and all that belongs to it, passed from provider to workers.

    A tuple, because every file has one. Its URL, its form and secret headers are types that print a mask.

    `expires_at` is Unix time by *this machine's* clock, None if unknown. `remote` is the service's answer about the
    file without secrets, for the manifest. `content_md5` says that storage accepts and checks a Content-MD5 header
    although the URL was signed without it. `form` has the fields, in order, that precede the file in a multipart form;
    None if the body is the file itself. `more_urls` are the URLs of the second and further parts of a file in parts.
    `checksum_headers` are further headers with a checksum. Each is sent if its digest is known before the first byte:
    of a file up to 1 MiB, or of one that was hashed for the presign call. `success` are the statuses that mean success,
    in place of those that the provider takes for it. `proof` names what in storage's answer has the checksum of the
    stored bytes, if it is not one of S3's headers: a header, or `body:` and a JMESPath expression. `parts` says that
    the parts of the file have tickets of their own; the URL is then that of the object, and unsigned.
    `closing` is None for a ticket of an earlier run, and where no answer names a closing call.
    """

    url: SecretUrl
    remote_id: str
    expires_at: float | None = None
    method: str = "PUT"
    headers: Mapping[str, str | Secret] = _NOTHING
    remote: Mapping[str, Any] = _NOTHING
    content_md5: bool = False
    form: tuple[tuple[str, Secret], ...] | None = None
    more_urls: tuple[SecretUrl, ...] = ()
    checksum_headers: tuple[ChecksumHeader, ...] = ()
    success: tuple[int, ...] = ()
    proof: str = ""
    parts: PartPlan | None = None
    closing: ClosingAction | None = None

    @property
    def object_id(self) -> str:
        """The remote id of the file once it is complete."""
        return self.remote_id if self.parts is None else self.parts.object_id


class UnfinishedUpload(NamedTuple):
    """An upload in parts that was neither completed nor given up. `begun` is a Unix time, None if unknown."""

    remote_id: str
    begun: float | None


@dataclass(frozen=True, slots=True)
class Download:
    """The URL to read an upload back from, and the headers of the request.

    `expires_at` is Unix time by this machine's clock, None if unknown.
    """

    url: SecretUrl
    expires_at: float | None = None
    headers: Mapping[str, str | Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The service has a file's bytes already, so nothing is sent. Passed from provider to recorder.

    `remote` is the service's answer without secrets, for the manifest. The file counts as verified if the service was
    asked with its digest.
    """

    remote_id: str
    remote: Mapping[str, Any] = field(default_factory=dict)


class NeedsDigest(enum.Enum):
    """The service cannot answer for a file before it is hashed: the file is hashed, and asked for again."""

    YES = "it may have this file"


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why the service does not accept a file, passed from provider to recorder.

    `unsupported` says that the service does not accept files with this extension. `kept` marks the service's answer in
    an earlier run, which the journal keeps.
    """

    reason: str
    unsupported: bool = False
    kept: bool = False


class Receipt(NamedTuple):
    """Storage has accepted the bytes. Passed from workers to closer or recorder.

    `identity` is that of the descriptor from which the bytes were read. `verified` says that storage's answer proves
    the bytes. `digest` is None if nothing was hashed (`checksum = "none"`), or if the file was sent in `parts`.
    """

    digest: Digest | None
    identity: Identity
    etag: str | None
    verified: bool
    stored_at: float
    parts: tuple[SentPart, ...] = ()


@dataclass(frozen=True, slots=True)
class PartsSent:
    """The progress of a file in parts: the number of parts and bytes sent, and their checksums; None for no checksum.

    `identity` is the file's identity during all parts. `verified` says that storage's answers prove each part.
    """

    parts: int
    bytes: int
    hashes: Any  # `RunningDigests` of the pipeline
    identity: Identity | None
    verified: bool
