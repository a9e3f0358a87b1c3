"""What a second look at the first version found: runs that met these did the wrong thing, each in its own way."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from conformance_world import CLOSING, EVERY, conformance, meddle, recorded_calls
from pipeline_world import World

from bulkup import FileState
from bulkup.api.preview import preview
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


async def test_a_file_given_up_is_on_disk_as_that_before_the_service_hears_it(
    metastudio: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run cut off between the two would go on with the ticket, and take 'completed already' for an upload."""
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


async def test_a_file_that_no_rule_names_any_more_is_rejected_whatever_is_known_of_it(metastudio: World) -> None:
    """Hashed by a run that was cut off, or changed in its metadata: the rule is asked again before any call."""
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
    """Its place is not taken by itself under another name."""
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


async def test_a_fallback_asset_beside_rules_makes_no_other_destination(metastudio: World) -> None:
    """Files that a rule names stay uploaded."""
    metastudio.write({"a.mp4": b"a"})
    rules = {"assets": ({"match": "*.mp4", "asset_id": "first"},)}
    await metastudio.run(**rules, asset_id=None)
    summary = await metastudio.run(**rules, asset_id="fallback")
    assert (summary.counters.skipped, summary.counters.uploaded) == (1, 0)


async def test_closing_calls_that_are_no_longer_wanted_are_not_made(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier run stored and could not close is taken as uploaded from its receipt."""

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


async def test_a_stored_file_keeps_no_signature(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its closing call needs an id: what opened the store is gone from the journal with the receipt."""

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


@pytest.mark.parametrize("provider", EVERY)
async def test_an_answer_that_a_cache_repeats_shifts_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Two calls with one answer would have two files overwrite each other: the second is not believed."""
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


async def test_what_the_service_will_not_complete_is_cancelled_there(
    metastudio: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MAIN that changed finds the asset's MAIN there already: it is rejected, and its bytes do not stay."""
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


async def test_only_what_is_of_a_wrong_kind_is_passed_over(metastudio: World) -> None:
    """`unsupported = "skip"` is about extensions: a file that no rule names is told of all the same."""
    metastudio.write({".DS_Store": b"x", "a.mp4": b"a", "no-rule.mp4": b"b"})
    rules = {"asset_id": None, "assets": ({"match": "a.mp4", "asset_id": "first"},), "unsupported": "skip"}
    assert [entry.action for entry in preview(metastudio.resolved(**rules), environ={})].count("skipped") == 1
    counters = (await metastudio.run(**rules)).counters
    assert (counters.unsupported, counters.rejected, counters.uploaded) == (1, 1, 1)
