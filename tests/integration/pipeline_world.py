"""Helpers for tests of whole runs: a source, an embedded server in this event loop, and runs over both."""

from __future__ import annotations

import contextlib
import csv
import enum
import hashlib
import math
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from described_services import profile

from bulkup import FileState, Result, Settings, Summary, Uploader
from bulkup.api import composition
from bulkup.config.description_names import secrets_used
from bulkup.config.description_parsing import parse_description
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS, URLS
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.journal import Reader
from bulkup.localserver import FaultOptions, FaultSpec, LocalServer, ServerConfig
from bulkup.model.journal_rows import ManifestRow, OrphanRow
from bulkup.model.states import DONE
from bulkup.pipeline import RetryPolicy, Tunables
from bulkup.providers import Capabilities

TOKEN = "local-token"
# Short pauses before retries and rechecks. Unit tests cover how long they are.
QUICK_RETRIES = Tunables(retry=RetryPolicy(base=0.01, rechecks=(0.01, 0.02, 0.03)))
_KINDS = ("uploaded", "failed", "rejected", "changed", "unreadable", "skipped", "remaining")


class Need(enum.Enum):
    """What a test of the conformance suite needs from a service. Services without it are left out of the test."""

    API = "an API that issues tickets"
    GROUPS = "presign calls for several files, with tickets of their own for each"
    REFUSED_KEYS = "credentials that a service can refuse"
    RENEWAL = "URLs that are renewed during a run"
    REJECTION = "a name of a file that is rejected beforehand"
    CLOSING = "closing calls"
    TOKENS = "credentials that are exchanged for tokens"
    DOWNLOADS = "URLs to read uploads back from"
    PLACES = "places that two files must not share, such as object keys"


_ANY_API = frozenset({Need.API, Need.REFUSED_KEYS, Need.RENEWAL})
NOT_LISTED = "not listed.mp4"


@dataclass(frozen=True)
class Service:
    """Facts about a provider for tests.

    `id` and `url` are the names of a file's id and upload URL in its answers. `stored_at` is the path of a file in the
    store: a template over `remote` of its row in the manifest, and over `uuid` and `ext`. `refuses` is the name of a
    file that is rejected before any call, empty where the service takes all files. `settings` are those it requires.
    `offers` is what the service has for tests that need it, besides such a name.
    """

    id: str
    url: str
    stored_at: str
    refuses: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    described_as: str = ""  # the section of docs/providers/http-services.md, for provider `http`
    offers: frozenset[Need] = _ANY_API

    def has(self, need: Need) -> bool:
        """Return whether the service has what a test needs."""
        return need in self.offers or (need is Need.REJECTION and bool(self.refuses))


def described(name: str, title: str, **settings: Any) -> Service:
    """Return a service for provider `http` with its description, in place of the built-in provider."""
    built_in = BUILT_IN[name]
    # A description names one way to authenticate, and an API that answers with the places of files.
    offers = built_in.offers - {Need.TOKENS, Need.PLACES}
    # The manifest has what the answer said, and an asset is what the request said.
    stored_at = built_in.stored_at.replace("{asset_id}", built_in.settings.get("asset_id", ""))
    values = {**built_in.settings, "http": profile(title)["http"], **settings}
    return replace(built_in, stored_at=stored_at, settings=values, described_as=title, offers=offers)


BUILT_IN: Mapping[str, Service] = {
    "magic-hour": Service("file_path", "upload_url", "{file_path}", "notes.txt", offers=_ANY_API | {Need.GROUPS}),
    "move-ugc": Service(
        *("id", "presignedUrl", "file-production-storage/{uuid}.{ext}", "no extension"),
        offers=_ANY_API | {Need.GROUPS, Need.DOWNLOADS},
    ),
    "metastudio": Service(
        *("file_id", "upload_url", "metastudio-assets/{asset_id}/{file_id}.{ext}", "no extension"),
        settings={"asset_id": "asset-1", "rate_limit": 0},
        offers=_ANY_API | {Need.CLOSING, Need.TOKENS, Need.PLACES},
    ),
    "xvid": Service(
        *("id", "form_post_url", "xvid-mediahub/tmp/{pipeline_id}/{object_key}", "bad\udcff.mp4"),
        settings={"pipeline_id": "pipeline-1"},
        offers=_ANY_API | {Need.CLOSING, Need.TOKENS, Need.PLACES},
    ),
    "s3": Service(
        *("key", "url", "{bucket}/{key}", "bad\udcff.mp4"),
        settings={"bucket": "my-bucket", "key": "up/{path}"},
        offers=frozenset({Need.RENEWAL, Need.REFUSED_KEYS, Need.PLACES}),
    ),
    "urls": Service("id", "url", "{id}", NOT_LISTED, offers=frozenset()),
    "git-lfs": Service("oid", "href", "git-lfs/{oid}", offers=_ANY_API | {Need.CLOSING}),
    "local": Service("id", "url", "{id}", offers=_ANY_API | {Need.GROUPS}),
}
SERVICES: Mapping[str, Service] = {
    **BUILT_IN,
    "http as magic-hour": described("magic-hour", "Magic Hour"),
    "http as metastudio": described("metastudio", "MetaStudio"),
}


class ListedUrl(NamedTuple):
    """An entry of a URL list, and when it was issued (Unix time)."""

    url: str
    key: str
    issued: float


@dataclass
class World:
    """One source, one journal and one server. `settings` apply to every run, unless a run changes them.

    `config` is the configuration of the server. Runs use `clock` and `tunables`.
    """

    folder: Path
    server: LocalServer
    config: ServerConfig
    provider: str = "magic-hour"
    settings: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    tunables: Tunables = field(default_factory=Tunables)
    listed: dict[str, ListedUrl] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal.sqlite3"

    def write(self, files: Mapping[str | bytes, bytes]) -> None:
        for name, content in files.items():
            path = os.path.join(os.fsencode(self.source), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)

    def write_many(self, count: int, size: int = 500, extension: str = "mp4") -> None:
        """Write `count` files with different content."""
        names = (f"d{number % 7}/{number:04}.{extension}" for number in range(count))
        self.write({name: (name.encode() * (size // 10 + 1))[:size] for name in names})

    def faults(self, *texts: str, seed: int = 0, options: FaultOptions | None = None) -> None:
        self.server.set_faults([FaultSpec.parse(text) for text in texts], seed, options)

    @property
    def service(self) -> Service:
        """The facts about the provider. Doubles are built on the local one."""
        return SERVICES.get(self.provider, SERVICES["local"])

    @property
    def adapter(self) -> str:
        """The name of the provider that the service is used with."""
        return "http" if self.service.described_as else self.provider

    @property
    def credentials(self) -> dict[str, str]:
        """The credentials that the provider prefers, with the values that the server accepts."""
        names: Sequence[str] = PROVIDER_DECLARATIONS[self.adapter].credentials[0]
        if self.service.described_as:
            names = secrets_used(parse_description(self.service.settings["http"]))
        return {name: getattr(self.config, "token" if name == "auth_token" else name) for name in names}

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the provider with the world's settings."""
        self.write_url_list()
        settings = self.resolved()
        values = composition.provider_settings(settings, composition.resolve_sources(settings))
        with contextlib.closing(composition.build_provider(settings, self.server.url, {}, values, self.clock)) as built:
            return built.capabilities

    def resolved(self, **changes: Any) -> Settings:
        """Return the settings of a run."""
        values: dict[str, Any] = {
            "source": (str(self.source),),
            "provider": self.adapter,
            "journal": str(self.journal),
            "base_url": self.server.url,
            "concurrency": 8,
            "processes": 1,  # a run that takes long by chance must not begin to try others
            **({"project_id": self.config.project_id} if self.provider.endswith("metastudio") else {}),
            **({"base_url": None, "urls": str(self.url_list)} if self.provider == URLS else {}),
        }
        return Settings(**{**values, **self.credentials, **self.service.settings, **self.settings, **changes})

    def uploader(self, **changes: Any) -> Uploader:
        """Return a run that has not begun. `batch_size` is dropped where a service takes one file per call."""
        self.write_url_list()
        if "batch_size" in changes and self.capabilities.batch_limit == 1:
            del changes["batch_size"]
        return Uploader(self.resolved(**changes), environ={}, clock=self.clock, tunables=self.tunables)

    @property
    def url_list(self) -> Path:
        return self.folder / "list.csv"

    def write_url_list(self) -> None:
        """Write the list of `urls`: a URL for each file of the source. URLs of earlier lists stay until they are old.

        Tests that write a list themselves name another file in `settings`.
        """
        if self.provider != URLS or "urls" in self.settings:
            return
        lifetime, now = math.ceil(self.config.url_ttl or 3600), self.clock.now()
        files = map(os.fsdecode, read_tree(self.source))
        for path in ("in no source.mp4", *files):  # a list without an entry is refused
            if path not in self.listed or self.listed[path].issued + lifetime / 2 < now:
                key = f"listed/{uuid.uuid4().hex}"
                self.listed[path] = ListedUrl(self.server.presign_put(key, lifetime), key, now)
        with open(self.url_list, "w", newline="", encoding="utf-8") as file:
            rows = [(path, each.url, each.key) for path, each in self.listed.items() if path != NOT_LISTED]
            csv.writer(file).writerows([("path", "url", "id"), *rows])

    async def run(self, **changes: Any) -> Summary:
        """Run to the end, check the figures, and return the summary."""
        async with self.uploader(**changes) as uploader:
            summary = await uploader.run()
        assert_adds_up(summary)
        return summary

    async def results(self, **changes: Any) -> tuple[list[Result], Summary]:
        async with self.uploader(**changes) as uploader:
            results = [result async for result in uploader.results()]
        assert_adds_up(uploader.summary)
        return results, uploader.summary

    @property
    def puts(self) -> int:
        return self.server.stats()["puts_completed"]

    def presign_calls(self, count: int) -> int:
        """Return `count` if the provider makes presign calls, else 0."""
        return 0 if self.capabilities.signs_locally else count

    @property
    def calls(self) -> int:
        return self.server.stats()["presign_calls"]

    def manifest(self) -> list[ManifestRow]:
        """Return the journal's files, none where a run was interrupted before it made its tables."""
        if not self.journal.exists() or not self.journal.stat().st_size:
            return []
        with Reader(str(self.journal)) as reader:
            return list(reader.manifest())

    def orphans(self) -> list[OrphanRow]:
        with Reader(str(self.journal)) as reader:
            return list(reader.orphans())

    def superseded(self) -> list[OrphanRow]:
        with Reader(str(self.journal)) as reader:
            return list(reader.superseded())

    def states(self) -> dict[bytes, FileState]:
        return {row.path: row.status for row in self.manifest()}

    def stored_at(self, row: ManifestRow) -> Path:
        """Return the path of a row's file in the store."""
        extension = os.path.splitext(os.fsdecode(row.path))[1][1:].lower()
        uuid = (row.remote_id or "").removeprefix("file-")
        return Path(self.server.objects_dir, self.service.stored_at.format(**row.remote, uuid=uuid, ext=extension))

    def stored(self, row: ManifestRow) -> bytes:
        """Return the bytes that the store has for a row of the manifest."""
        return self.stored_at(row).read_bytes()

    def orphaned(self, expected: Sequence[Any]) -> Sequence[Any]:
        """Return the orphans that are expected: none where calls create no ids."""
        return expected if self.capabilities.creates_ids else []

    def lost_ids(self) -> int:
        """Return how many issued ids the journal does not account for. Calls without an answer make it negative.

        It is 0 where calls create no ids.
        """
        if not self.capabilities.creates_ids:
            assert not self.orphans()
            return 0
        uploaded = sum(row.status in DONE for row in self.manifest())
        unneeded = [*self.orphans(), *self.superseded()]
        return self.server.stats()["tickets"] - uploaded - sum(orphan.count for orphan in unneeded)

    def assert_uploaded(self, *missing: bytes) -> None:
        """Check that each file of the source but `missing` is recorded once, and that its stored bytes are equal."""
        expected = {path: data for path, data in read_tree(self.source).items() if path not in missing}
        done = [row for row in self.manifest() if row.status is FileState.UPLOADED]
        assert sorted(row.path for row in done) == sorted(expected)
        things = {row.checksum for row in done} if self.capabilities.content_addressed else done
        assert len({row.remote_id for row in done}) == len(things)
        for row in done:
            data = expected[row.path]
            assert row.checksum == checksum_of(data, row)
            assert row.md5 in (None, hashlib.md5(data, usedforsecurity=False).hexdigest())
            assert row.size == len(data)
            assert self.stored(row) == data


def checksum_of(data: bytes, row: ManifestRow) -> str:
    """Return the checksum of bytes by the algorithm of a row."""
    algorithm = (row.checksum or "md5").partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}"


async def interrupt_after(place: World, results: int, **changes: Any) -> None:
    """Leave a run after a number of results, as an exception in the caller does."""
    async with place.uploader(**changes) as uploader:
        seen = 0
        async for _ in uploader.results():
            seen += 1
            if seen >= results:
                break


async def interrupt_when(place: World, holds: Callable[[], bool], **changes: Any) -> None:
    """Run, and leave the run when a condition holds."""
    async with place.uploader(**changes) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        with anyio.fail_after(30):
            while not holds():
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()


def read_tree(root: Path) -> dict[bytes, bytes]:
    """Return all files below a directory, by relative path."""
    top, found = os.fsencode(root), {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


def assert_adds_up(summary: Summary) -> None:
    """Check that the files found are the sum of all states (docs/design.md section 7)."""
    files = summary.as_dict()["files"]
    assert files["found"] == sum(files[kind] for kind in _KINDS)
    assert min(files.values()) >= 0


@asynccontextmanager
async def world(
    folder: Path,
    provider: str = "magic-hour",
    *,
    faults: Sequence[str] = (),
    seed: int = 0,
    server_clock: Clock | None = None,
    tunables: Tunables | None = None,
    **server: Any,
) -> AsyncGenerator[World, None]:
    """Start a server in a new folder, and make an empty source."""
    (folder / "source").mkdir(parents=True)
    specs = tuple(FaultSpec.parse(text) for text in faults)
    config = ServerConfig(store=str(folder / "store"), faults=specs, seed=seed, **server)
    async with LocalServer(config, server_clock) as running:
        yield World(folder, running, config, provider, tunables=tunables or Tunables())
