"""Requests to a run: the valid ones, and the errors of all others."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.api.control.control_messages import Request, parse_request, refusal, request_line
from bulkup.errors import UsageError


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"do": "progress"}', Request("progress")),
        (b'{"do": "watch"}', Request("watch", every=1.0)),
        (b'{"do": "watch", "every": 5}', Request("watch", every=5.0)),
        (b'{"do": "stop", "now": true}', Request("stop", now=True)),
        (b'{"do": "bwlimit", "value": "20M"}', Request("bwlimit", value="20M")),
        (b'{"do": "bwlimit", "value": null}', Request("bwlimit")),
        (b'{"do": "concurrency", "value": 32}', Request("concurrency", value=32)),
        (b'{"do": "concurrency", "value": "auto"}', Request("concurrency", value="auto")),
        (request_line("pause", {}), Request("pause")),
    ],
)
def test_requests(line: bytes, request_: Request) -> None:
    assert parse_request(line) == request_


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\xff\xfe", "expected one JSON object in a line"),
        (b"[" * 3000, "expected one JSON object in a line"),
        (b"[1]", "expected a JSON object"),
        (b"{}", "do: expected progress, .*, not None"),
        (b'{"do": ["pause"]}', "do: expected"),
        (b'{"do": "explode"}', "not 'explode'"),
        (b'{"do": "pause", "value": 1}', "pause has no field 'value'"),
        (b'{"do": "bwlimit"}', "bwlimit needs a value"),
        (b'{"do": "bwlimit", "value": 1.5}', "expected a number or text"),
        (b'{"do": "bwlimit", "value": true}', "expected a number or text"),
        (b'{"do": "concurrency", "value": null}', "expected a number or auto"),
        (b'{"do": "watch", "every": 0}', "every: expected seconds from 0.1 to 3600"),
        (b'{"do": "watch", "every": true}', "every: expected seconds"),
        (b'{"do": "stop", "now": 1}', "now: expected true or false"),
    ],
)
def test_lines_that_are_no_request(line: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_request(line)


@given(st.binary(max_size=200))
def test_any_line_is_a_request_or_a_refusal(line: bytes) -> None:
    with contextlib.suppress(UsageError):
        assert parse_request(line).do


def test_the_answer_to_a_refused_request() -> None:
    assert refusal(UsageError("no", hint="so")) == {"ok": False, "error": "no", "hint": "so"}
    assert refusal(UsageError("no")) == {"ok": False, "error": "no"}
