"""Which service is left out of which test of the suite, and why. A test that leaves one out without a reason fails."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from conformance_world import EVERY, adapter_of, conformance, having
from pipeline_world import SERVICES, Need

from bulkup.providers import PROVIDER_CLASSES

HERE = Path(__file__).parent
_ANY = "the pipeline does the same for every service, and the test needs none in particular"
_XVID = "only xvid is polled, and only its answers have a status"
_GIVEN_UP = "only metastudio takes reports of files that are given up"
# The needs of tests, by module or by test. Services without it are left out. Other tests run over all.
NEEDS: Mapping[str, tuple[Need, ...]] = {
    "_online_check": (Need.REFUSED_KEYS,),
    "_online_check::test_a_service_in_order": (),
    "::test_refused_beforehand": (Need.REJECTION,),
    "::test_refused_by_the_service": (Need.API,),
    "::test_closing_calls": (Need.CLOSING,),
    "_answers": (Need.API,),
    "_answers::test_one_ticket_for_a_whole_group": (Need.API, Need.GROUPS),
    "_answers::test_malformed_closing_answers": (Need.CLOSING,),
    "_answers::test_closed_already": (Need.CLOSING,),
    "_answers::test_throttled_closing_calls": (Need.CLOSING,),
    "_closing": (Need.CLOSING,),
    "_credentials": (Need.REFUSED_KEYS,),
    "_credentials::test_clock_that_is_off_a_little": (),
    "_credentials::test_one_token_for_many_files": (Need.TOKENS,),
    "_credentials::test_a_token_is_renewed_shortly_before_it_expires": (Need.TOKENS,),
    "_credentials::test_a_token_that_was_revoked_early": (Need.TOKENS,),
    "_credentials::test_a_password_that_changes_during_a_run": (Need.TOKENS,),
    "_downloads": (Need.DOWNLOADS,),
    "_interruptions::test_an_interruption_before_the_closing_call": (Need.CLOSING,),
    "_interruptions::test_a_stop_during_slow_closing_calls": (Need.CLOSING,),
    "_leases": (Need.RENEWAL,),
    "_places": (Need.PLACES,),
    "_places::test_a_claim_without_a_ticket_is_free_in_the_next_run": (Need.API, Need.PLACES),
    "_regressions": (Need.CLOSING,),
    "_regressions::test_a_repeated_answer_assigns_no_url_twice": (Need.API,),
}
# Tests over chosen services, and the reason.
CHOSEN: Mapping[str, str] = {
    "_answers::test_answers_in_xml": "only xvid answers in XML",
    "_changes::test_a_vanished_file_is_not_retried": _ANY,
    "_changes::test_a_file_that_is_replaced_by_a_rename": _ANY,
    "_changes::test_a_file_that_changes_while_it_is_streamed": _ANY,
    "_changes::test_an_uploaded_file_that_changes_during_hashing": _ANY,
    "_changes::test_an_uploaded_file_that_keeps_changing": _ANY,
    "_changes::test_a_file_that_changes_back_to_its_uploaded_bytes": _ANY,
    "_changes::test_a_changed_file_that_the_filters_now_exclude": _ANY,
    "_changes::test_a_stopped_run_does_not_wait_for_changed_files": _ANY,
    "_changes::test_a_file_that_changes_before_it_is_hashed": "metastudio stands for services that need a digest first",
    "_changes::test_a_changed_file_with_a_new_place": "xvid stands for services with templates of keys",
    "_closing::test_polling_is_limited": _XVID,
    "_closing::test_an_unknown_status_counts_as_complete": _XVID,
    "_closing::test_a_failure_status_fails_the_file": _XVID,
    "_closing::test_failed_files_are_reported_to_the_service": _GIVEN_UP,
    "_closing::test_changed_files_are_reported_to_the_service": _GIVEN_UP,
    "_closing::test_a_service_that_refuses_such_reports": _GIVEN_UP,
    "_closing::test_nothing_is_reported_without_closing_calls": _GIVEN_UP,
    "_credentials::test_other_ways_to_authenticate": "only metastudio and xvid have several ways",
    "_interruptions::test_a_stop_during_polling": _XVID,
}
# Modules and tests that start the services they are about.
OWN: Mapping[str, str] = {
    "_coverage": "this module",
    "_parts": "several URLs in one answer exist only at metastudio; for s3 see tests/integration/test_s3_parts.py",
}


def collected() -> dict[str, set[str]]:
    """Return the services of each test of the suite, without those of tests that have none as a parameter."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", "-n", "0"]
    modules = [str(path) for path in sorted(HERE.glob("test_conformance*.py"))]
    listing = subprocess.run([*command, *modules], capture_output=True, text=True, check=True, cwd=HERE.parents[1])
    found: dict[str, set[str]] = defaultdict(set)
    for line in listing.stdout.splitlines():
        test, bracket, values = line.partition("[")
        module, colons, name = test.partition("::")
        if not (bracket and colons):
            continue
        values = values.removesuffix("]").partition(",")[0]
        services = {each for each in EVERY if values == each or values.startswith(f"{each}-")}
        services |= {each for each in EVERY if values.endswith(f"-{each}")}
        if services:
            found[f"{Path(module).stem.removeprefix('test_conformance')}::{name}"] |= services
    return found


def test_every_provider_is_part_of_the_suite() -> None:
    assert {adapter_of(name) for name in SERVICES} == set(PROVIDER_CLASSES)


def test_no_test_leaves_out_a_service_without_a_reason() -> None:
    tests = collected()
    unexpected = {}
    for test, services in tests.items():
        module = test.partition("::")[0]
        if test in CHOSEN or module in CHOSEN or module in OWN:
            continue
        needs = NEEDS.get(test, NEEDS.get(module, ()))
        if services != set(having(*needs)):
            unexpected[test] = sorted(services ^ set(having(*needs)))
    assert unexpected == {}
    named = {name for name in (*NEEDS, *CHOSEN) if "::" in name}
    assert named - {"_credentials::test_other_ways_to_authenticate"} <= set(tests)
    modules = {path.stem.removeprefix("test_conformance") for path in HERE.glob("test_conformance*.py")}
    assert {name for name in (*NEEDS, *CHOSEN, *OWN) if "::" not in name} <= modules


@pytest.mark.parametrize("name", EVERY)
async def test_a_service_offers_what_its_provider_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """So a service is not left out by a wrong entry."""
    async with conformance(tmp_path, name, monkeypatch) as place:
        can, service = place.capabilities, place.service
        assert service.has(Need.API) is not can.signs_locally
        assert service.has(Need.CLOSING) is can.confirms
        assert service.has(Need.DOWNLOADS) is can.downloads
        assert service.has(Need.PLACES) is can.placed
        assert service.has(Need.REFUSED_KEYS) is bool(place.credentials)
        if can.batch_limit == 1 or can.content_addressed or can.signs_locally:
            assert not service.has(Need.GROUPS)
        else:
            assert service.has(Need.GROUPS)
