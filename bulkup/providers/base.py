"""The interface of a provider, its capabilities, and the defaults that most services share."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, NamedTuple

from bulkup.config.secret_names import IDENTIFIERS
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret
from bulkup.helpers.utf8_mode import path_text
from bulkup.model.files import Algorithm, Digest, FoundFile, NameAtService, Place, extension_of
from bulkup.model.http import ApiCall, StorageAnswer
from bulkup.model.problems import Problem
from bulkup.model.states import FileState
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.tickets import AlreadyThere, Download, NeedsDigest, Receipt, Rejection, Ticket, UnfinishedUpload
from bulkup.providers.storage_answers import classify_s3

GIB = 1024**3
S3_PUT_LIMIT = 5 * GIB  # docs/contracts.md section 5, "One PUT"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A service's limits and needs. Sizes are in bytes.

    - `batch_limit`: the maximum number of files in a presign call; `batch_size`: the default number.
    - `rate_limit`: the default limit in calls per second, None for no limit.
    - `checksum_first`: the algorithm of the digest that the presign call needs; None if it needs none. With one, the
      hasher comes before the batcher.
    - `proof`: the algorithm whose digest storage's answer is compared with, None if storage proves nothing. Both are
      computed in the same read, and `checksum_first` is the one that is recorded.
    - `confirms`: an upload ends with a closing call, made by the closer after the workers.
    - `abandons`: files that are given up are reported to the service.
    - `placed`: files have a place at the service (`Provider.place`).
    - `parts`: large files are sent in parts, each with a ticket of its own (`Provider.part_tickets`).
    - `part_checksum`: the algorithm of the digest that the ticket of a part needs; None if it needs none. Each part is
      then read once more before it is sent.
    - `lists_unfinished`: the service lists uploads in parts that are not finished, and removes them.
    - `downloads`: the service returns URLs to read uploads back from.
    - `tells_stored`: the service knows size or digest of uploads (`Provider.stored`), of `stored_at_once` in one call.
    - `reads_back`: `Provider.read_back` returns URLs to read uploads back from, which may need more than their ids.
    - `extensions`: the file name extensions that the service accepts, None for any.
    - `kept_for`: the seconds for which the service keeps an upload.
    - `creates_ids`: a presign call creates an id at the service for each file. An id whose ticket is not used becomes
      an orphan. Without it, an unused ticket leaves nothing behind.
    - `signs_locally`: `presign` makes no API call: it signs URLs itself, or looks them up.
    - `content_addressed`: the id and the URL of a file depend on its digest alone, so files with equal bytes share
      them.
    """

    batch_limit: int
    batch_size: int
    calls_in_flight: int = 4
    rate_limit: float | None = None
    min_size: int = 0
    max_size: int = S3_PUT_LIMIT
    checksum_first: Algorithm | None = None
    proof: Algorithm | None = "md5"
    reusable_urls: bool = True
    confirms: bool = False
    abandons: bool = False
    placed: bool = False
    parts: bool = False
    part_checksum: Algorithm | None = None
    lists_unfinished: bool = False
    downloads: bool = False
    tells_stored: bool = False
    stored_at_once: int = 1
    reads_back: bool = False
    extensions: frozenset[str] | None = None
    kept_for: float | None = None
    creates_ids: bool = True
    signs_locally: bool = False
    content_addressed: bool = False


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A provider's configuration: the root URL of the service, and credentials and settings by the name of the setting.

    The root URL is empty for a provider without one.

    `clock` decides when a fetched token has expired. `service_time` returns the Unix time by the service's clock, for
    times that a call states; None means that of `clock`.
    """

    base_url: str
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock, repr=False)
    service_time: Callable[[], float] | None = field(default=None, repr=False)

    def service_now(self) -> float:
        """Return the Unix time by the service's clock."""
        return self.clock.now() if self.service_time is None else self.service_time()


class FileSpec(NamedTuple):
    """The description of a file for a provider. `path` is relative to the source, `size` is in bytes.

    In `name` and `path`, bytes that are not UTF-8 are surrogates. `modified` is Unix time. `digest` is set if the
    provider needs it for the presign call.
    """

    name: str
    path: str
    extension: str
    size: int
    digest: Digest | None = None
    modified: float = 0.0

    @classmethod
    def of(cls, file: FoundFile, digest: Digest | None = None) -> FileSpec:
        """Return the description of a found file."""
        size, mtime_ns = file.identity.size, file.identity.mtime_ns
        path = path_text(file.path)
        name = path[path.rfind("/") + 1 :]
        return cls(name, path, extension_of(name), size, digest, mtime_ns / 1_000_000_000)

    @classmethod
    def at(cls, path: bytes) -> FileSpec:
        """Return the description of a file of which only the path is known."""
        text = path_text(path)
        name = text[text.rfind("/") + 1 :]
        return cls(name, text, extension_of(name), 0)


class PartSpec(NamedTuple):
    """A part of a file, by its number from 1. `digest` is set if the provider needs it for the ticket."""

    number: int
    digest: Digest | None = None


def valid_text(text: str) -> str:
    """Return text that is valid in JSON, with bytes that are not UTF-8 replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class NotYet:
    """The result of a closing call whose upload is not complete yet. The next poll is due in `seconds`.

    `remote` is the service's answer, for the manifest.
    """

    seconds: float
    remote: Mapping[str, Any] = field(default_factory=dict)


Closing = Mapping[str, Any] | NotYet
TicketAnswer = Ticket | Rejection | AlreadyThere | NeedsDigest | Problem


class Provider(abc.ABC):
    """The adapter of one service. Its only state during a run is that of its credentials, such as a cached token."""

    name: ClassVar[str]

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    def close(self) -> None:  # noqa: B027  # most providers own nothing
        """Release resources of the provider, such as open files."""

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities:
        """The limits and needs of the service."""

    @property
    def scope(self) -> str:
        """The visible part of the account that uploads go to, such as a project or a pipeline; empty if there is none.

        It is part of the journal's key (docs/design.md section 6): a new scope means a new upload, a rotated key does
        not.
        """
        return ""

    @property
    def secrets(self) -> Iterable[Secret]:
        """The secrets to redact from the service's messages: the credentials, and tokens fetched with them.

        Settings that only name an account are not secret. They occur in many hosts and messages.
        """
        return [secret for name, secret in self.config.credentials.items() if name not in IDENTIFIERS]

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Return why the service will not accept this file, or None. Called before any API call."""
        limits = self.capabilities
        if limits.extensions is not None and spec.extension not in limits.extensions:
            return Rejection(self._extension_reason(spec.extension, limits.extensions), unsupported=True)
        if spec.size < limits.min_size:
            return Rejection(f"a size of {spec.size} bytes is below {self.name}'s minimum of {limits.min_size}")
        if spec.size > limits.max_size:
            return Rejection(f"a size of {spec.size} bytes is above {self.name}'s maximum of {limits.max_size}")
        return None

    def _extension_reason(self, extension: str, known: frozenset[str]) -> str:
        what = f"the extension {extension!r}" if extension else "a file without an extension"
        return f"{self.name} does not accept {what} (it accepts {', '.join(sorted(known))})"

    def place(self, spec: FileSpec) -> Place | None:  # noqa: ARG002  # used by providers with places
        """Return the file's place at the service, None if `reject` refuses the file. Called only with `placed`."""
        return None

    def name_at_service(self, spec: FileSpec) -> NameAtService | None:  # noqa: ARG002  # used by a provider with places
        """Return the file's name if the service ignores its case, else None. Called only with `placed`."""
        return None

    def hashes_first(self, spec: FileSpec) -> bool:  # noqa: ARG002  # some providers need it
        """Return whether the presign call for this file needs its checksum."""
        return self.capabilities.checksum_first is not None

    @abc.abstractmethod
    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Make one presign call. Return its answer for each file, in the order of `specs`.

        A `Problem` fails its file in this run, and the next run asks for it again. One of the kinds `TRANSIENT`,
        `THROTTLED` and `UNREACHABLE` has the file asked for again in this run, without the others of its group.
        `NeedsDigest` has a file hashed that came without a digest, and asked for again.

        Raises `ProblemError`. The kind `REJECTED` means that at least one file of the group is at fault, and that the
        answer does not tell which.
        """

    async def part_tickets(self, ticket: Ticket, parts: Sequence[PartSpec], call: ApiCall) -> Sequence[Ticket]:
        """Return the tickets of parts of a file. Called only with the capability `parts`.

        `ticket` is that of the file, and has a plan for its parts. Raises `ProblemError`.
        """
        raise NotImplementedError(f"{self.name} takes no parts")

    async def unfinished(self, call: ApiCall) -> Sequence[UnfinishedUpload]:
        """Return the unfinished uploads. Called only with the capability `lists_unfinished`. Raises `ProblemError`."""
        raise NotImplementedError(f"{self.name} lists no unfinished uploads")

    async def remove_unfinished(self, upload: UnfinishedUpload, call: ApiCall) -> None:
        """Remove an unfinished upload, as `unfinished` returned it. Raises `ProblemError`."""
        raise NotImplementedError(f"{self.name} lists no unfinished uploads")

    # Class methods, because a sending process has the class of the provider but no instance with credentials.
    @classmethod
    def classify(cls, answer: StorageAnswer, now: float) -> Problem | None:
        """Return the problem in storage's answer, None if it accepted the bytes. `now` is Unix time."""
        return classify_s3(answer, now)

    @classmethod
    def evidence(cls, answer: StorageAnswer) -> Mapping[str, str]:
        """Return the headers in which storage describes the stored bytes (`etag`, `x-amz-checksum-*`)."""
        return answer.headers

    def reusable(self, ticket: Ticket) -> bool:  # noqa: ARG002  # some providers need it
        """Return whether a ticket of an earlier run can be used, apart from its expiry."""
        return self.capabilities.reusable_urls

    def url_expired(self) -> None:  # noqa: B027  # most providers sign nothing themselves
        """Take note that storage called the URL of a ticket expired, maybe before its time."""

    def kept_until(self, stored_at: float) -> float | None:
        """Return until when the service keeps a file stored at `stored_at`, None if unknown.

        Both are Unix times by the service's clock.
        """
        kept_for = self.capabilities.kept_for
        return None if kept_for is None else stored_at + kept_for

    def closes(self, ticket: Ticket) -> bool:  # noqa: ARG002  # some services name the files that need it
        """Return whether a file needs the closing call. Called only with the capability `confirms`."""
        return True

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        """Make the closing call that completes the upload. Called with the capability `confirms`, and after all parts.

        Returns the service's answer, for the manifest. `again` means that the service may have received an earlier call
        whose answer was lost; a repeated call must be harmless. Raises `ProblemError`.
        """
        raise NotImplementedError(f"{self.name} has no closing call")

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Ask for the state of an upload after `confirm` returned `NotYet`. Raises `ProblemError`."""
        raise NotImplementedError(f"{self.name} is not polled")

    async def download(self, remote_id: str, call: ApiCall) -> Download | None:
        """Return where an upload can be read back from, None if the service does not have it.

        Called only with the capability `downloads`. Raises `ProblemError`.
        """
        raise NotImplementedError(f"{self.name} has no call for reading an upload back")

    async def read_back(self, upload: Upload, call: ApiCall) -> Download | None:
        """Return where an upload can be read back from, None if the service does not have it.

        Called only with one of the capabilities `downloads` and `reads_back`. Raises `ProblemError`.
        """
        return await self.download(upload.remote_id, call)

    async def stored(self, uploads: Sequence[Upload], call: ApiCall) -> Sequence[StoredObject | None]:
        """Return the service's records of these uploads, in their order; None for one that it does not have.

        Called only with the capability `tells_stored`, and with at most `stored_at_once` uploads. Without it, the
        service cannot tell. Raises `ProblemError`.
        """
        raise NotImplementedError(f"{self.name} cannot tell what it has")

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> bool | None:
        """Report to the service that a file was given up in `state`. Called only with the capability `abandons`.

        Returns True if nothing of the upload is left at the service. Raises `ProblemError`, which does not affect the
        file's state.
        """
        raise NotImplementedError(f"{self.name} has no call for files that are given up")
