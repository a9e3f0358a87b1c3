"""Regression tests: situations in which an early version behaved wrongly."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from conformance_world import CLOSING, conformance, having, meddle, recorded_calls
from pipeline_world import Need, World

from bulkup import FileState
from bulkup.api.dry_run import preview
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.items import Outcome
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.closer import Closer
from bulkup.providers.metastudio.adapter import MetaStudio


@pytest.fixture(params=CLOSING)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        yield running


@pytest.fixture
async def metastudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, "metastudio", monkeypatch) as running:
        yield running


async def test_a_file_that_is_given_up_is_recorded_before_the_report(
    metastudio: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption in between must not make the next run use the ticket and take "completed already" for success."""
    seen: list[FileState] = []

    async def abandon(self: MetaStudio, ticket: Any, state: FileState, call: ApiCall) -> None:
        seen.extend(metastudio.states().values())
        raise ProblemError(Problem(ProblemKind.THROTTLED, "later"))

    metastudio.write({"a.mp4": b"a"})
    monkeypatch.setattr(MetaStudio, "abandon", abandon)
    metastudio.faults("wrong-etag")
    summary = await metastudio.run(attempts=1)
    assert (summary.counters.failed, seen) == (1, [FileState.FAILED])
    assert [orphan.path for orphan in metastudio.orphans()] == [b"a.mp4"]


async def test_a_file_that_no_rule_matches_any_more_is_rejected(metastudio: World) -> None:
    """Even if an interrupted run hashed it, or its metadata changed."""
    metastudio.write({"kept/a.mp4": b"a", "dropped/b.mp4": b"b"})
    rules = {"asset_id": None, "assets": ({"match": "*.mp4", "asset_id": "first"},)}
    narrow = {"asset_id": None, "assets": ({"match": "kept/", "asset_id": "first"},)}
    metastudio.faults("status-503")
    await metastudio.run(**rules, attempts=1)  # both are hashed, neither is asked for
    metastudio.faults()
    summary = await metastudio.run(**narrow)
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 1, 1)
    assert {entry.path: entry.action for entry in preview(metastudio.resolved(**narrow), environ={})} == {
        b"kept/a.mp4": "unchanged",
        b"dropped/b.mp4": "rejected",
    }
    assert (await metastudio.run(**rules)).exit_code == 0
    (metastudio.source / "dropped" / "b.mp4").write_bytes(b"changed")
    assert (await metastudio.run(**narrow)).counters.rejected == 1


async def test_a_file_found_through_two_sources_has_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own place does not count as taken."""
    async with conformance(tmp_path, "xvid", monkeypatch) as place:
        place.settings = {"object_key": "all/{name}"}
        place.write({"sub/a.mp4": b"first"})
        inner = {"source": (str(place.source / "sub"),)}
        assert (await place.run()).exit_code == 0
        for content in (b"changed", b"changed again"):
            place.write({"sub/a.mp4": content})
            summary = await place.run(**inner)
            assert (summary.exit_code, summary.counters.uploaded) == (0, 1)
        assert (await place.run()).exit_code == 0


async def test_a_fallback_asset_beside_rules_keeps_the_destination(metastudio: World) -> None:
    """Files that a rule matches stay uploaded."""
    metastudio.write({"a.mp4": b"a"})
    rules = {"assets": ({"match": "*.mp4", "asset_id": "first"},)}
    await metastudio.run(**rules, asset_id=None)
    summary = await metastudio.run(**rules, asset_id="fallback")
    assert (summary.counters.skipped, summary.counters.uploaded) == (1, 0)


async def test_closing_calls_that_were_disabled_are_not_made(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was stored but not closed counts as uploaded by its receipt."""

    async def failing(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(500, {}, b"", 0.0)

    place.write({"a.mp4": b"a"})
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "confirm", failing)
        await place.run(attempts=1)
    assert place.states() == {b"a.mp4": FileState.STORED}
    calls = recorded_calls(monkeypatch)
    summary = await place.run(confirm=False)
    assert (summary.exit_code, summary.counters.uploaded, calls) == (0, 1, [])
    (row,) = place.manifest()
    assert (row.status, row.attempts) == (FileState.UPLOADED, 1)


async def test_the_journal_keeps_no_signature_of_a_stored_file(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The closing call needs only the id. The URL is removed from the journal with the receipt."""

    async def failing(call: ApiCall, request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(500, {}, b"", 0.0)

    place.write({"a.mp4": b"a"})
    with monkeypatch.context() as patch:
        meddle(patch, place.provider, "confirm", failing)
        await place.run(attempts=1)
    held = b"".join(path.read_bytes() for path in place.journal.parent.iterdir())
    assert place.states() == {b"a.mp4": FileState.STORED}
    assert not any(mark in held for mark in (b"Signature=", b'"signature"', b'"policy"'))
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


@pytest.mark.parametrize("provider", having(Need.API))
async def test_a_repeated_answer_assigns_no_url_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Two calls with the same answer would make two files overwrite each other, so the second is refused."""
    async with conformance(tmp_path, provider, monkeypatch) as place:
        answers: list[ApiAnswer] = []

        async def cached(call: ApiCall, request: ApiRequest) -> ApiAnswer:
            answer = await call(request)
            answers.append(answer)
            return answers[0] if len(answers) in (2, 3) else answer

        place.write({f"{number}.mp4": b"%d" % number for number in range(6)})
        meddle(monkeypatch, provider, "presign", cached)
        summary = await place.run(batch_size=1)
        assert summary.exit_code == 0
        place.assert_uploaded()


async def test_a_file_that_the_service_refuses_to_complete_is_cancelled(
    metastudio: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed MAIN is rejected because the asset has one, and its bytes are removed."""
    metastudio.settings = {"asset_file_category": "MAIN"}
    metastudio.write({"a.mp4": b"first"})
    await metastudio.run()
    metastudio.write({"a.mp4": b"second"})
    told: list[Outcome] = []
    give_up = Closer.give_up

    def noted(self: Closer, outcome: Outcome) -> None:
        told.append(outcome)
        give_up(self, outcome)

    monkeypatch.setattr(Closer, "give_up", noted)
    summary = await metastudio.run()
    assert (summary.exit_code, summary.counters.rejected) == (3, 1)
    assert [outcome.state for outcome in told] == [FileState.REJECTED]
    objects = [name for _, _, names in os.walk(metastudio.server.objects_dir) for name in names]
    assert len(objects) == 1


async def test_only_unsupported_extensions_are_skipped(metastudio: World) -> None:
    """With `unsupported = "skip"`, a file without an asset is still reported."""
    metastudio.write({".DS_Store": b"x", "a.mp4": b"a", "no-rule.mp4": b"b"})
    rules = {"asset_id": None, "assets": ({"match": "a.mp4", "asset_id": "first"},), "unsupported": "skip"}
    assert [entry.action for entry in preview(metastudio.resolved(**rules), environ={})].count("skipped") == 1
    counters = (await metastudio.run(**rules)).counters
    assert (counters.unsupported, counters.rejected, counters.uploaded) == (1, 1, 1)
