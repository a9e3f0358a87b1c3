"""What a provider is: its capabilities, the questions the pipeline asks it, and the defaults most services share."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bulkup.messages import Digest, Problem, Receipt, Rejection, Ticket
from bulkup.providers.storage import classify_s3
from bulkup.secrets import Secret
from bulkup.wire import ApiCall, StorageAnswer

GIB = 1024**3
S3_PUT_LIMIT = 5 * GIB  # contracts.md 5, "One PUT"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service can do and wants. Sizes in bytes.

    `batch_limit` is the most files one call may ask for, `batch_size` how many it asks for unless told otherwise.
    `checksum_first` puts the hasher before the batcher, `confirms` puts the confirmer behind the workers.
    `extensions` None means any. `kept_for` is how long the service keeps an upload, in seconds.
    """

    batch_limit: int
    batch_size: int
    calls_in_flight: int = 4
    min_size: int = 0
    max_size: int = S3_PUT_LIMIT
    checksum_first: bool = False
    reusable_urls: bool = True
    confirms: bool = False
    extensions: frozenset[str] | None = None
    kept_for: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What a provider needs to know of its user: the service's root and the credentials, by setting name."""

    base_url: str
    credentials: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileSpec:
    """What a provider is told of one file: its name, its path within the source as text, extension, size in bytes.

    `digest` is there when the provider's capabilities ask for the checksum first.
    """

    name: str
    path: str
    extension: str
    size: int
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class NotYet:
    """The answer to a confirm call that has to be asked again in `seconds`."""

    seconds: float


class Provider(abc.ABC):
    """One service. Holds no state of a run but what its credentials need (a cached token)."""

    name: ClassVar[str]

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities:
        """What the service can do and wants."""

    @property
    def scope(self) -> str:
        """The visible part of the account that uploads go to (a project, an asset); empty where nothing shows one.

        It is part of the journal's key: another scope is another upload, a rotated key is not (DESIGN section 6).
        """
        return ""

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Say before any call whether the service will not take this file, and why."""
        limits = self.capabilities
        if limits.extensions is not None and spec.extension not in limits.extensions:
            return Rejection(self._extension_reason(spec.extension, limits.extensions))
        if spec.size < limits.min_size:
            return Rejection(f"{spec.size} bytes is below the {limits.min_size} that {self.name} takes")
        if spec.size > limits.max_size:
            return Rejection(f"{spec.size} bytes is over the {limits.max_size} that {self.name} takes in one upload")
        return None

    def _extension_reason(self, extension: str, known: frozenset[str]) -> str:
        what = f"the extension {extension!r}" if extension else "a file without an extension"
        return f"{self.name} does not take {what} (it takes {', '.join(sorted(known))})"

    @abc.abstractmethod
    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Ask for tickets in one call: one ticket or rejection per file, in the order asked.

        Raises `ProblemError`; kind `REJECTED` then means that at least one file of the group is at fault, and that
        nobody knows which.
        """

    def classify(self, answer: StorageAnswer, now: float) -> Problem | None:
        """Say what storage's answer means; None when it took the bytes. `now` is Unix time."""
        return classify_s3(answer, now)

    def reusable(self, ticket: Ticket) -> bool:  # noqa: ARG002  # a provider may have to look at it
        """Say whether a ticket of an earlier run may be sent to, its expiry apart."""
        return self.capabilities.reusable_urls

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall) -> Mapping[str, Any] | NotYet:
        """Tell the service that the bytes are there; only called where the capabilities say `confirms`.

        Returns what the service answered, for the manifest. Calling it again after success must be harmless. Raises
        `ProblemError`.
        """
        raise NotImplementedError(f"{self.name} has no confirm call")
