"""Parameters of the dashboard's requests."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup.dashboard.file_index import IndexQuery
from bulkup.dashboard.request_parameters import ParameterError, chosen_keys, list_parameters, list_request, place_text
from bulkup.dashboard.run_objects import decoded_key, encoded_path
from bulkup.journal.index_rows import FileKey
from bulkup.model.states import NOT_UPLOADED, FileState


def test_a_list_is_described_by_its_parameters() -> None:
    given = {
        "q": "a.jpg",
        "state": "missed,pending",
        "sort": "size",
        "order": "down",
        "limit": "500",
        "after": "3.9.12",
        "run": "abc",
        "reason": "it broke",
        "reason_state": "failed",
    }
    found = list_request(given, 100)
    states = frozenset(NOT_UPLOADED) | {FileState.PENDING, FileState.ASKED, FileState.TICKETED, FileState.STORED}
    assert found.query == IndexQuery("a.jpg", states, None, None, "size", descending=True, after=(9, 12), limit=100)
    assert (found.group, found.run, found.index) == ((FileState.FAILED, "it broke"), "abc", 3)


def test_nothing_asks_for_the_first_page_of_all_files() -> None:
    assert list_request({}, 100).query == IndexQuery()


@pytest.mark.parametrize(
    "given",
    [
        {"sort": "colour"},
        {"state": "lost"},
        {"limit": "-1"},
        {"limit": "many"},
        {"after": "1.2"},
        {"after": "a.b.c"},
        {"after": f"1.{1 << 70}.0"},
        {"reason": "x", "reason_state": "bad"},
        {"reason": "x"},
    ],
)
def test_other_parameters_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        list_request(given, 100)


@pytest.mark.parametrize("given", [None, [], "q", 7, [1], {"q": 5}, {"run": {}}, {"state": ["failed"]}, {"after": 1.5}])
def test_a_list_that_came_as_json_has_texts_alone(given: Any) -> None:
    with pytest.raises(ParameterError):
        list_parameters(given)


def test_null_stands_for_a_parameter_that_is_not_given() -> None:
    assert list_parameters({"q": "a", "run": None}) == {"q": "a"}


def test_a_place_comes_back_as_it_was_given() -> None:
    text = place_text(3, (9, 12))
    assert list_request({"after": text}, 10).query.after == (9, 12)
    assert place_text(3, None) is None


@pytest.mark.parametrize("path", [b"", b"a", b"a/b.jpg", b"\xff\x00\xfe", "ünï".encode()])
def test_any_path_passes_through_a_url(path: bytes) -> None:
    assert decoded_key("1", "2", encoded_path(path)) == FileKey(1, 2, path)


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "all",
        [["1"]],
        [["a", 1, "YQ"]],
        [[1, 1, "?"]],
        [[1, 1, "YQ", 2]],
        [7],
        [[1, 1, "YQ"]] * 3,
        [["9" * 40, 1, "YQ"]],
        [[1, -(1 << 63) - 1, "YQ"]],
        [[1, 1, "é"]],
    ],
)
def test_only_lists_of_keys_are_chosen_files(given: Any) -> None:
    with pytest.raises(ParameterError):
        chosen_keys(given, 2)
