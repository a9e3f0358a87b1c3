"""JSON lines on standard output."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import threading
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import Secret
from bulkup.model.items import Result
from bulkup.model.states import FileState
from bulkup.reports.json_lines import JsonLines


def result(**changes: Any) -> Result:
    values: dict[str, Any] = {
        "source": "/data",
        "path": b"a/b.mp4",
        "status": FileState.UPLOADED,
        "size": 3,
        "md5": "0" * 32,
        "remote_id": "id-1",
        "attempts": 1,
        "error": None,
        "checksum": "md5:" + "0" * 32,
    }
    return Result(**(values | changes))


def written(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_result_is_one_line() -> None:
    stream = io.BytesIO()
    JsonLines(stream).result(result(unchanged=True))
    assert written(stream) == [
        {
            "event": "file",
            "path": "a/b.mp4",
            "source": "/data",
            "status": "uploaded",
            "size": 3,
            "md5": "0" * 32,
            "checksum": "md5:" + "0" * 32,
            "remote_id": "id-1",
            "attempts": 1,
            "error": None,
            "unchanged": True,
            "already_there": False,
        }
    ]


NAMES = st.binary(min_size=1, max_size=30)


@given(NAMES, NAMES, st.text(st.characters(), max_size=30))
def test_any_path_and_message_make_valid_json(path: bytes, source: bytes, error: str) -> None:
    stream = io.BytesIO()
    JsonLines(stream).result(result(path=path, source=os.fsdecode(source), error=error))
    (line,) = written(stream)
    for name, exact in (("path", path), ("source", source)):
        coded = line.get(f"{name}_b64")
        assert (line[name].encode() if coded is None else base64.b64decode(coded)) == exact


def test_events_and_summary_keep_their_order_and_hide_secrets() -> None:
    stream = io.BytesIO()
    lines = JsonLines(stream)
    lines.event({"event": "started", "token": Secret("hunter2")})
    lines.summary({"event": "summary"})
    assert written(stream) == [{"event": "started", "token": "***"}, {"event": "summary"}]
    assert not lines.broken


def test_a_closed_pipe_is_stored_and_not_raised() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        lines = JsonLines(stream)
        lines.event({"n": 1})
        lines.event({"n": 2})
        assert lines.broken
        assert isinstance(lines.error, BrokenPipeError)


def test_a_failing_stream_without_a_descriptor_is_handled_too() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    lines = JsonLines(Full())
    lines.event({})
    assert lines.error is not None
    assert lines.error.errno == 28


def test_a_line_is_completed_after_a_partial_write() -> None:
    class Short(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:7])

    stream = Short()
    JsonLines(stream).event({"n": 123_456_789})
    assert written(stream) == [{"n": 123_456_789}]


def test_no_line_overtakes_a_blocked_one() -> None:
    writing, read = threading.Event(), threading.Event()

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            if not writing.is_set():
                writing.set()
                read.wait()
            return super().write(data)

    stream = Full()
    lines = JsonLines(stream)
    long, short = (threading.Thread(target=lines.event, args=({"n": number},)) for number in (1, 2))
    long.start()
    writing.wait()
    short.start()
    short.join(0.2)
    read.set()
    long.join()
    short.join()
    assert written(stream) == [{"n": 1}, {"n": 2}]


def test_a_closed_pipe_does_not_change_the_exit_code() -> None:
    program = (
        "import sys; from bulkup.reports.json_lines import JsonLines\n"
        "lines = JsonLines(sys.stdout.buffer); sys.stdin.read()\n"
        "lines.event({'n': 1}); sys.exit(3 if lines.broken else 4)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stdin.close()
    with child.stderr as stderr:
        assert child.wait(timeout=30) == 3, stderr.read()
        assert stderr.read() == b""
