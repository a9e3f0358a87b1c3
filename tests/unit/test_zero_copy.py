"""Which files may be sent by `sendfile`, and how storage's answers to them are verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from attempts import failed, sent
from found_files import found, md5_of
from test_attempt import CONTENT, Service

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.history import FileHistory
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Item
from bulkup.model.problems import ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files import large
from bulkup.pipeline.files.large import FileBody
from bulkup.pipeline.files.opening import READING, ReadingOptions
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.pipeline.send.verification import Verification
from bulkup.pipeline.send.zero_copy import ZeroCopy
from bulkup.providers import ProviderConfig

HERE, THERE = Ticket(SecretUrl("https://s.example/1"), "1"), Ticket(SecretUrl("https://t.example/1"), "2")
LARGE = FoundFile(Source(b"/"), b"a", Identity(READING.range, 1, 1, 1, 1))
SMALL = FoundFile(Source(b"/"), b"b", Identity(READING.range - 1, 1, 1, 1, 1))


def allows(rules: ZeroCopy, ticket: Ticket = HERE, file: FoundFile = LARGE, **values: Any) -> bool:
    return rules.allows(Item(file, ticket, **values), ticket)


def test_the_first_large_file_of_a_host_is_streamed() -> None:
    """A match then shows that the answers of this host are proof."""
    rules = ZeroCopy(READING.range)
    assert not allows(rules)
    rules.learn(HERE.url, Verification.MATCH)
    assert allows(rules)
    assert not allows(rules, THERE)


@pytest.mark.parametrize("first", [Verification.MATCH, Verification.NONE])
def test_after_one_answer_without_proof_files_are_streamed(first: Verification) -> None:
    """Whether it proved others before or after."""
    rules = ZeroCopy(READING.range)
    for proven in (first, Verification.NONE, Verification.MATCH):
        rules.learn(HERE.url, proven)
    assert not allows(rules)


def test_a_mismatch_says_nothing_about_the_host() -> None:
    rules = ZeroCopy(READING.range)
    rules.learn(HERE.url, Verification.MISMATCH)
    assert not allows(rules)
    rules.learn(HERE.url, Verification.MATCH)
    rules.learn(HERE.url, Verification.MISMATCH)
    assert allows(rules)


@pytest.mark.parametrize("hashed", [True, False])
def test_files_that_are_always_streamed(hashed: bool) -> None:
    """Small files, forms, files in parts, and files after a mismatch."""
    rules = ZeroCopy(READING.range, hashed=hashed)
    rules.learn(HERE.url, Verification.MATCH)
    assert allows(rules)
    assert not allows(rules, file=SMALL)
    assert not allows(rules, Ticket(HERE.url, "1", form=(("key", Secret("x")),)))
    assert not allows(rules, Ticket(HERE.url, "1", more_urls=(HERE.url,)))
    assert not allows(rules, history=FileHistory(mismatches=1))


def test_without_a_checksum_every_host_is_allowed() -> None:
    rules = ZeroCopy(READING.range, hashed=False)
    assert allows(rules)
    rules.learn(HERE.url, Verification.NONE)
    assert allows(rules)


class Storage:
    """Reads files by their descriptor if it can. Answers with `etags`, and then with the true ones."""

    def __init__(self, *etags: str | None) -> None:
        self.lent: list[bool] = []
        self.new: list[bool] = []
        self.before_copying: Callable[[], object] = lambda: None
        self._etags = list(etags)

    async def send(
        self,
        ticket: Ticket,
        body: Body,
        headers: Mapping[str, str],
        on_bytes: Callable[[int], None],
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        data = b""
        self.new.append(new_connection)
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
    reading = ReadingOptions(range=len(CONTENT))
    return LocalSender(cast("Any", storage), service, SystemClock(), SendOptions(**options), reading)


def item_of(file: FoundFile) -> Item:
    return Item(file, HERE)


@pytest.fixture
def file(tmp_path: Path) -> FoundFile:
    """Return a file that counts as large."""
    return found(tmp_path / "a", CONTENT)


async def test_after_the_first_proof_files_are_sent_by_sendfile(file: FoundFile) -> None:
    storage = Storage()
    sender = sender_to(storage)
    for _ in range(3):
        item = item_of(file)
        receipt = await sent(sender, item)
        assert (receipt.digest, receipt.verified) == (md5_of(CONTENT), True)
    assert storage.lent == [False, True, True]


async def test_a_file_without_proof_is_sent_again_streamed(file: FoundFile) -> None:
    """Its bytes may differ from those that were hashed. From then on the host gets streams only."""
    storage = Storage(md5_of(CONTENT).hex, None, None)
    sender = sender_to(storage)
    await sent(sender, item_of(file))
    receipt = await sent(sender, item_of(file))
    assert (receipt.digest, receipt.verified) == (md5_of(CONTENT), False)
    await sent(sender, item_of(file))
    assert storage.lent == [False, True, False, False]
    assert storage.new == [False, False, True, False]


async def test_bytes_that_changed_after_hashing_are_a_mismatch(
    file: FoundFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the file's times do not show the change."""
    monkeypatch.setattr(large, "compare", lambda *_: None)
    storage = Storage()
    sender = sender_to(storage)
    await sent(sender, item_of(file))

    def overwrite() -> None:
        with open(file.full_path, "r+b") as opened:
            opened.write(b"other")

    storage.before_copying = overwrite
    item = item_of(file)
    problem = await failed(sender, item)
    assert problem.kind is ProblemKind.MISMATCH


@pytest.mark.parametrize("etag", [None, md5_of(CONTENT).hex, md5_of(b"other").hex, "opaque-2"])
async def test_without_a_checksum_no_answer_proves_or_refutes_anything(file: FoundFile, etag: str | None) -> None:
    storage = Storage(etag)
    item = item_of(file)
    receipt = await sent(sender_to(storage, algorithms=()), item)
    assert (receipt.digest, receipt.verified) == (None, False)
    assert receipt.etag == etag
    assert storage.lent == [True]


async def test_small_files_and_parts_are_not_hashed_either(tmp_path: Path) -> None:
    small = Item(found(tmp_path / "small", b"small"), Ticket(HERE.url, "1", content_md5=True))
    parts = Item(found(tmp_path / "parts", CONTENT), Ticket(HERE.url, "1", more_urls=(THERE.url,)))
    for item in (small, parts):
        receipt = await sent(sender_to(Storage(), algorithms=()), item)
        assert (receipt.digest, receipt.verified, item.digest) == (None, False, None)
