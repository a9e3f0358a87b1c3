"""Which files may go by their descriptor, and what is taken for proven of those that did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from test_pipeline_parts import CONTENT, Service, found, md5_of

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Item
from bulkup.model.problems import ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files import large
from bulkup.pipeline.files.large import RANGE, FileBody
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.send import zero_copy
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.pipeline.send.verification import Verification
from bulkup.pipeline.send.zero_copy import ZeroCopy
from bulkup.providers import ProviderConfig

HERE, THERE = Ticket(SecretUrl("https://s.example/1"), "1"), Ticket(SecretUrl("https://t.example/1"), "2")
LARGE = FoundFile(Source(b"/"), b"a", Identity(RANGE, 1, 1, 1, 1))
SMALL = FoundFile(Source(b"/"), b"b", Identity(RANGE - 1, 1, 1, 1, 1))


def allows(rules: ZeroCopy, ticket: Ticket = HERE, file: FoundFile = LARGE, **values: Any) -> bool:
    return rules.allows(Item(file, ticket, **values), ticket)


def test_the_first_large_file_of_a_host_is_streamed() -> None:
    """Nothing is known of what its answers prove. A match says that they do, of this host alone."""
    rules = ZeroCopy("md5")
    assert not allows(rules)
    rules.learn(HERE.url, Verification.MATCH)
    assert allows(rules)
    assert not allows(rules, THERE)


@pytest.mark.parametrize("first", [Verification.MATCH, Verification.NONE])
def test_a_host_that_once_proved_nothing_is_not_asked_again(first: Verification) -> None:
    """Whatever it proves before and after."""
    rules = ZeroCopy("md5")
    for proven in (first, Verification.NONE, Verification.MATCH):
        rules.learn(HERE.url, proven)
    assert not allows(rules)


def test_a_mismatch_says_nothing_of_the_host() -> None:
    """It is the file's."""
    rules = ZeroCopy("md5")
    rules.learn(HERE.url, Verification.MISMATCH)
    assert not allows(rules)
    rules.learn(HERE.url, Verification.MATCH)
    rules.learn(HERE.url, Verification.MISMATCH)
    assert allows(rules)


@pytest.mark.parametrize("checksum", ["md5", "none"])
def test_what_is_never_lent(checksum: Any) -> None:
    """Small files, forms, files in parts, and what arrived otherwise than it was read."""
    rules = ZeroCopy(checksum)
    rules.learn(HERE.url, Verification.MATCH)
    assert allows(rules)
    assert not allows(rules, file=SMALL)
    assert not allows(rules, Ticket(HERE.url, "1", form=(("key", Secret("x")),)))
    assert not allows(rules, Ticket(HERE.url, "1", more_urls=(HERE.url,)))
    assert not allows(rules, mismatches=1)


def test_where_nothing_is_to_be_proven_every_host_will_do() -> None:
    """Also one that proves nothing."""
    rules = ZeroCopy("none")
    assert allows(rules)
    rules.learn(HERE.url, Verification.NONE)
    assert allows(rules)


class Storage:
    """Takes files by their descriptor where they are lent. Answers with `etags`, and then with the true ones."""

    def __init__(self, *etags: str | None) -> None:
        self.lent: list[bool] = []
        self.before_copying: Callable[[], object] = lambda: None
        self._etags = list(etags)

    async def send(
        self, ticket: Ticket, body: Body, headers: Mapping[str, str], on_bytes: Callable[[int], None]
    ) -> StorageAnswer:
        data = b""
        self.lent.append(isinstance(body, FileBody))
        if isinstance(body, FileBody):
            async for one in body.ranges():
                self.before_copying()
                data += one.file.read_at(one.start, one.size)
        else:
            data = b"".join([bytes(piece) async for piece in body.chunks()])
        on_bytes(len(data))
        etag = self._etags.pop(0) if self._etags else md5_of(data).hex
        return StorageAnswer(200, {"etag": f'"{etag}"'} if etag else {}, b"")


def sender_to(storage: Storage, **options: Any) -> LocalSender:
    service = Service(ProviderConfig("https://api.example"))
    return LocalSender(cast("Any", storage), service, SystemClock(), SendOptions(**options))


def item_of(file: FoundFile) -> Item:
    return Item(file, HERE)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FoundFile:
    """One that counts as large."""
    monkeypatch.setattr(zero_copy, "RANGE", len(CONTENT))
    return found(tmp_path / "a")


async def test_once_a_host_proves_files_are_lent_and_verified(file: FoundFile) -> None:
    """By the digest of a second read."""
    storage = Storage()
    sender = sender_to(storage)
    for _ in range(3):
        item = item_of(file)
        assert await sender.send(item, lambda _: None) is None
        assert item.receipt is not None
        assert (item.receipt.digest, item.receipt.verified) == (md5_of(CONTENT), True)
    assert storage.lent == [False, True, True]


async def test_bytes_that_a_host_no_longer_proves_go_again_streamed(file: FoundFile) -> None:
    """They are not known to be those that were hashed. From then on nothing is lent to it."""
    storage = Storage(md5_of(CONTENT).hex, None, None)
    sender = sender_to(storage)
    await sender.send(item_of(file), lambda _: None)
    item = item_of(file)
    problem, unproven = await sender.send(item, lambda _: None), item.receipt
    assert problem is not None
    assert (problem.kind, unproven) == (ProblemKind.MISMATCH, None)
    assert await sender.send(item, lambda _: None) is None
    assert item.receipt is not None
    assert (item.receipt.digest, item.receipt.verified) == (md5_of(CONTENT), False)
    await sender.send(item_of(file), lambda _: None)
    assert storage.lent == [False, True, False, False]


async def test_bytes_that_changed_behind_the_hash_are_found_out(
    file: FoundFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage's ETag is that of other bytes, even where the file's times tell nothing."""
    monkeypatch.setattr(large, "compare", lambda *_: None)
    storage = Storage()
    sender = sender_to(storage)
    await sender.send(item_of(file), lambda _: None)

    def overwrite() -> None:
        with open(file.full_path, "r+b") as opened:
            opened.write(b"other")

    storage.before_copying = overwrite
    item = item_of(file)
    problem = await sender.send(item, lambda _: None)
    assert problem is not None
    assert problem.kind is ProblemKind.MISMATCH
    assert item.receipt is None


@pytest.mark.parametrize("etag", [None, md5_of(CONTENT).hex, md5_of(b"other").hex, "opaque-2"])
async def test_without_a_checksum_no_answer_proves_or_refutes_anything(file: FoundFile, etag: str | None) -> None:
    """The file is lent from the first one on, and taken as it is."""
    storage = Storage(etag)
    item = item_of(file)
    assert await sender_to(storage, checksum="none").send(item, lambda _: None) is None
    assert item.receipt is not None
    assert (item.receipt.digest, item.receipt.verified) == (None, False)
    assert item.receipt.etag == etag
    assert storage.lent == [True]


async def test_small_files_and_parts_are_not_hashed_either(tmp_path: Path) -> None:
    """And no checksum goes along with them."""
    small = Item(found(tmp_path / "small", b"small"), Ticket(HERE.url, "1", content_md5=True))
    parts = Item(found(tmp_path / "parts"), Ticket(HERE.url, "1", more_urls=(THERE.url,)))
    for item in (small, parts):
        assert await sender_to(Storage(), checksum="none").send(item, lambda _: None) is None
        assert item.receipt is not None
        assert (item.receipt.digest, item.receipt.verified, item.digest) == (None, False, None)
