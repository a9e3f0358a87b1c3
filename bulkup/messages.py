"""The values that flow through a run; each docstring says from whom to whom.

    scanner --FoundFile--> batcher --Item with a Ticket--> workers --Item with a Receipt--> confirmer --> recorder

They hold no behaviour beyond reading themselves, and no I/O.
"""

from __future__ import annotations

import base64
import enum
import operator
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bulkup.secrets import Secret, SecretUrl


class FileState(enum.StrEnum):
    """Where a file stands; the states of DESIGN section 6. The last six are terminal for a run."""

    PENDING = "pending"  # known, and no call about it is under way
    ASKED = "asked"  # an intent to ask for a ticket is on disk, the answer is not
    TICKETED = "ticketed"  # the ticket is on disk, no byte was sent before that
    STORED = "stored"  # storage's receipt is on disk, the confirm call is still to come
    UPLOADED = "uploaded"
    UNVERIFIED = "unverified"  # sent and accepted, but storage's answer proves nothing
    FAILED = "failed"
    REJECTED = "rejected"  # the service does not take such a file
    CHANGED = "changed"  # it changed or vanished while it was being read
    UNREADABLE = "unreadable"


DONE = frozenset({FileState.UPLOADED, FileState.UNVERIFIED})


class Kind(enum.Enum):
    """What a problem means for what comes next; `bulkup.pipeline.retry` turns it into a decision."""

    TRANSIENT = "transient"  # the same request may succeed later
    UNREACHABLE = "unreachable"  # nothing was reached: it costs time, and no tries
    THROTTLED = "throttled"  # the same, and the other side said when, or asked for less
    EXPIRED = "expired"  # the ticket is no longer good; a new one is needed
    REFUSED = "refused"  # storage refused for a reason we do not know: one new ticket, then final
    MISMATCH = "mismatch"  # what storage holds is not what was read: one fresh read, then final
    REJECTED = "rejected"  # this file, or one of this group, will never be taken
    FAILED = "failed"  # final for this file, and no fault of the file's
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNAUTHORIZED = "unauthorized"  # the credentials are refused: the run ends
    UNUSABLE = "unusable"  # the service answers in a way that makes going on pointless: the run ends
    MACHINE = "machine"  # this machine's own fault (out of descriptors, disk full): the run ends


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an attempt or a call did not succeed. `message` is for people and free of secrets.

    `retry_after` is in seconds from when the answer came. `maybe_created` says that the service may have created remote
    ids that we never saw.
    """

    kind: Kind
    message: str
    retry_after: float | None = None
    maybe_created: bool = False


class ProblemError(Exception):
    """Carries a `Problem` out of a provider or of transport."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


Stat = tuple[int, int, int, int, int]
# What is read of a stat result, in the order of an identity's fields: size, times, inode and device.
stat_of: Callable[[os.stat_result], Stat] = operator.attrgetter(
    "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"
)
_TIMES = 1 << 63  # nanoseconds before and after 1970 that the journal's integers can hold


class Identity(NamedTuple):
    """What `stat` says a file is. Sizes in bytes, times in nanoseconds.

    A tuple, like `FoundFile`: they are made often, and compared.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Identity:
        """Return the identity that a stat result shows."""
        return cls.of_stat(stat_of(stat))

    @classmethod
    def of_stat(cls, stat: Stat) -> Identity:
        """Return the identity that what was read of a stat result shows."""
        size, mtime_ns, ctime_ns, inode, device = stat
        if not (-_TIMES <= mtime_ns < _TIMES and -_TIMES <= ctime_ns < _TIMES):
            mtime_ns, ctime_ns = _in_64_bits(mtime_ns), _in_64_bits(ctime_ns)
        return cls(size, mtime_ns, ctime_ns, inode, device)


def _in_64_bits(time_ns: int) -> int:
    """Fold a time that the journal's integers cannot hold: file systems go beyond the year 2262."""
    return (time_ns + _TIMES) % (2 * _TIMES) - _TIMES


NOTHING = Identity(0, 0, 0, 0, 0)  # of an entry that could not be looked at


@dataclass(frozen=True, slots=True)
class Source:
    """A directory given by the user, or the folder of a single file given by the user, which `only` then names.

    `root` is the directory's real path; `id` is the journal's number for it. A file given by itself and the same file
    found in its directory have one key, and so are one file. `name` is what the user calls the source, wherever it is.
    """

    root: bytes
    only: bytes | None = None
    id: int = 0
    name: str | None = None

    @property
    def shown(self) -> str:
        """The path as text, bytes that are not UTF-8 kept as surrogates."""
        return os.fsdecode(self.root)


class FoundFile(NamedTuple):
    """Scanner to batcher: one regular file. `path` is relative to the source, in bytes, with `/` between its parts."""

    source: Source
    path: bytes
    identity: Identity

    @property
    def full_path(self) -> bytes:
        """The path to open."""
        root = self.source.root
        return root + self.path if root == b"/" else b"%b/%b" % (root, self.path)

    @property
    def name(self) -> str:
        """The last part of the path as text."""
        return os.fsdecode(self.path[self.path.rfind(b"/") + 1 :])

    @property
    def extension(self) -> str:
        """What `extension_of` says of the name."""
        return extension_of(self.name)


def extension_of(name: str) -> str:
    """Return the lower-cased last suffix of a name without its dot; empty where there is none, as in `.profile`."""
    stem = name.lstrip(".")
    dot = stem.rfind(".")
    return stem[dot + 1 :].lower() if dot >= 0 else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is to stand at the service, by the service's own words (an asset and a category, an object key).

    `exclusive` says that one file alone can stand there. A file uploaded to another place than it is to have now is
    uploaded again.
    """

    name: str
    exclusive: bool = False


class Digest(NamedTuple):
    """The MD5 of the bytes read, 16 raw bytes (RFC 1321)."""

    md5: bytes

    @property
    def hex(self) -> str:
        """32 hex digits, as in an ETag."""
        return self.md5.hex()

    @property
    def content_md5(self) -> str:
        """Base64, as in the header Content-MD5 (RFC 1864)."""
        return base64.b64encode(self.md5).decode("ascii")


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


@dataclass(slots=True, eq=False)
class Item:
    """One file on its way; owned by exactly one stage at a time, and by none after the recorder settled it.

    Counters are of this run; `failures` are those that count against the number of tries, `renewals` tickets that were
    refused, `lapses` those that ran out unused, `changes` how often it changed under our hands. `renew_at` is when its
    ticket must not be begun any more, in monotonic seconds. `sent` goes with the ticket. `known_digest` is what an
    earlier run recorded, and `known_at` the source's number and the path it did so under; `expired` says that the
    service no longer keeps that.
    """

    file: FoundFile
    ticket: Ticket | None = None
    digest: Digest | None = None
    receipt: Receipt | None = None
    attempts: int = 0
    failures: int = 0
    throttles: int = 0
    renewals: int = 0
    lapses: int = 0
    changes: int = 0
    mismatches: int = 0
    refusals: int = 0
    first_failure: float | None = None
    renew_at: float | None = None
    known_digest: Digest | None = None
    known_at: tuple[int, bytes] | None = None
    expired: bool = False
    place: Place | None = None
    sent: PartsSent | None = None


class Outcome(NamedTuple):
    """Any stage to recorder: the terminal state of an item in this run.

    `state` None means that the run ended before the item did: it is given back, and the next run goes on with it.
    `remote` is what the service answered last, for the manifest. `unchanged` marks a file that was hashed again and
    found to be what an earlier run uploaded.
    """

    item: Item
    state: FileState | None
    problem: Problem | None = None
    remote: Mapping[str, Any] | None = None
    unchanged: bool = False

    @property
    def unconfirmed(self) -> bool:
        """Say whether the bytes are there and only the closing call did not come through: the next run makes it."""
        kind = self.problem.kind if self.problem is not None else None
        return self.item.receipt is not None and kind in (Kind.TRANSIENT, Kind.THROTTLED)


@dataclass(frozen=True, slots=True)
class Result:
    """Recorder to the user: one settled file, as the library hands it out and as `--json` prints it."""

    source: str
    path: bytes
    status: FileState
    size: int
    md5: str | None
    remote_id: str | None
    attempts: int
    error: str | None
    unchanged: bool = False
