"""Whole runs with providers that differ from the built-in ones: other checksums, files that the service has already,
tickets without an API call, and rules of a single ticket.

The providers are doubles over the embedded server, which knows nothing of these differences.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import anyio
import pytest
from pipeline_world import World, interrupt_after, read_tree, world

from bulkup import FileState
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS, ProviderDeclaration
from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret
from bulkup.model.files import DIGEST_BYTES, Algorithm
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import AlreadyThere, ChecksumHeader, Rejection, Ticket
from bulkup.pipeline.files.hashing import digests_of_data
from bulkup.providers import PROVIDER_CLASSES, Capabilities, FileSpec, TicketAnswer
from bulkup.providers.local.adapter import Local

LARGE = 2 * 1024**2 + 1  # read in pieces


class Addressed(Local):
    """A service that names objects by their checksum, and says which ones it has. `known` are their names."""

    name = "addressed"
    capabilities = Capabilities(
        batch_limit=1000, batch_size=10, checksum_first="sha256", creates_ids=False, content_addressed=True
    )
    known: ClassVar[set[str]]
    asked: ClassVar[Counter[str]]

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        names = [spec.digest.text for spec in specs if spec.digest is not None]
        self.asked.update(names)
        tickets = await super().presign(specs, call)
        return [
            AlreadyThere(name, {"oid": name}) if name in self.known else ticket._replace(remote_id=name)
            for name, ticket in zip(names, tickets, strict=True)
            if isinstance(ticket, Ticket)
        ]


class Signer(Local):
    """A provider that makes its tickets without the API. It fetches them on its own from the server at `root`."""

    name = "signer"
    capabilities = Capabilities(batch_limit=1000, batch_size=10, creates_ids=False, signs_locally=True)
    root: ClassVar[str]
    token: ClassVar[str]

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        assert self.config.base_url == ""
        async with aiohttp.ClientSession() as session:

            async def fetch(request: ApiRequest) -> ApiAnswer:
                headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
                async with session.post(self.root + request.path, data=request.body, headers=headers) as response:
                    return ApiAnswer(response.status, {}, await response.read(), time.time())

            config = dataclasses.replace(self.config, base_url=self.root, credentials={"token": Secret(self.token)})
            return await Local(config).presign(specs, fetch)


class Refusing(Local):
    """A service whose answer refuses each file by itself. `answer` is that of every file."""

    name = "refusing"
    capabilities = Capabilities(batch_limit=1000, batch_size=2)
    answer: ClassVar[TicketAnswer]

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        await super().presign(specs, call)
        return [self.answer for _ in specs]


class WithRules(Local):
    """A provider whose tickets have checksum headers and success statuses. `rules` are fields of the tickets."""

    name = "rules"
    capabilities = Capabilities(batch_limit=1000, batch_size=10)
    rules: ClassVar[Mapping[str, Any]]

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        tickets = await super().presign(specs, call)
        return [ticket._replace(**self.rules) for ticket in tickets if isinstance(ticket, Ticket)]


class Proving(Local):
    """A service whose storage answers with a checksum in place of an MD5."""

    name = "proving"
    capabilities = Capabilities(batch_limit=1000, batch_size=10)
    answers: ClassVar[Algorithm]
    objects: ClassVar[Path]

    @classmethod
    def evidence(cls, answer: StorageAnswer) -> Mapping[str, str]:
        """Return the checksum of the object whose MD5 the server answers."""
        md5 = answer.headers["etag"].strip('"')
        for path in cls.objects.rglob("*"):
            if path.is_file() and hashlib.md5(data := path.read_bytes()).hexdigest() == md5:
                (digest,) = digests_of_data(data, (cls.answers,))
                return {"etag": '"opaque-1"', f"x-amz-checksum-{cls.answers}": digest.base64}
        raise AssertionError("no such object")


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    for kind in (Addressed, Refusing, WithRules, Proving):
        monkeypatch.setitem(PROVIDER_CLASSES, kind.name, kind)
        monkeypatch.setitem(PROVIDER_DECLARATIONS, kind.name, ProviderDeclaration(None, (("token",),)))
    monkeypatch.setitem(PROVIDER_CLASSES, "signer", Signer)
    monkeypatch.setitem(PROVIDER_DECLARATIONS, "signer", ProviderDeclaration(None, has_api=False))
    async with world(tmp_path, "addressed") as place:
        monkeypatch.setattr(Addressed, "known", set(), raising=False)
        monkeypatch.setattr(Addressed, "asked", Counter(), raising=False)
        monkeypatch.setattr(Signer, "root", place.server.url, raising=False)
        monkeypatch.setattr(Signer, "token", place.config.token, raising=False)
        monkeypatch.setattr(Proving, "objects", Path(place.server.objects_dir), raising=False)
        yield place


@pytest.mark.parametrize("files", [1, 3, 30])
@pytest.mark.parametrize(
    "answer", [Rejection("no room"), Problem(ProblemKind.FAILED, "no room")], ids=["rejected", "failed"]
)
async def test_a_run_ends_whose_files_are_all_refused_one_by_one(
    place: World, monkeypatch: pytest.MonkeyPatch, files: int, answer: TicketAnswer
) -> None:
    """Also with fewer files than it takes to decide that every file is refused."""
    place.provider = "refusing"
    monkeypatch.setattr(Refusing, "answer", answer, raising=False)
    place.write_many(files, size=30)
    with anyio.fail_after(30):
        summary = await place.run()
    assert summary.exit_code != 0
    assert place.puts == 0


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


async def test_the_digest_that_the_call_needs_is_recorded_and_the_other_one_proves(place: World) -> None:
    """Both in the manifest's words: the SHA-256 as checksum, no MD5, and verified by storage's ETag."""
    place.write({"small": b"x", "large": os.urandom(LARGE), "empty": b""})
    results, summary = await place.results()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 3, 0)
    expected = {path: sha256(data) for path, data in read_tree(place.source).items()}
    assert {row.path: row.checksum for row in place.manifest()} == expected
    assert {result.path: result.checksum for result in results} == expected
    assert {row.path: row.remote_id for row in place.manifest()} == expected
    assert {row.md5 for row in place.manifest()} == {result.md5 for result in results} == {None}
    os.chmod(place.source / "small", 0o600)  # then the content decides
    assert (await place.run()).counters.skipped == 3
    assert Addressed.asked.total() == 3


async def test_a_file_that_the_service_has_is_settled_without_a_transfer(place: World) -> None:
    """It is uploaded and verified, counted as already there, and stays so in the next run."""
    place.write_many(25)
    place.write({"there": b"known bytes", "there too": b"known bytes"})
    Addressed.known.add(sha256(b"known bytes"))
    results, summary = await place.results()
    counters = summary.counters
    assert (summary.exit_code, counters.uploaded, counters.already_there, counters.unverified) == (0, 27, 2, 0)
    assert (place.puts, counters.presign_files) == (25, 25)
    assert counters.bytes_uploaded == 25 * 500
    assert summary.as_dict()["already_there"] == 2
    there = {result.path: result for result in results if result.already_there}
    assert set(there) == {b"there", b"there too"}
    assert {(r.status, r.attempts, r.remote_id) for r in there.values()} == {
        (FileState.UPLOADED, 0, sha256(b"known bytes"))
    }
    rows = {row.path: row for row in place.manifest() if row.path in there}
    assert {row.checksum for row in rows.values()} == {sha256(b"known bytes")}
    assert {tuple(row.remote.items()) for row in rows.values()} == {
        (("oid", sha256(b"known bytes")), ("already_there", True))
    }
    again = await place.run()
    assert (again.counters.skipped, again.counters.already_there, place.puts) == (27, 0, 25)
    assert place.orphans() == place.superseded() == []


async def test_a_service_that_has_every_file(place: World) -> None:
    """The run ends without a request to storage."""
    place.write_many(30)
    Addressed.known |= {sha256(data) for data in read_tree(place.source).values()}
    summary = await place.run()
    assert (summary.exit_code, summary.counters.already_there, place.puts) == (0, 30, 0)


async def test_an_interrupted_run_keeps_what_was_already_there(place: World) -> None:
    """The next run asks only for the others, and sends only those."""
    place.write_many(40)
    Addressed.known |= {sha256(data) for data in list(read_tree(place.source).values())[:20]}
    await interrupt_after(place, 15)
    done = {path for path, state in place.states().items() if state is FileState.UPLOADED}
    Addressed.asked.clear()
    assert (await place.run()).exit_code == 0
    assert set(place.states().values()) == {FileState.UPLOADED}
    assert len(place.states()) == 40
    contents = read_tree(place.source)
    assert not {sha256(contents[path]) for path in done} & set(Addressed.asked)
    assert place.orphans() == []


async def test_files_with_equal_bytes_may_share_an_id(place: World) -> None:
    place.write({f"copy-{number}": b"the same" for number in range(4)})
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded) == (0, 4)
    assert {row.remote_id for row in place.manifest()} == {sha256(b"the same")}


async def test_unused_tickets_leave_no_orphans_where_no_ids_are_created(place: World) -> None:
    """Nor do calls that are cut off: there is nothing at the service to remove."""
    place.write_many(60)
    await interrupt_after(place, 5, concurrency=2)
    assert place.orphans() == []
    place.write({"d0/0000.mp4": b"changed since"})
    assert (await place.run()).exit_code == 0
    assert place.orphans() == []


async def test_without_a_checksum_such_a_service_cannot_be_used(place: World) -> None:
    place.write_many(1)
    with pytest.raises(UsageError, match="needs a file's SHA-256 before the upload"):
        await place.run(checksum="none")


async def test_a_digest_of_another_algorithm_is_not_used_for_the_call(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier run recorded an MD5: a changed file is read again for the digest that the call needs now."""
    place.write_many(3)
    md5 = dataclasses.replace(Addressed.capabilities, checksum_first="md5")
    with monkeypatch.context() as patch:
        patch.setattr(Addressed, "capabilities", md5)
        await place.run()
    assert {row.checksum[:4] for row in place.manifest() if row.checksum} == {"md5:"}
    place.write({"d1/0001.mp4": b"x" * 500})
    os.chmod(place.source / "d2" / "0002.mp4", 0o600)
    summary = await place.run(identity="content")
    assert (summary.exit_code, summary.counters.skipped, summary.counters.uploaded) == (0, 2, 1)
    assert {row.path: row.checksum for row in place.manifest()}[b"d1/0001.mp4"] == sha256(b"x" * 500)


async def test_tickets_without_an_api(place: World) -> None:
    """No base URL, no token, no call is made or counted. All other guarantees stay."""
    place.provider = "signer"
    place.write_many(45)
    settings = {"base_url": None, "token": None}
    await interrupt_after(place, 10, **settings)
    summary = await place.run(**settings)
    assert (summary.exit_code, summary.counters.presign_calls) == (0, 0)
    place.assert_uploaded()
    assert place.orphans() == []
    assert (await place.run(**settings)).counters.skipped == 45


async def test_allowed_hosts_hold_without_an_api(place: World) -> None:
    place.provider = "signer"
    place.write_many(1)
    summary = await place.run(base_url=None, token=None, allowed_hosts=("storage.example",))
    assert summary.error is not None
    assert "allowed_hosts" in summary.error.message


async def test_a_provider_with_an_api_needs_its_base_url(place: World) -> None:
    with pytest.raises(UsageError, match="addressed needs base_url"):
        await place.run(base_url=None)


async def test_checksum_headers_are_filled_in_from_the_bytes(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses a wrong one. A large file has none, because its digest is known only at its end."""
    place.provider = "rules"
    header = ChecksumHeader("Content-MD5", "md5")
    monkeypatch.setattr(WithRules, "rules", {"content_md5": False, "checksum_headers": (header,)}, raising=False)
    place.write({"small": b"x", "large": os.urandom(LARGE)})
    assert (await place.run()).exit_code == 0
    wrong = ChecksumHeader("Content-MD5", "md5", "hex")
    monkeypatch.setattr(WithRules, "rules", {"content_md5": False, "checksum_headers": (wrong,)}, raising=False)
    place.write({"other": b"y"})
    assert (await place.run()).counters.failed == 1


async def test_a_ticket_can_say_which_statuses_mean_success(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    place.provider = "rules"
    place.write({"a": b"x"})
    monkeypatch.setattr(WithRules, "rules", {"success": (201, 202)}, raising=False)
    results, summary = await place.results()
    assert summary.counters.failed == 1
    assert [result.error for result in results] == ["storage answered 200, and 201 or 202 means success here"]
    monkeypatch.setattr(WithRules, "rules", {"success": (200, 202)}, raising=False)
    assert (await place.run()).exit_code == 0


@pytest.mark.parametrize("algorithm", sorted(set(DIGEST_BYTES) - {"md5"}))
@pytest.mark.parametrize("right", [True, False])
async def test_storage_may_prove_the_bytes_by_any_checksum(
    place: World, algorithm: Algorithm, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files and large ones. A wrong checksum is a mismatch."""
    place.provider = "proving"
    monkeypatch.setattr(Proving, "capabilities", dataclasses.replace(Proving.capabilities, proof=algorithm))
    monkeypatch.setattr(Proving, "answers", algorithm, raising=False)
    if not right:
        zeros = base64.b64encode(bytes(DIGEST_BYTES[algorithm])).decode()
        answer = classmethod(lambda cls, answer: {f"x-amz-checksum-{algorithm}": zeros})
        monkeypatch.setattr(Proving, "evidence", answer)
    place.write({"small": b"x", "large": os.urandom(LARGE)})
    with anyio.fail_after(60):
        summary = await place.run()
    if right:
        assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 2, 0)
        assert {(row.checksum or "").partition(":")[0] for row in place.manifest()} == {algorithm}
    else:
        assert summary.counters.failed == 2
