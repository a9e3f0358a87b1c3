"""The conformance suite: whole runs of a provider against the imitation of its service.

A test class of the provider's package inherits the tests:

    class TestParcel(ProviderSuite):
        provider = "parcel"

        @asynccontextmanager
        async def serve(self, store):
            async with parcel_service(store) as url:
                yield Service(url, {"token": "secret-token"})
"""

from __future__ import annotations

import abc
import io
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from pathlib import Path
from typing import Any

import anyio

from bulkup.api import Summary, Uploader
from bulkup.config import Settings
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Reader
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState
from bulkup.pipeline import RetryPolicy, Tunables
from bulkup.testing.store import Store, open_store

_QUICK_RETRIES = Tunables(retry=RetryPolicy(base=0.01, rechecks=(0.01, 0.02, 0.03)))
_MOST_SECONDS = 120  # for one test: a run that hangs fails


@dataclass(frozen=True)
class Service:
    """A running imitation: the root URL of its API, and the settings of a run, credentials included.

    `secrets` are the credentials again, which no log and no journal may have. `object_of` returns the key of a file in
    the store, from its row in the manifest.
    """

    base_url: str
    settings: Mapping[str, Any]
    secrets: tuple[str, ...] = ()
    object_of: Callable[[ManifestRow], str] = field(default=lambda row: str(row.remote_id))


class _Place:
    """The folders of one test, and runs in them."""

    def __init__(self, folder: Path, provider: str, service: Service, store: Store) -> None:
        self.source = folder / "source"
        self.store = store
        self.service = service
        self.journal = folder / "journal.sqlite3"
        self._provider = provider
        self.source.mkdir()

    def write(self, count: int, extension: str, size: int = 3000) -> None:
        """Write files with different content, of up to `size` bytes."""
        chance = random.Random(1)  # noqa: S311  # contents that differ, and nothing secret
        for number in range(count):
            folder = self.source / f"folder {number % 3}"
            folder.mkdir(exist_ok=True)
            content = b"%d " % number + chance.randbytes(number * size // count)
            (folder / f"{number:04}.{extension}").write_bytes(content)

    def uploader(self, **changes: Any) -> Uploader:
        """Return a run that has not begun."""
        given = {
            "source": (str(self.source),),
            "provider": self._provider,
            "base_url": self.service.base_url,
            "journal": str(self.journal),
            "processes": 1,
            "concurrency": 8,
        }
        settings = Settings(**{**given, **self.service.settings, **changes})
        return Uploader(settings, environ={}, tunables=_QUICK_RETRIES)

    async def run(self, **changes: Any) -> Summary:
        """Run to the end."""
        async with self.uploader(**changes) as uploader:
            return await uploader.run()

    def rows(self) -> list[ManifestRow]:
        """Return the manifest."""
        with Reader(str(self.journal)) as reader:
            return list(reader.manifest())

    def check(self) -> None:
        """Fail unless each file is recorded once as uploaded, and stored with its bytes under a key of its own."""
        files = {path.relative_to(self.source).as_posix(): path for path in self.source.rglob("*") if path.is_file()}
        rows, objects = self.rows(), self.store.objects()
        recorded = sorted(row.path.decode() for row in rows)
        assert recorded == sorted(files), f"recorded {recorded}, on disk {sorted(files)}"
        keys = set()
        for row in rows:
            path, key = row.path.decode(), self.service.object_of(row)
            assert row.status is FileState.UPLOADED, f"{path} is {row.status.value}: {row.error}"
            assert key in objects, f"{path} is recorded as {key}, which the store does not have"
            assert objects[key] == files[path].read_bytes(), f"{path} is stored with other bytes"
            keys.add(key)
        assert len(keys) == len(rows), "two files are stored under one key"


class ProviderSuite(abc.ABC):
    """Inherit the tests, name the `provider`, and write `serve`.

    `extension` is one that the service accepts, without a dot.
    """

    provider: str
    extension = "mp4"

    @abc.abstractmethod
    def serve(self, store: Store) -> AbstractAsyncContextManager[Service]:
        """Run the imitation of the service, whose upload URLs lead to `store`."""

    def test_every_file_is_stored_under_a_key_of_its_own(self, tmp_path: Path) -> None:
        """In several presign calls, where the service takes several files in one."""

        async def check(place: _Place) -> None:
            place.write(60, self.extension)
            summary = await place.run()
            assert summary.exit_code == 0, summary.as_dict()
            place.check()

        self._run(tmp_path, check)

    def test_a_second_run_sends_nothing(self, tmp_path: Path) -> None:
        """Unchanged files are only counted."""

        async def check(place: _Place) -> None:
            place.write(10, self.extension)
            await place.run()
            before = place.store.puts
            summary = await place.run()
            assert (summary.exit_code, summary.counters.skipped) == (0, 10), summary.as_dict()
            assert place.store.puts == before, f"{place.store.puts - before} files were sent again"

        self._run(tmp_path, check)

    def test_faults_of_storage_lose_nothing(self, tmp_path: Path) -> None:
        """Refusals, broken connections and wrong checksums."""

        async def check(place: _Place) -> None:
            place.write(40, self.extension)
            place.store.fail("status-503=0.2", "cut-body=0.2", "wrong-etag=0.1", seed=5)
            summary = await place.run()
            place.store.fail()
            if summary.exit_code != 0:  # a file failed too often; the next run sends it
                summary = await place.run()
            assert summary.exit_code == 0, summary.as_dict()
            place.check()

        self._run(tmp_path, check)

    def test_an_expired_url_is_replaced(self, tmp_path: Path) -> None:
        """Storage calls a good URL expired: the provider is asked for another one."""

        async def check(place: _Place) -> None:
            place.write(10, self.extension)
            place.store.fail("expired-url,first=2")
            summary = await place.run()
            assert summary.exit_code == 0, summary.as_dict()
            assert summary.counters.presign_renewed >= 1, "no URL was renewed"
            place.check()

        self._run(tmp_path, check)

    def test_an_interrupted_run_continues(self, tmp_path: Path) -> None:
        """A run that is left after its first file is finished by the next one."""

        async def check(place: _Place) -> None:
            place.write(40, self.extension)
            async with place.uploader(concurrency=2) as uploader:
                async for _ in uploader.results():
                    break
            summary = await place.run()
            assert summary.exit_code == 0, summary.as_dict()
            place.check()

        self._run(tmp_path, check)

    def test_other_processes_send(self, tmp_path: Path) -> None:
        """A sending process finds the provider by its name, and has no credentials."""

        async def check(place: _Place) -> None:
            place.write(20, self.extension)
            summary = await place.run(processes=2)
            assert summary.exit_code == 0, summary.as_dict()
            place.check()

        self._run(tmp_path, check)

    def test_no_secret_is_shown_or_kept(self, tmp_path: Path) -> None:
        """Logs, results and a finished journal have neither credentials nor signatures."""

        async def check(place: _Place) -> None:
            place.write(10, self.extension)
            log = io.StringIO()
            handler = logging.StreamHandler(log)
            logging.getLogger().addHandler(handler)
            try:
                summary = await place.run()
            finally:
                logging.getLogger().removeHandler(handler)
            assert summary.exit_code == 0, summary.as_dict()
            shown = log.getvalue() + repr(summary.as_dict()) + repr(place.rows())
            kept = b"".join(path.read_bytes() for path in place.journal.parent.glob(place.journal.name + "*"))
            for secret in (*place.service.secrets, "X-Amz-Signature="):
                assert secret not in shown, "a secret is shown"
                assert secret.encode() not in kept, "a secret is in the journal"

        self._run(tmp_path, check)

    def _run(self, folder: Path, check: Callable[[_Place], Awaitable[None]]) -> None:
        async def run() -> None:
            with anyio.fail_after(_MOST_SECONDS):
                async with open_store(folder / "store") as store, self.serve(store) as service:
                    await check(_Place(folder, self.provider, service, store))

        anyio.run(run)
