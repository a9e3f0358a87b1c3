"""The manifest in both formats."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState
from bulkup.reports.manifest import CSV_FIELDS, FIELDS, write_manifest

NASTY = st.sampled_from(
    [
        b"a\nb",
        b'"q",',
        b"=1+1",
        b"'=1",
        b"''@x",
        b"'plain'",
        b"-",
        b"\t",
        b"\n",
        b"\r\n",
        b"+\xff",
        "Zoë.mp4".encode(),
        b"\xff\xfe",
    ]
)
NAMES = st.binary(min_size=1, max_size=30).map(lambda name: name.replace(b"\0", b"0")) | NASTY
WORDS = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30)
TEXTS = st.none() | WORDS | st.just("=cmd|' /C calc'!A0")
TIMES = st.none() | st.floats(0, 4e9)


@st.composite
def rows(draw: st.DrawFn) -> ManifestRow:
    return ManifestRow(
        path=draw(NAMES),
        source=b"/" + draw(NAMES),
        size=draw(st.integers(0, 2**63)),
        md5=draw(st.none() | st.just("ab" * 16)),
        status=draw(st.sampled_from(FileState)),
        provider="magic-hour",
        remote_id=draw(TEXTS),
        remote=draw(st.dictionaries(st.text(max_size=5), TEXTS | st.integers(0, 9), max_size=3)),
        etag=draw(TEXTS),
        attempts=draw(st.integers(0, 99)),
        error=draw(TEXTS),
        uploaded_at=draw(TIMES),
        kept_until=draw(TIMES),
    )


def plain_row(**changes: Any) -> ManifestRow:
    values: dict[str, Any] = {
        "path": b"a.mp4",
        "source": b"/data",
        "size": 3,
        "md5": None,
        "status": FileState.UPLOADED,
        "provider": "local",
        "remote_id": "id",
        "remote": {},
        "etag": None,
        "attempts": 1,
        "error": None,
        "uploaded_at": 0.5,
        "kept_until": None,
    }
    return ManifestRow(**(values | changes))


def jsonl(rows: list[ManifestRow]) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    assert write_manifest(rows, stream, "jsonl") == len(rows)
    return [orjson.loads(line) for line in stream.getvalue().split(b"\n")[:-1]]


def as_csv(rows: list[ManifestRow]) -> list[dict[str, str]]:
    stream = io.BytesIO()
    assert write_manifest(rows, stream, "csv") == len(rows)
    return list(csv.DictReader(io.StringIO(stream.getvalue().decode("utf-8"), newline="")))


def unguarded(cell: str) -> str:
    """Return the original text of a cell, by the rule in the module's docstring."""
    return cell[1:] if re.match(r"'+[=+\-@\t\r\n]", cell) else cell


def exact(line: dict[str, Any], name: str) -> bytes:
    coded = line.get(f"{name}_b64")
    return base64.b64decode(coded) if coded else line[name].encode("utf-8")


def clean(text: str | None) -> str | None:
    return None if text is None else re.sub("[\ud800-\udfff]", "\ufffd", text)


@pytest.mark.unmeasured
@given(st.lists(rows(), max_size=4))
def test_every_row_can_be_read_from_json_lines(given_rows: list[ManifestRow]) -> None:
    lines = jsonl(given_rows)
    for row, line in zip(given_rows, lines, strict=True):
        assert tuple(line)[: len(FIELDS)] == FIELDS
        assert (exact(line, "path"), exact(line, "source")) == (row.path, row.source)
        assert (line["size"], line["md5"], line["attempts"]) == (row.size, row.md5, row.attempts)
        assert (line["etag"], line["error"]) == (clean(row.etag), clean(row.error))
        values = {k: clean(v) if isinstance(v, str) else v for k, v in row.remote.items()}
        assert line["remote"] == {clean(k): v for k, v in values.items()}


@pytest.mark.unmeasured
@given(st.lists(rows(), max_size=4))
def test_every_row_can_be_read_from_csv(given_rows: list[ManifestRow]) -> None:
    lines = [{name: unguarded(cell) for name, cell in line.items()} for line in as_csv(given_rows)]
    for row, line, from_json in zip(given_rows, lines, jsonl(given_rows), strict=True):
        assert tuple(line) == CSV_FIELDS
        assert (exact(line, "path"), exact(line, "source")) == (row.path, row.source)
        assert orjson.loads(line["remote"]) == from_json["remote"]
        for name in set(FIELDS) - {"remote"}:
            assert line[name] == ("" if from_json[name] is None else str(from_json[name]))


@pytest.mark.unmeasured
@given(st.lists(rows(), max_size=4))
def test_no_csv_cell_is_a_formula(given_rows: list[ManifestRow]) -> None:
    for line in as_csv(given_rows):
        assert not any(cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} for cell in line.values() if cell)


def test_csv_is_rfc_4180() -> None:
    stream = io.BytesIO()
    write_manifest([plain_row(path=b'a "b",\nc', remote={"k": "v"})], stream, "csv")
    header, rest = stream.getvalue().decode().split("\r\n", 1)
    assert header == ",".join(CSV_FIELDS)
    remote = '"{""k"":""v""}"'
    time = "1970-01-01T00:00:00.500Z"
    assert rest == f'"a ""b"",\nc",/data,3,,uploaded,local,id,{remote},,1,,{time},,,,\r\n'


@pytest.mark.parametrize("state", list(FileState))
def test_states_and_ids_are_the_public_ones(state: FileState) -> None:
    (line,) = jsonl([plain_row(status=state)])
    public = {"uploaded", "unverified", "failed", "rejected", "changed", "unreadable", "pending"}
    assert line["status"] in public
    assert line["remote_id"] == ("id" if line["status"] in {"uploaded", "unverified"} else None)


def test_exact_bytes_are_added_only_for_paths_that_are_not_utf8() -> None:
    (fine, broken) = jsonl([plain_row(), plain_row(path=b"\xff", source=b"/\xfe")])
    assert tuple(fine) == FIELDS
    assert (broken["path"], broken["source"]) == ("\ufffd", "/\ufffd")
    assert tuple(broken)[-2:] == ("path_b64", "source_b64")


@pytest.mark.parametrize("fmt", ["jsonl", "csv"])
def test_rows_are_written_one_by_one(fmt: Literal["jsonl", "csv"]) -> None:
    stream = io.BytesIO()
    sizes = []

    def coming() -> Iterator[ManifestRow]:
        for _ in range(3):
            sizes.append(len(stream.getvalue()))
            yield plain_row()

    write_manifest(coming(), stream, fmt)
    assert sizes[0] < sizes[1] < sizes[2] < len(stream.getvalue())
    assert not stream.closed
