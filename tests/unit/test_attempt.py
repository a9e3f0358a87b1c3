"""Attempts with files in parts: the parts and their digests, receipts, and the next attempt after a part failed."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from attempts import failed, sent
from found_files import found, md5_of
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.files import FoundFile
from bulkup.model.history import FileHistory
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.hashing import MD5_ONLY, RunningDigests
from bulkup.pipeline.files.large import FilePart, StreamedBody
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.send.attempt import LocalSender, parts_of
from bulkup.providers import Capabilities, Provider, ProviderConfig

CONTENT = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(50_000))  # 1.5 MiB


@given(st.integers(1, 500 * 1024**3), st.integers(1, 1200))
def test_parts_cover_the_file_exactly_and_in_order(size: int, count: int) -> None:
    """Of equal size; the last part with bytes may be smaller, and parts after it are empty."""
    parts = list(parts_of(size, count))
    assert len(parts) == count
    assert (parts[0].start, parts[-1].end) == (0, size)
    assert all(one.end == next_.start for one, next_ in itertools.pairwise(parts))
    length = -(-size // count)
    full, rest = size // length, [size % length] if size % length else []
    sizes = [part.end - part.start for part in parts]
    assert sizes == [length] * full + rest + [0] * (count - full - len(rest))


def test_parts_of_a_large_file() -> None:
    """500 GiB in a thousand parts of 512 MiB each; a byte less makes the last one smaller."""
    mib = 1024**2
    assert {part.end - part.start for part in parts_of(500 * 1024 * mib, 1000)} == {512 * mib}
    *parts, last = parts_of(500 * 1024 * mib - 1, 1000)
    assert {part.end - part.start for part in parts} == {512 * mib}
    assert last.end - last.start == 512 * mib - 1


@pytest.mark.parametrize("count", [1, 2, 3, 7])
async def test_parts_have_a_digest_each_and_one_up_to_their_end(tmp_path: Path, count: int) -> None:
    file = found(tmp_path / "a", CONTENT)
    before = RunningDigests(MD5_ONLY)
    for part in parts_of(len(CONTENT), count):
        body = StreamedBody(file, FileOpener(), part=part, before=before)
        data = b"".join([bytes(piece) async for piece in body.chunks()])
        assert data == CONTENT[part.start : part.end]
        assert (body.size, body.digest, body.identity) == (len(data), md5_of(data), file.identity)
        assert body.whole is not None
        assert body.whole.digests()[0] == md5_of(CONTENT[: part.end])
        before = body.whole
    assert before.digests()[0] == md5_of(CONTENT)


async def test_a_second_pass_of_a_part_does_not_hash_it_twice(tmp_path: Path) -> None:
    """The digest of the bytes before it does not change."""
    file, before = found(tmp_path / "a", CONTENT), RunningDigests(MD5_ONLY)
    before.update(CONTENT[:1000])
    body = StreamedBody(file, FileOpener(), part=FilePart(1000, len(CONTENT)), before=before)
    for broken_off in (1, 2, None):
        chunks = body.chunks()
        if broken_off is None:
            assert len(b"".join([bytes(piece) async for piece in chunks])) == len(CONTENT) - 1000
            break
        for _ in range(broken_off):
            await anext(chunks)
        await chunks.aclose()
        assert before.digests()[0] == md5_of(CONTENT[:1000])
        assert body.digest is None
    assert body.whole is not None
    assert body.whole.digests()[0] == md5_of(CONTENT)


async def test_an_empty_part_has_no_bytes(tmp_path: Path) -> None:
    """A service may give more URLs than a small file has bytes."""
    body = StreamedBody(found(tmp_path / "a", CONTENT), FileOpener(), part=FilePart(len(CONTENT), len(CONTENT)))
    assert [bytes(piece) async for piece in body.chunks()] == []
    assert (body.size, body.digest) == (0, md5_of(b""))


async def test_a_part_of_a_file_that_was_cut_is_a_change(tmp_path: Path) -> None:
    file = found(tmp_path / "a", CONTENT)
    os.truncate(tmp_path / "a", 5)
    with pytest.raises(ProblemError) as raised:
        await anext(StreamedBody(file, FileOpener(), part=FilePart(3, 9)).chunks())
    assert raised.value.problem.kind is ProblemKind.CHANGED


class Service(Provider):
    """A provider that only interprets storage's answers."""

    name = "service"
    capabilities = Capabilities(batch_limit=1, batch_size=1)

    async def presign(self, specs: Any, call: Any) -> Any:
        raise NotImplementedError


class Storage:
    """Accepts parts, returns the given answers first, and keeps the bytes with the last letter of the URL."""

    def __init__(self, *answers: StorageAnswer | Exception, etag: bool = True) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.answers = list(answers)
        self.new: list[bool] = []
        self.etag = etag
        self.before: Callable[[], object] = lambda: None

    async def send(
        self,
        ticket: Ticket,
        body: Body,
        headers: Mapping[str, str],
        on_bytes: Callable[[int], None],
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        self.before()
        self.new.append(new_connection)
        assert ticket.more_urls == ()
        data = b"".join([bytes(piece) async for piece in body.chunks()])
        on_bytes(len(data))
        self.got.append((ticket.url.reveal()[-1], data))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        evidence = {"etag": f'"{md5_of(data).hex}"'} if self.etag else {}
        return answer or StorageAnswer(200, evidence, b"")


def sender_to(storage: Storage, **options: Any) -> LocalSender:
    provider = Service(ProviderConfig("https://api.example"))
    return LocalSender(cast("Any", storage), provider, SystemClock(), SendOptions(**options))


def item_of(file: FoundFile, **values: Any) -> Item:
    first, *more = [SecretUrl(f"https://s.example/{n}") for n in range(3)]
    return Item(file, Ticket(first, "id-1", more_urls=tuple(more)), **values)


async def test_a_file_in_parts_has_one_receipt(tmp_path: Path) -> None:
    """With the MD5 and identity of the whole file and no ETag; verified if every part is."""
    storage, item, counted = Storage(), item_of(found(tmp_path / "a", CONTENT)), list[int]()
    receipt = await sent(sender_to(storage), item, counted.append)
    assert [url for url, _ in storage.got] == ["0", "1", "2"]
    assert b"".join(data for _, data in storage.got) == CONTENT
    assert sum(counted) == len(CONTENT)
    assert (receipt.digest, receipt.identity) == (md5_of(CONTENT), item.file.identity)
    assert (receipt.etag, receipt.verified) == (None, True)


async def test_one_unverified_part_leaves_the_file_unverified(tmp_path: Path) -> None:
    item = item_of(found(tmp_path / "a", CONTENT))
    receipt = await sent(sender_to(Storage(StorageAnswer(200, {}, b""))), item)
    assert not receipt.verified


@pytest.mark.parametrize(
    "failure", [StorageAnswer(503, {}, b""), ProblemError(Problem(ProblemKind.TRANSIENT, "it broke"))]
)
async def test_an_accepted_part_is_not_sent_again(tmp_path: Path, failure: StorageAnswer | Exception) -> None:
    """The next attempt with the ticket begins with the part that failed; progress clears earlier failures."""
    good = StorageAnswer(200, {}, b"")
    storage, item = (
        Storage(good, failure),
        item_of(found(tmp_path / "a", CONTENT), history=FileHistory(failures=3, first_failure=1.0)),
    )
    sender = sender_to(storage)
    try:
        await failed(sender, item)
    except ProblemError as error:
        assert error is failure  # noqa: PT017  # a problem may be raised or returned
    assert (item.history.failures, item.history.first_failure) == (0, None)
    receipt = await sent(sender, item)
    assert [url for url, _ in storage.got] == ["0", "1", "1", "2"]
    assert receipt.digest == md5_of(CONTENT)


async def test_a_file_that_changes_between_two_parts_has_no_receipt(tmp_path: Path) -> None:
    """Even if size and modification time were set back."""
    path = tmp_path / "a"
    storage, item = Storage(), item_of(found(path, CONTENT))

    def overwrite() -> None:
        if len(storage.got) == 1:
            status = path.stat()
            path.write_bytes(bytes(len(CONTENT)))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    storage.before = overwrite
    problem = await failed(sender_to(storage), item)
    assert problem.kind is ProblemKind.CHANGED


async def test_a_part_with_another_etag_is_a_mismatch(tmp_path: Path) -> None:
    wrong = StorageAnswer(200, {"etag": f'"{md5_of(b"other").hex}"'}, b"")
    item = item_of(found(tmp_path / "a", CONTENT))
    problem = await failed(sender_to(Storage(wrong)), item)
    assert problem.kind is ProblemKind.MISMATCH
    assert item.sent is None


@pytest.mark.parametrize("algorithms", [("md5",), ()])
@pytest.mark.parametrize("size", [5, len(CONTENT)], ids=["small", "streamed"])
async def test_an_early_success_without_proof_is_not_believed(tmp_path: Path, size: int, algorithms: Any) -> None:
    """Some of the body had not left this machine; the attempt is repeated."""
    item = Item(found(tmp_path / "a", CONTENT[:size]), Ticket(SecretUrl("https://s.example/0"), "id-1"))
    sender = sender_to(Storage(StorageAnswer(200, {}, b"", early=True)), algorithms=algorithms)
    assert (await failed(sender, item)).kind is ProblemKind.TRANSIENT


async def test_an_early_success_with_proof_is_believed(tmp_path: Path) -> None:
    """Storage has the bytes, and its acknowledgement is late."""
    evidence = {"etag": f'"{md5_of(b"12345").hex}"'}
    item = Item(found(tmp_path / "a", b"12345"), Ticket(SecretUrl("https://s.example/0"), "id-1"))
    assert (await sent(sender_to(Storage(StorageAnswer(200, evidence, b"", early=True))), item)).verified


def small(tmp_path: Path, name: str, url: str = "https://s.example/0") -> Item:
    return Item(found(tmp_path / name, name.encode()), Ticket(SecretUrl(url), name))


async def test_a_host_that_has_proven_before_is_asked_once_more(tmp_path: Path) -> None:
    """On a new connection. A proxy that answers twice leaves an answer to the next request, which was refused."""
    storage = Storage()
    sender = sender_to(storage)
    assert (await sent(sender, small(tmp_path, "a"))).verified
    storage.answers = [StorageAnswer(200, {}, b""), StorageAnswer(403, {}, b"")]
    assert (await failed(sender, small(tmp_path, "b"))).kind is ProblemKind.REFUSED
    storage.answers = [StorageAnswer(200, {}, b"")]
    assert (await sent(sender, small(tmp_path, "c"))).verified
    assert storage.new == [False, False, True, False, True]
    assert [data for _, data in storage.got] == [b"a", b"b", b"b", b"c", b"c"]


async def test_a_host_that_no_longer_proves_is_not_asked_twice_for_ever(tmp_path: Path) -> None:
    """The second answer without proof counts, until the host proves again."""
    nothing = StorageAnswer(200, {}, b"")
    storage = Storage()
    sender = sender_to(storage)
    await sent(sender, small(tmp_path, "a"))
    storage.answers = [nothing] * 3
    assert not (await sent(sender, small(tmp_path, "b"))).verified
    assert not (await sent(sender, small(tmp_path, "c"))).verified
    await sent(sender, small(tmp_path, "d"))
    storage.answers = [nothing, nothing]
    assert not (await sent(sender, small(tmp_path, "e"))).verified
    assert [data for _, data in storage.got] == [b"a", b"b", b"b", b"c", b"d", b"e", b"e"]


async def test_other_hosts_and_files_without_a_digest_are_asked_once(tmp_path: Path) -> None:
    """Nothing is known of a host that has not proven yet, and without hashing nothing is compared."""
    for options, url in (({}, "https://t.example/0"), ({"algorithms": ()}, "https://s.example/0")):
        storage = Storage()
        sender = sender_to(storage, **options)
        await sent(sender, small(tmp_path, "a"))
        storage.answers = [StorageAnswer(200, {}, b"")]
        assert not (await sent(sender, small(tmp_path, "b", url))).verified
        assert storage.new == [False, False]


async def test_a_part_without_proof_is_sent_once_more(tmp_path: Path) -> None:
    """If an earlier part was proven."""
    storage, item = Storage(), item_of(found(tmp_path / "a", CONTENT))
    storage.before = lambda: storage.answers.extend([StorageAnswer(200, {}, b"")] if len(storage.got) == 1 else [])
    receipt = await sent(sender_to(storage), item)
    assert (receipt.verified, receipt.digest) == (True, md5_of(CONTENT))
    assert [url for url, _ in storage.got] == ["0", "1", "1", "2"]
    assert storage.new == [False, False, True, False]


@pytest.mark.parametrize("length", [5, len(CONTENT)], ids=["small", "streamed"])
async def test_etags_that_differ_leave_a_file_unverified(tmp_path: Path, length: int) -> None:
    item = Item(found(tmp_path / "a", CONTENT[:length]), Ticket(SecretUrl("https://s.example/0"), "id-1"))
    etags = f'"{md5_of(b"other").hex}", "{md5_of(CONTENT[:length]).hex}"'
    receipt = await sent(sender_to(Storage(StorageAnswer(200, {"etag": etags}, b""))), item)
    assert (receipt.verified, receipt.etag) == (False, None)
