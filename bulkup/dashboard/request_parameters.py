"""Reads the parameters of requests.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkup.dashboard.file_index import SORTS, IndexQuery
from bulkup.dashboard.run_objects import decoded_key
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.index_rows import FileKey
from bulkup.model.states import NOT_UPLOADED, FileState

_LONGEST_TEXT = 4096
# By the states that users know: `pending` has all states of files on their way.
_SHOWN: Mapping[str, frozenset[FileState]] = {
    "pending": frozenset({FileState.PENDING, FileState.ASKED, FileState.TICKETED, FileState.STORED}),
    **{state.value: frozenset({state}) for state in (FileState.UPLOADED, FileState.UNVERIFIED, *NOT_UPLOADED)},
    "missed": frozenset(NOT_UPLOADED),
}


class ParameterError(ValueError):
    """A parameter that no page sends."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list that is asked for. `group` is state and reason of a group, `run` the id of a run.

    `index` is the number of the index that the list was begun with, None for the first page.
    """

    query: IndexQuery
    group: tuple[FileState, str] | None = None
    run: str | None = None
    index: int | None = None


def list_request(parameters: Mapping[str, Any], most: int) -> ListRequest:
    """Return the list that the parameters of a request describe. Raises `ParameterError`."""
    sort = parameters.get("sort", "path")
    if sort not in SORTS:
        raise ParameterError("sort")
    index, after = _place(parameters.get("after") or "")
    query = IndexQuery(
        text=str(parameters.get("q", ""))[:_LONGEST_TEXT],
        states=_states(parameters.get("state") or ""),
        sort=sort,
        descending=parameters.get("order") == "down",
        after=after,
        limit=min(_number(parameters.get("limit", "50"), "limit"), most),
    )
    return ListRequest(query, _group(parameters), parameters.get("run") or None, index)


def place_text(index: int, after: tuple[int, int] | None) -> str | None:
    """Return the place in a list for the next request."""
    return f"{index}.{after[0]}.{after[1]}" if after is not None else None


def chosen_keys(given: Any, most: int) -> list[FileKey]:
    """Return the keys of the files that a page has chosen. Raises `ParameterError`."""
    if not isinstance(given, list) or not given or len(given) > most:
        raise ParameterError("files")
    try:
        return [decoded_key(*map(str, key)) for key in given]
    except (ValueError, TypeError) as error:
        raise ParameterError("files") from error


def list_parameters(given: Any) -> dict[str, str]:
    """Return the parameters of a list that came as JSON; null stands for one that is not given.

    Raises `ParameterError`.
    """
    if not isinstance(given, dict):
        raise ParameterError("list")
    found = {name: value for name, value in given.items() if value is not None}
    if not all(isinstance(value, str) for value in found.values()):
        raise ParameterError("list")
    return found


def _states(text: str) -> frozenset[FileState]:
    found = frozenset[FileState]()
    for name in filter(None, text.split(",")):
        if name not in _SHOWN:
            raise ParameterError("state")
        found |= _SHOWN[name]
    return found


def _group(parameters: Mapping[str, Any]) -> tuple[FileState, str] | None:
    reason, state = parameters.get("reason"), parameters.get("reason_state", "")
    if not reason:
        return None
    if state not in FileState.__members__.values():
        raise ParameterError("reason_state")
    return FileState(state), str(reason)


def _place(text: str) -> tuple[int | None, tuple[int, int] | None]:
    if not text:
        return None, None
    parts = text.split(".")
    if len(parts) != 3:
        raise ParameterError("after")
    index, rank, number = (_number(part, "after") for part in parts)
    return index, (rank, number)


def _number(text: Any, name: str) -> int:
    try:
        number = int(text)
    except (TypeError, ValueError) as error:
        raise ParameterError(name) from error
    if not 0 <= number < 1 << 63:
        raise ParameterError(name)
    return number
