"""The progress as JSON, and back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from made_progress import COUNTING, HALF, progress

from bulkup.api.control.progress_message import progress_object, progress_of
from bulkup.model.progress import Progress, SendingFile
from bulkup.reports.json_text import dumps

ODD = progress(state="paused", sending=(SendingFile("/data", b"\xff\x1b[2J<b>.mp4", 1, 0, 0.5),))


@pytest.mark.parametrize("value", [HALF, COUNTING, ODD])
def test_the_progress_survives_the_way_through_json(value: Progress) -> None:
    """Also the exact bytes of a name that is not UTF-8."""
    found = json.loads(dumps(progress_object(value)))
    assert progress_of({**found, "pid": 1}) == value
    assert {field.name for field in dataclasses.fields(Progress)} == found.keys()


@pytest.mark.parametrize("found", [{}, {"run": "r"}, {**progress_object(HALF), "sending": [{"path": 1}]}])
def test_an_object_that_is_no_progress(found: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the progress of a run"):
        progress_of(found)
