"""Medians, ratios, and the treatment of runs that failed or were not measured."""

from __future__ import annotations

import dataclasses

import pytest
from benchmarks_world import MACHINE, client, measured, results

from benchmarks.clients import CLIENTS
from benchmarks.estimate import scenario_seconds
from benchmarks.figures import comparable, cpu_ratio, figures_of, from_json, median, speed_over, to_json, together
from benchmarks.requirements import REQUIREMENTS, Verdict, verdicts
from benchmarks.rounds import Runs, Taken, rotated
from benchmarks.scenarios import SCENARIOS, scenarios

RESCAN = {"files": 1_000_000, "time_ratio": 2.5, "peak_ratio": 1.3, "most_mib": 69.5}
EVERY = scenarios(quick=False, large=1, revision="1234567")


def test_a_clients_figures_are_medians_and_its_largest_peak() -> None:
    taken = [Taken(3.0, 1.0, 0.1, 70.0), Taken(1.0, 3.0, 0.3, 90.0), Taken(2.0, 2.0, 0.2, 80.0)]

    found = figures_of(Runs(CLIENTS["curl"], "7.88", taken))

    assert (found.seconds, found.cpu, found.store_cpu, found.peak, found.rounds) == (2.0, 2.0, 0.2, 90.0, 3)
    assert found.every == (3.0, 1.0, 2.0)
    assert found.every_cpu == (1.0, 3.0, 2.0)


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


def test_a_scenario_that_is_measured_at_last_is_not_missing() -> None:
    """Several invocations complete one file."""
    earlier = results(missing={"wan": "it needs root", "rescan": "no room"})

    both = together(earlier, results(measured("wan", client("bulkup", 3.0)), rescan=RESCAN))

    assert both.missing == {}


def test_only_figures_of_this_machine_are_completed() -> None:
    """The day may differ, the processor may not."""
    known = results(measured("small", client("bulkup", 1.0)))

    assert comparable(known, {**MACHINE, "when": "2031-01-01"})
    assert not comparable(known, {**MACHINE, "processor": "Other"})


def test_the_cpu_ratio_is_the_median_over_pairs_of_runs() -> None:
    """Not the ratio of the medians, which would be 0.5 here."""
    new = client("bulkup", 1.0, every_cpu=(1.0, 2.0, 3.0))
    old = client("earlier", 2.0, every_cpu=(4.0, 2.0, 5.0))

    assert cpu_ratio(new, old) == 0.6


@pytest.mark.parametrize(("cpu", "reached"), [(1.0, True), (1.02, False)])
def test_cpu_time_must_be_at_most_the_required_share(cpu: float, reached: bool) -> None:
    """A share of 0.50 is required."""
    new, old = client("bulkup", 1.0, every_cpu=(cpu,)), client("earlier", 1.0, every_cpu=(2.0,))

    told = _verdict(verdicts(results(measured("cpu", new, old))), "cpu", "earlier")

    assert (told.required, told.reached) == ("<= 0.50", reached)


@pytest.mark.parametrize(("seconds", "reached"), [(1.0, True), (1.12, False)])
def test_a_requirement_is_reached_where_the_ratio_is(seconds: float, reached: bool) -> None:
    known = results(measured("small", client("bulkup", seconds), client("s5cmd", 2.0)))

    assert _verdict(verdicts(known), "small", "s5cmd").reached is reached


def test_a_link_is_compared_with_its_rate_and_its_best_peer() -> None:
    known = results(measured("wan200", client("bulkup", 5.0), client("curl", 4.9), line_seconds=4.2))

    line, best = [one for one in verdicts(known) if "files, wan200" in one.what][:2]

    assert (line.against, line.measured, line.reached) == ("the link's rate", "0.84", False)
    assert (best.against, best.measured, best.reached) == ("best peer, curl", "0.98", False)


def test_what_was_not_measured_is_told_with_its_reason() -> None:
    known = results(measured("small", client("bulkup", 1.0), client("s5cmd", 0.0)), missing={"wan": "it needs root"})

    told = verdicts(known)

    assert len(told) == len(REQUIREMENTS) + 3
    assert _verdict(told, "small", "s5cmd").measured == "not installed: s5cmd is not on this machine"
    assert [one.measured for one in told if one.what == "wan"] == ["it needs root"] * 2
    assert {one.reached for one in told} == {None}


def test_a_second_run_is_held_against_time_and_memory() -> None:
    time, growth, memory = verdicts(results(rescan=RESCAN))[-3:]

    assert (time.measured, time.reached) == ("2.50", True)
    assert (growth.measured, growth.reached) == ("1.30", False)
    assert (memory.required, memory.measured, memory.reached) == ("<= 70.00 MiB", "69.50 MiB", True)


def test_every_requirement_is_of_a_scenario_and_clients_that_are_run() -> None:
    clients = {one.name: {ran.name for ran in one.clients} for one in EVERY}

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


def test_the_scenarios_run_in_the_order_of_their_names() -> None:
    assert tuple(one.name for one in EVERY) == SCENARIOS


def test_the_estimate_grows_with_rounds_and_counts_slow_tools_once() -> None:
    small = next(one for one in EVERY if one.name == "small")
    native = scenario_seconds(small, ["bulkup"], 6) - scenario_seconds(small, ["bulkup"], 3)
    slow = scenario_seconds(small, ["aws"], 6) - scenario_seconds(small, ["aws"], 3)

    assert native > 5
    assert slow == 0


def test_every_scenario_has_an_estimate() -> None:
    for scenario in EVERY:
        assert scenario_seconds(scenario, [one.name for one in scenario.clients], 1) > 5


def _verdict(told: list[Verdict], scenario: str, against: str) -> Verdict:
    return next(one for one in told if scenario in one.what and one.against.startswith(against))
