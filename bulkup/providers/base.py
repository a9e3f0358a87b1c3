"""What a provider is: its capabilities, the questions the pipeline asks it, and the defaults most services share."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bulkup.config.secret_names import IDENTIFIERS
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Digest, Place
from bulkup.model.http import ApiCall, StorageAnswer
from bulkup.model.problems import Problem
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.providers.storage_answers import classify_s3

GIB = 1024**3
S3_PUT_LIMIT = 5 * GIB  # docs/contracts.md section 5, "One PUT"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service can do and wants. Sizes in bytes.

    `batch_limit` is the most files one call may ask for, `batch_size` how many it asks for unless told otherwise.
    `rate_limit` is in calls a second unless told otherwise, None for no limit. `checksum_first` puts the hasher before
    the batcher, `confirms` puts the confirmer behind the workers, `abandons` says that the service wants to be told of
    files that are given up, `placed` that it matters where a file stands (`Provider.place`). `extensions` None means
    any. `kept_for` is how long the service keeps an upload, in seconds.
    """

    batch_limit: int
    batch_size: int
    calls_in_flight: int = 4
    rate_limit: float | None = None
    min_size: int = 0
    max_size: int = S3_PUT_LIMIT
    checksum_first: bool = False
    reusable_urls: bool = True
    confirms: bool = False
    abandons: bool = False
    placed: bool = False
    extensions: frozenset[str] | None = None
    kept_for: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What a provider needs to know of its user: the service's root, and credentials and settings by setting name.

    The clock tells when a token that was fetched runs out.
    """

    base_url: str
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock, repr=False)


@dataclass(frozen=True, slots=True)
class FileSpec:
    """What a provider is told of one file: its name, its path within the source as text, extension, size in bytes.

    Bytes that are not UTF-8 are surrogates in both texts. `modified` is Unix time. `digest` is there where the provider
    wants the checksum first.
    """

    name: str
    path: str
    extension: str
    size: int
    digest: Digest | None = None
    modified: float = 0.0


def valid_text(text: str) -> str:
    """Return text that is valid in JSON: a name that is not UTF-8 has its odd bytes replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class NotYet:
    """The answer to a closing call that has not come to its end: to be asked about again in `seconds` or later.

    `remote` is what the service answered, for the manifest.
    """

    seconds: float
    remote: Mapping[str, Any] = field(default_factory=dict)


Closing = Mapping[str, Any] | NotYet


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
        """The visible part of the account that uploads go to (a project, a pipeline); empty where nothing shows one.

        It is part of the journal key (docs/design.md section 6): another scope is another upload, a rotated key is not.
        """
        return ""

    @property
    def secrets(self) -> Iterable[Secret]:
        """All that must be taken out of what the other side says: the credentials, and tokens fetched with them.

        What only names an account is no secret, and hosts and messages are full of it.
        """
        return [secret for name, secret in self.config.credentials.items() if name not in IDENTIFIERS]

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Say before any call whether the service will not take this file, and why."""
        limits = self.capabilities
        if limits.extensions is not None and spec.extension not in limits.extensions:
            return Rejection(self._extension_reason(spec.extension, limits.extensions), unsupported=True)
        if spec.size < limits.min_size:
            return Rejection(f"{spec.size} bytes is below the {limits.min_size} that {self.name} takes")
        if spec.size > limits.max_size:
            return Rejection(f"{spec.size} bytes is over the {limits.max_size} that {self.name} takes in one upload")
        return None

    def _extension_reason(self, extension: str, known: frozenset[str]) -> str:
        what = f"the extension {extension!r}" if extension else "a file without an extension"
        return f"{self.name} does not take {what} (it takes {', '.join(sorted(known))})"

    def place(self, spec: FileSpec) -> Place | None:  # noqa: ARG002  # a provider with places looks at it
        """Say where this file is to stand; only asked where the capabilities say `placed`. None: `reject` tells why."""
        return None

    def hashes_first(self, spec: FileSpec) -> bool:  # noqa: ARG002  # a provider may have to look at it
        """Say whether this file's checksum is needed before it is asked for."""
        return self.capabilities.checksum_first

    @abc.abstractmethod
    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Ask for tickets in one call: one ticket or rejection per file, in the order asked.

        Raises `ProblemError`; kind `REJECTED` then means that at least one file of the group is at fault, and that
        nobody knows which.
        """

    # What storage's answers mean does not depend on who asks: a sending process knows the class alone.
    @classmethod
    def classify(cls, answer: StorageAnswer, now: float) -> Problem | None:
        """Say what storage's answer means; None when it took the bytes. `now` is Unix time."""
        return classify_s3(answer, now)

    @classmethod
    def evidence(cls, answer: StorageAnswer) -> Mapping[str, str]:
        """Return what storage says of the bytes that it took, as headers (`etag`, `x-amz-checksum-*`)."""
        return answer.headers

    def reusable(self, ticket: Ticket) -> bool:  # noqa: ARG002  # a provider may have to look at it
        """Say whether a ticket of an earlier run may be sent to, its expiry apart."""
        return self.capabilities.reusable_urls

    def kept_until(self, stored_at: float) -> float | None:
        """Return until when the service keeps what it got at `stored_at`, None where it does not say; Unix times."""
        kept_for = self.capabilities.kept_for
        return None if kept_for is None else stored_at + kept_for

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        """Tell the service that the bytes are there; only called where the capabilities say `confirms`.

        Returns what the service answered, for the manifest. `again` says that an earlier call may have been heard, and
        only its answer lost: that must be harmless. Raises `ProblemError`.
        """
        raise NotImplementedError(f"{self.name} has no confirm call")

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Ask how far the service is after `confirm` said not yet. Raises `ProblemError`."""
        raise NotImplementedError(f"{self.name} is not polled")

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> None:
        """Tell the service that a file was given up in `state`; only called where the capabilities say `abandons`.

        Raises `ProblemError`; nothing depends on it.
        """
        raise NotImplementedError(f"{self.name} is not told of files given up")
