"""Runs with faults: of the service, of storage, of files, of the disk and of credentials."""

from __future__ import annotations

import contextlib
import email.utils
import errno
import itertools
import math
import os
import random
import socket
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import QUICK_RETRIES, World, world
from sending_ways import STRAIGHT, Way, every, two_of

from bulkup import FileState, ServiceError
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS, ProviderDeclaration
from bulkup.errors import MachineError
from bulkup.helpers.secrets import SecretUrl
from bulkup.localserver import FaultOptions, FaultSpec, ReadPace
from bulkup.localserver.faults import FaultName
from bulkup.localserver.s3 import sigv4
from bulkup.model.bodies import Body
from bulkup.model.files import Source
from bulkup.model.http import ApiCall, StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline import RetryPolicy, Tunables
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.policy.retry_budget import RetryBudget
from bulkup.providers import PROVIDER_CLASSES, FileSpec, TicketAnswer
from bulkup.providers.local.adapter import Local
from bulkup.providers.magic_hour.adapter import MagicHour
from bulkup.transport import Transport

SERVICES = ("magic-hour", "move-ugc", "metastudio", "xvid")
SURVIVABLE = sorted(set(FaultName) - {FaultName.UNAUTHORIZED})
Send = Callable[[Transport, Ticket, Body, Mapping[str, str], Callable[[int], None]], Any]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        yield running


@pytest.mark.parametrize("provider", SERVICES)
@pytest.mark.parametrize("fault", SURVIVABLE)
async def test_a_run_survives_each_fault(tmp_path: Path, provider: str, fault: str) -> None:
    """One in seven requests has the fault. Every file is stored as it is, and no remote id is lost."""
    async with world(tmp_path, provider, faults=[f"{fault}=0.15"], seed=7, tunables=QUICK_RETRIES) as place:
        place.write_many(40)
        summary = await place.run(batch_size=6)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.lost_ids() <= 0


@pytest.mark.parametrize(("fault", "way"), two_of(SURVIVABLE))
async def test_a_run_survives_each_fault_on_every_way(tmp_path: Path, fault: str, way: Way) -> None:
    """Small and larger files, both senders, with and without sending processes."""
    async with world(tmp_path, tunables=QUICK_RETRIES) as place:
        place.settings.update(way.settings)
        place.faults(f"{fault}=0.15", seed=7, options=FaultOptions(slow_pace=ReadPace(64 * 1024, 0.05)))
        place.write_many(40, way.size)
        summary = await place.run(batch_size=6)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.lost_ids() <= 0


@pytest.mark.parametrize("way", every())
async def test_a_run_survives_all_faults_together_on_every_way(tmp_path: Path, way: Way) -> None:
    """A fifth of all requests fail."""
    faults = [f"{fault}={0.2 / len(SURVIVABLE):.4f}" for fault in SURVIVABLE]
    async with world(tmp_path, tunables=QUICK_RETRIES) as place:
        place.settings.update(way.settings)
        place.faults(*faults, seed=5, options=FaultOptions(slow_pace=ReadPace(64 * 1024, 0.05)))
        place.write_many(60, way.size)
        place.write({"large.mov": os.urandom(2 * 1024**2)})
        summary = await place.run(batch_size=10)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.puts <= 61 + summary.counters.retries + summary.counters.presign_renewed
        assert place.lost_ids() <= 0


@pytest.mark.parametrize("provider", SERVICES)
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 13))])
async def test_a_run_survives_all_faults_together(tmp_path: Path, provider: str, seed: int) -> None:
    """A fifth of all requests fail."""
    faults = [f"{fault}={0.2 / len(SURVIVABLE):.4f}" for fault in SURVIVABLE]
    async with world(tmp_path, provider, faults=faults, seed=seed, tunables=QUICK_RETRIES) as place:
        place.write_many(80)
        place.write({"large.mov": os.urandom(2 * 1024**2)})
        summary = await place.run(batch_size=10)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.puts <= 81 + summary.counters.retries + summary.counters.presign_renewed
        assert place.lost_ids() <= 0


async def test_a_revoked_key_ends_the_run(here: World) -> None:
    """It ends with exit code 4 and a hint. A run with the new key resumes."""
    here.write_many(120)
    async with here.uploader(concurrency=2, batch_size=5, calls_in_flight=1) as uploader:
        async for _ in uploader.results():
            here.server.set_credentials(token="another-token")
    summary = uploader.summary
    assert summary.exit_code == 4
    assert isinstance(summary.error, ServiceError)
    assert "credentials" in summary.error.message
    assert summary.counters.remaining
    assert summary.counters.uploaded == here.puts
    assert (await here.run(token="another-token")).exit_code == 0
    assert here.puts == 120
    here.assert_uploaded()
    assert here.orphans() == []


async def test_a_wrong_key_is_used_for_one_call(here: World) -> None:
    """The service created nothing, so there is no orphan."""
    here.write_many(3)
    summary = await here.run(token="wrong")
    assert (summary.exit_code, here.calls, here.puts) == (4, 1, 0)
    assert here.orphans() == []


async def test_a_retry_after_of_the_service_is_respected(here: World) -> None:
    """The run makes no call before that time, and then continues by itself."""
    here.faults("retry-later=1")
    here.write_many(20)
    summary = await here.run(batch_size=10, calls_in_flight=1)
    # The window refuses everything for its two seconds: one more call within it would be one more refusal.
    assert (summary.exit_code, here.calls) == (0, 3)
    here.assert_uploaded()


async def test_a_retry_after_counts_up_to_its_maximum(here: World) -> None:
    """After `retry_after_max` the run asks again."""
    here.faults("retry-later=1")
    here.write_many(3)
    summary = await here.run(retry_after_max=0.5)
    assert summary.exit_code == 0
    assert 3 <= here.calls <= 6
    here.assert_uploaded()


async def test_a_throttled_file_pauses_all_requests_to_its_host(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request tests it during the pause. It is refused, so the pause lasts. Then each answer admits one more."""
    send, together = Transport.send, list[int]()
    asked = early = under_way = 0
    open_again = math.inf

    async def throttled(*args: Any) -> StorageAnswer:
        nonlocal asked, early, under_way, open_again
        asked += 1
        if asked == 20:
            open_again = anyio.current_time() + 1
            return StorageAnswer(503, {"retry-after": "1"}, b"<Code>SlowDown</Code>")
        if anyio.current_time() < open_again:
            early += asked > 20
            if open_again < math.inf and anyio.current_time() > open_again - 0.95:  # it had not begun before
                return StorageAnswer(503, {"retry-after": "1"}, b"<Code>SlowDown</Code>")
            return await send(*args)
        together.append(under_way)
        under_way += 1
        try:
            return await send(*args)
        finally:
            under_way -= 1

    monkeypatch.setattr(Transport, "send", throttled)
    here.write_many(60)
    assert (await here.run(concurrency=8)).exit_code == 0
    assert early <= 8  # those that had begun, and the test
    assert together[0] == 0
    assert all(before <= number for number, before in enumerate(together))
    here.assert_uploaded()


@pytest.mark.parametrize("provider", ["magic-hour", "metastudio"])
async def test_every_retry_takes_a_token_of_the_retry_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """This holds for attempts, presign calls and closing calls."""
    taken, retry_at = 0, RetryBudget.retry_at

    def counting(self: RetryBudget, wanted: float, now: float) -> float:
        nonlocal taken
        taken += 1
        return retry_at(self, wanted, now)

    monkeypatch.setattr(RetryBudget, "retry_at", counting)
    async with world(
        tmp_path, provider, faults=["status-503=0.2", "cut-body=0.1"], seed=3, tunables=QUICK_RETRIES
    ) as place:
        place.write_many(60)
        summary = await place.run(batch_size=2)
    assert summary.exit_code == 0, summary.error
    assert summary.counters.retries == taken > 0


@pytest.mark.parametrize("way", every())
async def test_storage_that_answers_no_request_ends_the_run(here: World, way: Way) -> None:
    """It ends after `retry_for` and fails no file. Only a few files are tried."""
    here.tunables = QUICK_RETRIES
    here.settings.update(way.settings)
    here.faults("cut-body=1")
    here.write_many(300, way.size)
    summary = await here.run(retry_for=1, attempts=100)
    assert (summary.exit_code, summary.counters.failed, summary.counters.remaining) == (4, 0, 300)
    assert summary.error is not None
    assert "no other request was answered for" in summary.error.message
    assert here.server.stats()["puts_failed"] < 150
    here.faults()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


@contextlib.contextmanager
def silent_storage(monkeypatch: pytest.MonkeyPatch, requests: int) -> Iterator[None]:
    """Have the first requests reach a server that accepts connections and never answers."""
    send, left = Transport.send, itertools.count(requests, -1)

    async def misled(self: Transport, ticket: Ticket, *rest: Any) -> StorageAnswer:
        if next(left) > 0:
            url = SecretUrl(f"http://127.0.0.1:{server.getsockname()[1]}/object")
            ticket = Ticket(url, ticket.remote_id, ticket.expires_at)
        return await send(self, ticket, *rest)

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server, monkeypatch.context() as patch:
        patch.setattr(Transport, "send", misled)
        yield


@pytest.mark.parametrize("files", [3, 100])
async def test_storage_that_never_answers_fails_no_file(
    here: World, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """However few tries a file has. The run ends after `retry_for`."""
    here.tunables = QUICK_RETRIES
    here.write_many(files)
    with silent_storage(monkeypatch, requests=10_000):
        summary = await here.run(retry_for=1, idle_timeout=0.2, attempts=2)
    assert (summary.exit_code, summary.counters.failed, summary.counters.remaining) == (4, 0, files)
    assert summary.error is not None
    assert "made no progress for 0.2 s; no other request was answered for" in summary.error.message
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_storage_that_answers_late_receives_all_files(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its silence has cost the files more tries than they have."""
    here.tunables = Tunables(retry=RetryPolicy(base=0.01, cap=0.05))
    here.write_many(10)
    with silent_storage(monkeypatch, requests=60):
        summary = await here.run(idle_timeout=0.1, attempts=3)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 10)


async def test_a_service_that_is_down_ends_the_run(here: World) -> None:
    """Each call is answered with 503. The run ends after its attempts, and no file fails."""
    here.faults("status-503=1")
    here.write_many(3)
    summary = await here.run(attempts=2)
    assert (summary.exit_code, summary.counters.remaining, here.calls) == (4, 3, 2)
    here.faults()
    assert (await here.run()).exit_code == 0


async def test_an_unreachable_service_ends_the_run(here: World) -> None:
    """It ends with exit code 4 and the address in the message."""
    here.write_many(2)
    summary = await here.run(base_url="http://127.0.0.1:1", attempts=2)
    assert (summary.exit_code, summary.counters.remaining) == (4, 2)
    assert summary.error is not None
    assert "127.0.0.1:1" in summary.error.message


@pytest.mark.parametrize("way", every())
async def test_a_file_that_storage_never_proves_fails(here: World, way: Way) -> None:
    """It is sent twice, and not recorded as uploaded."""
    here.settings.update(way.settings)
    here.faults("wrong-etag")
    here.write_many(10, way.size)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.failed, here.puts) == (1, 10, 20)
    assert {(row.status, row.attempts) for row in here.manifest()} == {(FileState.FAILED, 2)}
    assert len(here.orphans()) == 10
    here.faults()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


def refuse(monkeypatch: pytest.MonkeyPatch, status: int, code: str, above: int = 0) -> list[int]:
    """Have storage refuse every file of more than `above` bytes. Return the sizes of the bodies that it received."""
    sizes = list[int]()
    send = Transport.send

    async def refused(self: Transport, ticket: Ticket, body: Body, *rest: Any) -> StorageAnswer:
        sizes.append(body.size)
        if body.size <= above:
            return await send(self, ticket, body, *rest)
        return StorageAnswer(status, {}, f"<Error><Code>{code}</Code></Error>".encode())

    monkeypatch.setattr(Transport, "send", refused)
    return sizes


@pytest.mark.parametrize(
    ("status", "code"), [(403, "SignatureDoesNotMatch"), (404, "NoSuchBucket"), (403, "AccessDenied"), (413, "")]
)
async def test_storage_that_refuses_every_file_ends_the_run(
    here: World, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    """The cause is in no file, so they stay for the next run."""
    here.write_many(300)
    with monkeypatch.context() as patch:
        sizes = refuse(patch, status, code)
        summary = await here.run(batch_size=20, calls_in_flight=1, concurrency=4)
    assert (summary.exit_code, summary.counters.uploaded) == (4, 0)
    assert "every file is refused: storage answered" in str(summary.error)
    assert summary.counters.failed <= 12
    assert len(sizes) <= 60
    assert summary.counters.presign_files <= 60
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_storage_that_refuses_every_ticket_of_an_earlier_run_ends_the_run(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all of them are tried. The others are kept."""
    here.write_many(300)
    async with here.uploader(batch_size=300, concurrency=1) as uploader:
        async for _ in uploader.results():
            uploader.stop()
    with monkeypatch.context() as patch:
        sizes = refuse(patch, 403, "AccessDenied")
        summary = await here.run(concurrency=4)
    assert (summary.exit_code, summary.counters.uploaded) == (4, 0)
    assert summary.counters.reused_tickets > 200
    assert len(sizes) <= 8 + 4 + 4
    assert summary.counters.presign_files <= 4
    kept = [state for state in here.states().values() if state is FileState.TICKETED]
    assert len(kept) > 250
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


@pytest.mark.parametrize(
    ("status", "code"), [(403, "SignatureDoesNotMatch"), (403, "AccessDenied"), (404, ""), (405, "")]
)
async def test_refused_urls_of_an_earlier_run_are_replaced(
    here: World, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    """The service signed with a wrong key, or named a wrong server, and was mended before this run."""
    here.write_many(100)
    with monkeypatch.context() as patch:
        refuse(patch, status, code)
        assert (await here.run()).exit_code == 4
    good, presign, send = set[str](), MagicHour.presign, Transport.send

    async def noted(self: MagicHour, *values: Any) -> Any:
        answers = await presign(self, *values)
        good.update(answer.url.reveal() for answer in answers if isinstance(answer, Ticket))
        return answers

    async def mended(self: Transport, ticket: Ticket, *rest: Any) -> StorageAnswer:
        if ticket.url.reveal() in good:
            return await send(self, ticket, *rest)
        return StorageAnswer(status, {}, f"<Error><Code>{code}</Code></Error>".encode())

    monkeypatch.setattr(MagicHour, "presign", noted)
    monkeypatch.setattr(Transport, "send", mended)
    summary = await here.run()
    assert summary.exit_code == 0
    assert summary.counters.reused_tickets > 0
    here.assert_uploaded()


async def test_storage_that_refuses_large_files_takes_the_small_ones(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first files are all above the limit of the store. The run continues with the others."""
    here.write({f"a{number:02}.mp4": b"x" * 5000 for number in range(30)})
    here.write({f"b{number:02}.mp4": b"y" * 50 for number in range(5)})
    refuse(monkeypatch, 413, "EntityTooLarge", above=100)
    summary = await here.run(concurrency=2)
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.failed) == (1, 5, 30)


@pytest.mark.parametrize("provider", ["magic-hour", "metastudio"])
async def test_no_more_files_fail_than_max_failures_and_those_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    async with world(tmp_path, provider) as place:
        place.write({"0.mp4": b"small"})
        await place.run()
        place.write_many(200)
        place.write({"a.mp4": b"small too"})
        refuse(monkeypatch, 403, "SignatureDoesNotMatch", above=100)
        summary = await place.run(max_failures=10, concurrency=8)
        assert summary.exit_code in (1, 4)
        assert summary.counters.failed <= 10 + 8


@pytest.mark.parametrize("way", every())
async def test_storage_that_calls_every_new_url_expired_ends_the_run(here: World, way: Way) -> None:
    """It makes few calls, for any number of files."""
    here.tunables = QUICK_RETRIES
    here.settings.update(way.settings)
    here.faults("expired-url")
    here.write_many(1000 if way.path == STRAIGHT else 300, way.size)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.failed) == (4, 0)
    expected = "storage calls every new upload URL expired: storage answered 403 AccessDenied: Request has expired"
    assert str(summary.error) == expected
    assert here.server.stats()["tickets"] <= 100 + 16
    assert here.calls <= 60
    states = [row.status for row in here.manifest()]
    assert set(states) <= {FileState.PENDING, FileState.TICKETED}
    assert here.lost_ids() == states.count(FileState.TICKETED)


async def test_urls_that_were_signed_too_long_ago_fail_no_file(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the service gives out old URLs. Their own end is seen before they are used."""
    here.tunables = QUICK_RETRIES
    chance, presign = random.Random(1), sigv4.presign

    def cached(method: str, origin: Any, key: str, signing: Any, signed_at: float, seconds: int) -> str:
        age = 2 * seconds if chance.random() < 0.6 else 0
        return presign(method, origin, key, signing, signed_at - age, seconds)

    monkeypatch.setattr(sigv4, "presign", cached)
    here.write_many(100)
    sent = refuse(monkeypatch, 400, "", above=10**6)
    summary = await here.run(batch_size=20)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 100)
    assert len(sent) == 100
    here.assert_uploaded()


@pytest.mark.parametrize(("share", "code"), [(0.6, 0), (1.0, 4)])
async def test_storage_that_refuses_expired_urls_without_a_word_fails_no_file(
    here: World, monkeypatch: pytest.MonkeyPatch, share: float, code: int
) -> None:
    """Ceph's answer has no message. Here some of its gateways, or all, have a clock that is two hours ahead."""
    here.tunables = QUICK_RETRIES
    chance, send = random.Random(1), Transport.send

    async def gateway(self: Transport, ticket: Ticket, *rest: Any) -> StorageAnswer:
        if chance.random() >= share:
            return await send(self, ticket, *rest)
        date = email.utils.formatdate(time.time() + 7200, usegmt=True)
        body = b"<Error><Code>AccessDenied</Code><Message></Message></Error>"
        return StorageAnswer(403, {"date": date}, body)

    monkeypatch.setattr(Transport, "send", gateway)
    here.write_many(60)
    summary = await here.run(batch_size=20)
    assert (summary.exit_code, summary.counters.failed) == (code, 0)
    assert ("storage calls every new upload URL expired" in str(summary.error)) == (code == 4)


@pytest.mark.parametrize("provider", SERVICES)
async def test_slow_workers_upload_all_files_on_short_leases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """URLs expire after two seconds, before a whole group can be sent."""
    send = Transport.send

    async def slow(*args: Any) -> StorageAnswer:
        await anyio.sleep(0.12)
        return await send(*args)

    monkeypatch.setattr(Transport, "send", slow)
    async with world(tmp_path, provider, url_ttl=2) as place:
        place.write_many(60)
        summary = await place.run(concurrency=2)
        assert summary.exit_code == 0
        place.assert_uploaded()
        assert place.lost_ids() == 0


async def test_a_file_that_voids_its_group_is_rejected_alone(here: World) -> None:
    """The service refuses the whole group with a 422, and the other files are asked for again."""
    here.write_many(30)
    here.write({"d3/bad.xyz": b"x", "d5/worse.xyz": b"x"})
    summary = await here.run(extensions={"xyz": "video"})
    assert (summary.exit_code, summary.counters.rejected, summary.counters.uploaded) == (3, 2, 30)
    here.assert_uploaded(b"d3/bad.xyz", b"d5/worse.xyz")
    assert here.states()[b"d3/bad.xyz"] is FileState.REJECTED


async def test_a_file_that_voids_a_mutation_is_rejected_alone(tmp_path: Path) -> None:
    """An error in one field voids the mutation. The other files are uploaded with another one."""
    async with world(tmp_path, "move-ugc") as place:
        place.write_many(12)
        bad = b"bad." + b"x" * 80
        place.write({bad: b"x", "no extension": b"x"})
        summary = await place.run()
        assert (summary.exit_code, summary.counters.rejected, summary.counters.uploaded) == (3, 2, 12)
        place.assert_uploaded(bad, b"no extension")


@pytest.fixture
def no_mpeg(here: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the service refuse every group with an mpeg. Return the sizes of all groups."""
    here.settings["extensions"] = {"mpeg": "audio"}
    presign, groups = MagicHour.presign, list[int]()

    async def refusing(self: MagicHour, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        groups.append(len(specs))
        if any(spec.extension == "mpeg" for spec in specs):
            raise ProblemError(Problem(ProblemKind.REJECTED, "Magic Hour answered 422: unsupported type"))
        return await presign(self, specs, call)

    monkeypatch.setattr(MagicHour, "presign", refusing)
    return groups


async def test_an_extension_that_the_service_refuses_is_learned(here: World, no_mpeg: list[int]) -> None:
    here.write({f"{number:03}.{'mpeg' if number % 11 == 5 else 'mp4'}": b"%d" % number for number in range(330)})
    summary = await here.run(batch_size=30)
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 300, 30)
    assert len(no_mpeg) <= 40  # 11 groups, and what it takes to find the kind
    here.assert_uploaded(*[path for path in here.states() if path.endswith(b".mpeg")])


async def test_files_that_the_service_rejected_are_not_asked_for_again(here: World, no_mpeg: list[int]) -> None:
    """As long as file and settings are the same, and unless the user wants it."""
    here.write({f"{number}.{ending}": b"%d" % number for number, ending in enumerate(["mp4", "mpeg"] * 3)})
    assert (await here.run()).exit_code == 3
    (before,) = {row.error for row in here.manifest() if row.status is FileState.REJECTED}
    no_mpeg.clear()
    for _ in range(2):
        again = await here.run()
        assert (again.exit_code, again.counters.rejected, no_mpeg) == (3, 3, [])
    assert {row.error for row in here.manifest() if row.status is FileState.REJECTED} == {before}
    skipped = await here.run(unsupported="skip")
    assert (skipped.exit_code, skipped.counters.unsupported, no_mpeg) == (0, 3, [])
    here.write({"1.mpeg": b"another content"})
    assert (await here.run()).exit_code == 3
    assert sum(no_mpeg) == 1
    assert (await here.run(retry_rejected=True)).exit_code == 3
    assert sum(no_mpeg) > 3


def after_presign(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Call `act` once, after the first tickets and before any file is opened."""
    presign, acted = MagicHour.presign, False

    async def hooked(self: MagicHour, specs: Sequence[FileSpec], call: ApiCall) -> Any:
        nonlocal acted
        answers = await presign(self, specs, call)
        if not acted:
            acted = True
            act()
        return answers

    monkeypatch.setattr(MagicHour, "presign", hooked)


async def test_files_that_change_or_vanish_before_they_are_sent_are_changed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 3, and the next run uploads them."""
    here.write_many(10)
    here.write({"grows.mp4": b"before", "goes.mp4": b"x", "becomes a folder.mp4": b"x", "link.mp4": b"x"})

    def act() -> None:
        here.write({"grows.mp4": b"before and after"})
        for name in ("goes.mp4", "becomes a folder.mp4", "link.mp4"):
            (here.source / name).unlink()
        (here.source / "becomes a folder.mp4").mkdir()
        (here.source / "link.mp4").symlink_to("grows.mp4")

    after_presign(monkeypatch, act)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 4, 10)
    changed = {path for path, state in here.states().items() if state is FileState.CHANGED}
    assert changed == {b"grows.mp4", b"goes.mp4", b"becomes a folder.mp4", b"link.mp4"}
    assert here.puts == 10
    assert len(here.orphans()) == 4
    summary = await here.run()
    assert (summary.exit_code, summary.counters.uploaded, here.puts) == (0, 1, 11)
    assert {row.path: row.md5 for row in here.manifest()}[b"grows.mp4"] is not None


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _truncate(path: Path) -> None:
    os.truncate(path, 1000)


def _rewrite_in_place(path: Path) -> None:
    """Write other bytes and set the modification time back: only the ctime shows the change."""
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"0123456789")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("change", [_append, _truncate, _rewrite_in_place])
async def test_a_file_that_changes_while_it_is_sent_is_not_uploaded(
    here: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """The next run sends it whole."""
    here.write({"large.mov": os.urandom(5 * 1024**2)})
    send, changes = Transport.send, 0

    async def hooked(
        self: Transport, ticket: Ticket, body: Body, headers: Mapping[str, str], on_bytes: Callable[[int], None]
    ) -> StorageAnswer:
        def progressed(count: int) -> None:
            nonlocal changes
            if not changes:
                changes += 1
                change(here.source / "large.mov")
            on_bytes(count)

        return await send(self, ticket, body, headers, progressed)

    monkeypatch.setattr(Transport, "send", hooked)
    summary = await here.run()
    assert changes == 1
    assert (summary.exit_code, summary.counters.changed, here.puts) == (3, 1, 0)
    assert here.states() == {b"large.mov": FileState.CHANGED}
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, name: bytes, code: int) -> None:
    open_ = FileOpener.open

    def refusing(opener: FileOpener, source: Source, path: bytes) -> int:
        if path.endswith(name):
            raise OSError(code, os.strerror(code))
        return open_(opener, source, path)

    monkeypatch.setattr(FileOpener, "open", refusing)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
async def test_a_file_that_cannot_be_opened_is_unreadable(
    here: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The exit code is 3, and the other files are uploaded. The next run uploads it if it can be read."""
    here.write_many(10)
    with monkeypatch.context() as patch:
        refuse_to_open(patch, b"0003.mp4", code)
        summary = await here.run()
    assert (summary.exit_code, summary.counters.unreadable, summary.counters.uploaded) == (3, 1, 9)
    (row,) = [row for row in here.manifest() if row.status is FileState.UNREADABLE]
    assert (row.path, row.error) == (b"d3/0003.mp4", os.strerror(code))
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_an_uploaded_file_that_was_unreadable_is_not_sent_again(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported as unreadable while its permissions are missing."""
    here.write({"a.mp4": b"a", "b.mp4": b"b"})
    await here.run()
    (here.source / "a.mp4").chmod(0o000)
    with monkeypatch.context() as patch:
        refuse_to_open(patch, b"a.mp4", errno.EACCES)
        assert (await here.run()).exit_code == 3
    (here.source / "a.mp4").chmod(0o644)
    assert (await here.run()).exit_code == 0
    assert here.puts == 2


async def test_a_machine_without_descriptors_ends_the_run(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with exit code 7, and no file is recorded as unreadable."""
    here.write_many(10)
    with monkeypatch.context() as patch:
        refuse_to_open(patch, b"0003.mp4", errno.EMFILE)
        summary = await here.run()
    assert summary.exit_code == 7
    assert isinstance(summary.error, MachineError)
    assert summary.counters.unreadable == 0
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_a_full_disk_under_the_journal_ends_the_run(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with exit code 7, and the next run sends no uploaded file again."""
    here.write_many(400)
    opened, connect = list[sqlite3.Connection](), sqlite3.connect

    def connecting(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connecting)
        async with here.uploader(concurrency=2, batch_size=20) as uploader:
            journal = opened[-1]  # that of the writer; checks before it open and close their own
            (pages,) = journal.execute("PRAGMA page_count").fetchone()
            journal.execute(f"PRAGMA max_page_count = {pages + 12}")
            summary = await uploader.run()
    assert summary.exit_code == 7
    assert summary.error is not None
    assert "full" in summary.error.message
    done = sum(state is FileState.UPLOADED for state in here.states().values())
    assert done == summary.counters.uploaded
    sent = here.puts
    assert (await here.run()).exit_code == 0
    assert here.puts - sent == 400 - done
    here.assert_uploaded()


class Moody(Local):
    """Answers the first call, throttles the second for a second, and fails the third a little later."""

    name = "moody"
    calls = 0

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        type(self).calls += 1
        if type(self).calls == 2:
            raise ProblemError(Problem(ProblemKind.THROTTLED, "come back later", retry_after=1.0))
        if type(self).calls == 3:
            await anyio.sleep(0.05)
            raise ProblemError(Problem(ProblemKind.TRANSIENT, "a bad moment"))
        return await super().presign(specs, call)


async def test_a_call_that_fails_while_the_service_throttles_is_repeated(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made after the time that the service asked for."""
    monkeypatch.setitem(PROVIDER_CLASSES, "moody", Moody)
    monkeypatch.setitem(PROVIDER_DECLARATIONS, "moody", ProviderDeclaration(None, (("token",),)))
    here.provider = "moody"
    here.write_many(3)
    with anyio.fail_after(20):
        summary = await here.run(batch_size=1)
    assert (summary.exit_code, Moody.calls) == (0, 5)
    here.assert_uploaded()


async def test_an_answer_with_too_few_tickets_is_not_used(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is asked for again, and the ids are counted as unknown."""
    here.faults("short-answer,first=2")
    here.write_many(9)
    summary = await here.run(batch_size=3)
    assert summary.exit_code == 0
    here.assert_uploaded()
    unknown = [orphan for orphan in here.orphans() if orphan.remote_id is None]
    assert sum(orphan.count for orphan in unknown) == 6
    assert here.lost_ids() <= 0


def test_every_fault_of_the_server_is_tested() -> None:
    assert {FaultSpec.parse(name).name for name in SURVIVABLE} | {FaultName.UNAUTHORIZED} == set(FaultName)
