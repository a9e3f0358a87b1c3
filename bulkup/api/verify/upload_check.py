"""Compares all uploaded files of a journal, a page of rows at a time: with the disk, then with the service."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from bulkup.api.verify.disk_comparison import Differing, DiskComparison
from bulkup.api.verify.disk_contents import ReadContent, compare_content, digest_of_file
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Destination, Reader
from bulkup.journal.upload_rows import (
    PATH,
    Share,
    UploadPage,
    UploadRow,
    UploadRowsOptions,
    files_not_uploaded,
    removed_paths,
    stat_in,
    upload_in,
    upload_pages,
)
from bulkup.model.disk_states import DiskState
from bulkup.model.files import Digest
from bulkup.model.stored_objects import Upload
from bulkup.model.verify_results import StoreAnswer, StoreState, VerifiedFile, VerifyCounts
from bulkup.pipeline.files.hashing import MD5_ONLY

if TYPE_CHECKING:
    from bulkup.api.verify.store_comparison import StoreComparison

Emit = Callable[[Sequence[VerifiedFile]], None]
T = TypeVar("T")
_READABLE = frozenset({DiskState.SAME, DiskState.METADATA})
_EVERYTHING = Share()
_OF_ANOTHER_ACCOUNT = StoreAnswer(StoreState.UNKNOWN, "it was uploaded to another account than that of the settings")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What is compared beside `stat`: the content on disk with `rehash`, the bytes at the service with `deep`.

    `readers` files are read at once. A page has `rows` rows, or `rows_with_details` where more than `stat` is compared.
    A process has at least `rows_per_process` rows.
    """

    rehash: bool = False
    deep: bool = False
    readers: int = 4
    rows: int = 2000
    rows_with_details: int = 500
    rows_per_process: int = 50_000


class UploadCheck:
    """Compares the files of one journal once. `store` is None if the service is not asked.

    `destination` is the account that is asked.
    """

    def __init__(
        self,
        reader: Reader,
        options: VerifyOptions,
        store: StoreComparison | None = None,
        destination: Destination | None = None,
    ) -> None:
        self._reader = reader
        self._options = options
        self._store = store
        self._roots = {source.id: source.root for source in reader.sources()}
        self._providers: Mapping[int, str] = dict(reader.rows("SELECT id, provider FROM destinations"))
        self._destination = None if destination is None else self._number_of(destination)
        self.counts = VerifyCounts()

    def not_uploaded(self) -> int:
        """Return how many files no run has uploaded."""
        return files_not_uploaded(self._reader)

    async def run(self, emit: Emit) -> VerifyCounts:
        """Compare every uploaded file. `emit` gets the files that are not the same, in the order of their paths.

        Raises `JournalError`, `ServiceError`.
        """
        self.counts.not_uploaded = await anyio.to_thread.run_sync(self.not_uploaded)
        return await self.compare(emit)

    async def compare(self, emit: Emit, share: Share = _EVERYTHING) -> VerifyCounts:
        """Compare the files of a share of the rows."""
        details = self._options.rehash or self._store is not None
        rows = self._options.rows_with_details if details else self._options.rows
        pages = upload_pages(self._reader, details=details, options=UploadRowsOptions(rows), share=share)
        with contextlib.closing(DiskComparison(self._roots)) as disk:
            while True:
                page, differing = await anyio.to_thread.run_sync(_compare_next, pages, disk, self._reader)
                if page is None:
                    return self.counts
                emit(await self._page(page, differing, details=details))

    async def _page(self, page: UploadPage, differing: Sequence[Differing], *, details: bool) -> list[VerifiedFile]:
        """Count the files of a page, and return those that are not the same."""
        if not details:
            files = [self._file(page, page.rows[one.number], one) for one in differing]
            self.counts.add_same(len(page.rows) - len(files))
        else:
            by_number = {one.number: one for one in differing}
            files = [self._file(page, row, by_number.get(number)) for number, row in enumerate(page.rows)]
            await self._compare_further(page, files)
        for file in files:
            self.counts.add(file)
        return [file for file in files if _is_shown(file)]

    async def _compare_further(self, page: UploadPage, files: Sequence[VerifiedFile]) -> None:
        uploads = [upload_in(row, self._reader.path) for row in page.rows]
        for file, upload in zip(files, uploads, strict=True):
            file.remote_id = upload.remote_id
        if self._options.rehash:
            await self._rehash(page, files, uploads)
        if self._store is not None:
            await self._ask(page, files, uploads)

    async def _rehash(self, page: UploadPage, files: Sequence[VerifiedFile], uploads: Sequence[Upload]) -> None:
        def work(number: int) -> ReadContent:
            row = page.rows[number]
            return compare_content(self._roots[page.source], row[PATH], stat_in(row), uploads[number].digest)

        def done(number: int, read: ReadContent) -> None:
            files[number].content = read.state
            files[number].note(read.reason)

        await self._in_threads([n for n, file in enumerate(files) if file.disk in _READABLE], work, done)

    async def _ask(self, page: UploadPage, files: Sequence[VerifiedFile], uploads: Sequence[Upload]) -> None:
        store = self._store
        assert store is not None
        if page.destination != self._destination:
            answers = [_OF_ANOTHER_ACCOUNT] * len(files)
        elif self._options.deep:
            answers = await store.read_back(list(zip(uploads, await self._digests(page, files, uploads), strict=True)))
        else:
            answers = await store.ask(uploads)
        for file, answer in zip(files, answers, strict=True):
            file.store = answer.state
            file.note(answer.reason)

    async def _digests(
        self,
        page: UploadPage,
        files: Sequence[VerifiedFile],
        uploads: Sequence[Upload],
    ) -> list[Digest | None]:
        """Return the digests to compare with: the recorded ones, or those of unchanged files on disk."""
        found = [upload.digest for upload in uploads]

        def work(number: int) -> Digest | None:
            row = page.rows[number]
            with contextlib.suppress(OSError):
                return digest_of_file(self._roots[page.source], row[PATH], stat_in(row), MD5_ONLY[0])
            return None

        unknown = [n for n, file in enumerate(files) if found[n] is None and file.disk in _READABLE]
        await self._in_threads(unknown, work, found.__setitem__)
        return found

    async def _in_threads(
        self, numbers: Sequence[int], work: Callable[[int], T], done: Callable[[int, T], None]
    ) -> None:
        limiter = anyio.CapacityLimiter(self._options.readers)

        async def one(number: int) -> None:
            done(number, await anyio.to_thread.run_sync(work, number, limiter=limiter))

        async with anyio.create_task_group() as tasks:
            for number in numbers:
                tasks.start_soon(one, number)

    def _file(self, page: UploadPage, row: UploadRow, differing: Differing | None) -> VerifiedFile:
        file = VerifiedFile(self._roots[page.source], row[PATH], self._providers[page.destination])
        if differing is not None:
            file.disk = differing.state
            file.note(differing.reason)
        return file

    def _number_of(self, wanted: Destination) -> int | None:
        """Return the number of an account in the journal, None if nothing was uploaded to it."""
        query = "SELECT id FROM destinations WHERE provider = ? AND base_url = ? AND scope = ?"
        rows = self._reader.rows(query, wanted.provider, wanted.base_url, wanted.scope)
        return rows[0][0] if rows else None


def _compare_next(
    pages: Iterator[UploadPage], disk: DiskComparison, reader: Reader
) -> tuple[UploadPage | None, list[Differing]]:
    """Read the next page and compare it with the disk, in one thread. At the end there is no page.

    Two threads, one that reads ahead or several that compare, take longer: all of them need the interpreter's lock for
    each file. `comparing_processes` is for many files.
    """
    page = next(pages, None)
    if page is None:
        return None, []
    differing = disk.compare(page.source, page.rows)
    gone = [one.number for one in differing if one.state is DiskState.DELETED]
    removed = removed_paths(reader, page, gone) if gone else set[bytes]()
    return page, [_as_removed(one) if page.rows[one.number][PATH] in removed else one for one in differing]


def _as_removed(one: Differing) -> Differing:
    """Return a file that is not on disk as one that a run has removed, which is expected."""
    return one._replace(state=DiskState.REMOVED, reason="") if one.state is DiskState.DELETED else one


def _is_shown(file: VerifiedFile) -> bool:
    """Return whether a file is listed: it differs, or something about it could not be compared."""
    return file.differs or file.store in (StoreState.EXPIRED, StoreState.UNKNOWN)
