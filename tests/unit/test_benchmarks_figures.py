"""Medians, ratios, and the treatment of runs that failed or were not measured."""

from __future__ import annotations

import dataclasses

import pytest
from benchmarks_world import client, measured, results

from benchmarks.clients import CLIENTS
from benchmarks.figures import figures_of, from_json, median, speed_over, to_json, together
from benchmarks.requirements import REQUIREMENTS, Verdict, verdicts
from benchmarks.rounds import Runs, Taken, rotated
from benchmarks.scenarios import scenarios

RESCAN = {"files": 1_000_000, "time_ratio": 2.5, "peak_ratio": 1.3}


def test_a_clients_figures_are_medians_and_its_largest_peak() -> None:
    taken = [Taken(3.0, 1.0, 0.1, 70.0), Taken(1.0, 3.0, 0.3, 90.0), Taken(2.0, 2.0, 0.2, 80.0)]

    found = figures_of(Runs(CLIENTS["curl"], "7.88", taken))

    assert (found.seconds, found.cpu, found.store_cpu, found.peak, found.rounds) == (2.0, 2.0, 0.2, 90.0, 3)
    assert found.every == (3.0, 1.0, 2.0)


def test_runs_that_went_wrong_once_have_no_figures() -> None:
    found = figures_of(Runs(CLIENTS["curl"], "7.88", [Taken(1.0, 1.0, 1.0, 1.0)], "failed with 7"))

    assert (found.seconds, found.rounds, found.problem) == (0.0, 0, "failed with 7")


def test_the_median_of_nothing_is_nothing() -> None:
    assert median(()) == 0.0


def test_speed_is_the_others_time_over_ones_own() -> None:
    assert speed_over(client("bulkup", 2.0), client("curl", 3.0)) == 1.5
    assert speed_over(client("bulkup", 2.0), None) is None


def test_the_best_peer_is_neither_bulkup_nor_the_floor_nor_one_that_did_not_run() -> None:
    scenario = measured(
        "small", client("bulkup", 1.0), client("wrk", 0.5, peer=False), client("aws", 0.0), client("curl", 2.0)
    )

    best = scenario.best_peer()

    assert best is not None
    assert best.client == "curl"


def test_results_come_back_from_json_as_they_were() -> None:
    known = results(measured("small", client("bulkup", 1.5)), rescan=RESCAN, missing={"wan": "it needs root"})

    assert from_json(to_json(known)) == known


def test_a_later_run_replaces_its_own_scenarios_and_keeps_the_others_in_order() -> None:
    earlier = results(measured("small", client("bulkup", 1.0)), measured("wan", client("bulkup", 2.0)), rescan=RESCAN)
    later = results(measured("large", client("bulkup", 3.0)), missing={"wan": "it needs root"})

    both = together(earlier, later)

    assert [one.name for one in both.scenarios] == ["small", "large"]
    assert both.missing == {"wan": "it needs root"}
    assert both.rescan == RESCAN


@pytest.mark.parametrize(("seconds", "reached"), [(1.0, True), (1.01, False)])
def test_a_requirement_is_reached_where_the_ratio_is(seconds: float, reached: bool) -> None:
    known = results(measured("small", client("bulkup", seconds), client("s5cmd", 2.0)))

    assert _verdict(verdicts(known), "small", "s5cmd").reached is reached


def test_a_link_is_compared_with_its_rate_and_its_best_peer() -> None:
    known = results(measured("wan", client("bulkup", 5.0), client("curl", 4.9), line_seconds=4.2))

    line, best = (one for one in verdicts(known) if "wan" in one.what)

    assert (line.against, line.measured, line.reached) == ("the link's rate", "0.84", False)
    assert (best.against, best.measured, best.reached) == ("best peer, curl", "0.98", False)


def test_what_was_not_measured_is_told_with_its_reason() -> None:
    known = results(measured("small", client("bulkup", 1.0), client("s5cmd", 0.0)), missing={"wan": "it needs root"})

    told = verdicts(known)

    assert len(told) == len(REQUIREMENTS) + 2
    assert _verdict(told, "small", "s5cmd").measured == "not installed: s5cmd is not on this machine"
    assert [one.measured for one in told if one.what == "wan"] == ["it needs root"] * 2
    assert {one.reached for one in told} == {None}


def test_a_second_run_is_held_against_time_and_memory() -> None:
    time, memory = verdicts(results(rescan=RESCAN))[-2:]

    assert (time.measured, time.reached) == ("2.50", True)
    assert (memory.measured, memory.reached) == ("1.30", False)


def test_every_requirement_is_of_a_scenario_and_clients_that_are_run() -> None:
    clients = {one.name: {ran.name for ran in one.clients} for one in scenarios(quick=False, large=1)}

    for asked in REQUIREMENTS:
        assert asked.client in clients[asked.scenario]
        assert " " in asked.against or asked.against in clients[asked.scenario]


def test_each_round_begins_with_another_client() -> None:
    assert [rotated("abc", number) for number in range(4)] == [[*"abc"], [*"bca"], [*"cab"], [*"abc"]]
    assert rotated("", 3) == []


def test_a_client_that_is_not_there_is_asked_for_nothing() -> None:
    def absent() -> str:
        raise LookupError("it is not on this machine")

    gone = dataclasses.replace(CLIENTS["curl"], version=absent)

    assert Runs.of(gone).problem == "not installed: it is not on this machine"


def _verdict(told: list[Verdict], scenario: str, against: str) -> Verdict:
    return next(one for one in told if scenario in one.what and one.against.startswith(against))
