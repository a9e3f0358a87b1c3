"""The checks of the soak test. Each finds the faults that these tests introduce."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from orjson import dumps

from benchmarks.soaking.disturbances import UPLOADER, Plan
from benchmarks.soaking.scenario import Figures, Scenario
from benchmarks.soaking.secrecy import Secrecy
from benchmarks.soaking.verdict import lines
from benchmarks.soaking.verification import Findings, Ids, Ledger, ids_in, rows_in, verify
from benchmarks.soaking.watching import Trend, Watch, trend
from bulkup.journal.journal import INTERRUPTED_CALL
from bulkup.model.journal_rows import OrphanRow
from bulkup.reports.tables import orphan_json

TOKEN = "0123456789abcdef0123/+&fedcba9876543210fedc"
SIGNATURE = "ab12cd34" * 8
PATHS = ("one.mp4", "two.mp4")
GROUPED = "98fe76dc" * 8
CHECKSUM = b"\xff\x00\xfe\x80"
URL = f"https://host/key?X-Amz-Expires=30&X-Amz-Signature={SIGNATURE}"
GROUPED_URL = URL.replace(SIGNATURE, GROUPED)


class Stored:
    """A small tree, its objects and its manifest, all correct until a test breaks something."""

    def __init__(self, root: Path) -> None:
        self.tree, self.objects = root / "tree", root / "objects"
        self.rows: list[dict[str, Any]] = []
        for folder in (self.tree, self.objects):
            folder.mkdir()
        for path in PATHS:
            (self.tree / path).write_bytes(path.encode())
            (self.objects / f"id-{path}").write_bytes(path.encode())
            md5 = hashlib.md5(path.encode()).hexdigest()
            self.rows.append({"path": path, "status": "uploaded", "md5": md5, "remote_id": f"id-{path}"})

    def findings(self) -> tuple[int, int, int]:
        """Return the numbers of lost, wrong and repeated files."""
        found = Findings()
        assert verify(str(self.tree), self.rows, lambda row: str(self.objects / row["remote_id"]), found) == len(PATHS)
        assert len(found.examples) == found.lost + found.wrong + found.twice
        return found.lost, found.wrong, found.twice


BROKEN: dict[str, tuple[Callable[[Stored], Any], tuple[int, int, int]]] = {
    "nothing": (lambda at: None, (0, 0, 0)),
    "an object is gone": (lambda at: (at.objects / "id-one.mp4").unlink(), (1, 0, 0)),
    "an object is corrupt": (lambda at: (at.objects / "id-one.mp4").write_bytes(b"one.mp5"), (0, 1, 0)),
    "a row is dropped": (lambda at: at.rows.pop(), (1, 0, 0)),
    "a row is not uploaded": (lambda at: at.rows[0].update(status="failed"), (1, 0, 0)),
    "a row is double": (lambda at: at.rows.append(dict(at.rows[0])), (0, 0, 1)),
    "a row has another digest": (lambda at: at.rows[0].update(md5="0" * 32), (0, 1, 0)),
    "two rows have one object": (lambda at: at.rows[0].update(remote_id="id-two.mp4"), (0, 1, 0)),
    "a row has no file": (lambda at: at.rows.append({**at.rows[0], "path": "three.mp4"}), (0, 1, 0)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_proof_finds_what_is_broken(tmp_path: Path, what: str) -> None:
    stored = Stored(tmp_path)
    break_it, found = BROKEN[what]
    break_it(stored)
    assert stored.findings() == found


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ({"one.mp4": "a", "two.mp4": "b"}, (0, 0)),
        ({"two.mp4": "b"}, (1, 0)),
        ({"one.mp4": "another", "two.mp4": "b"}, (0, 1)),
    ],
)
def test_what_was_recorded_stays_recorded(recorded: dict[str, str], found: tuple[int, int]) -> None:
    findings = Findings()
    ledger = Ledger("journal", findings)
    ledger.compare({"one.mp4": "a"})
    ledger.compare(recorded)
    assert (findings.lost, findings.twice) == found


def told(path: str, **changed: Any) -> bytes:
    return json.dumps({"event": "file", "path": path, "status": "uploaded", "unchanged": False, **changed}).encode()


def test_what_a_run_printed_is_held_against_the_journal() -> None:
    findings = Findings()
    ledger = Ledger("journal", findings)
    ledger.compare({"one.mp4": "a"})
    ledger.add_reported([told("one.mp4") + b"\n", told("gone.mp4", status="failed") + b"\n", told("cut.mp4")[:40]])
    assert (findings.lost, findings.twice) == (0, 0)
    ledger.add_reported([told("one.mp4", unchanged=True) + b"\n", told("lost.mp4") + b"\n", told("one.mp4") + b"\n"])
    assert (findings.lost, findings.twice) == (1, 1)


@pytest.fixture
def secrecy(tmp_path: Path) -> Secrecy:
    """Return a search that knows several secrets, one of them a signature read from a journal."""
    journal = tmp_path / "journal.sqlite3"
    connection = sqlite3.connect(journal)
    connection.execute("CREATE TABLE tickets (ticket TEXT)")
    connection.execute("INSERT INTO tickets VALUES (?)", (json.dumps({"url": URL}),))
    connection.execute("CREATE TABLE presign_groups (tickets BLOB)")
    connection.execute("INSERT INTO presign_groups VALUES (NULL), (?)", (dumps([{"url": GROUPED_URL}]) + CHECKSUM,))
    connection.commit()
    connection.close()
    found = Secrecy(str(journal), [TOKEN])
    found.look()
    assert found.signatures == 2
    return found


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("nothing of it", 0),
        ("X-Amz-Signature=***", 0),
        ("0123456789abcdef0000 is another one", 1),  # the same start is enough for a find
        (f"Bearer {TOKEN}", 1),
        (quote(TOKEN, safe=""), 1),
        (f"\\n{TOKEN[23:]}", 1),
        (TOKEN[:14], 1),
        (SIGNATURE, 1),
        (GROUPED, 1),
        (f"key%3FX-Amz-Expires%3D30%26X-Amz-Date%3D{SIGNATURE}", 1),
        ("X-Amz-Signature=one+that+was+never+seen", 1),
        ("signature\\u003done+that+was+never+seen", 1),
        (f"{URL} {TOKEN}", 3),
    ],
)
def test_secrets_are_found_however_they_are_written(tmp_path: Path, secrecy: Secrecy, text: str, finds: int) -> None:
    (tmp_path / "out").write_text(f"a line\n{text}\nanother\n")
    secrecy.search(str(tmp_path / "out"), str(tmp_path / "missing"))
    assert len(secrecy.found) == finds
    assert not any(TOKEN in line or SIGNATURE in line for line in secrecy.found)


def test_a_secret_across_two_blocks_is_found(tmp_path: Path, secrecy: Secrecy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soaking.secrecy._AT_ONCE", 100)
    (tmp_path / "out").write_text("." * 70 + SIGNATURE)
    secrecy.search(str(tmp_path / "out"))
    assert secrecy.found == ["out: a signature"]


def test_ids_are_counted_as_the_command_prints_them() -> None:
    ids = [("a", 1, "its ticket could not be used", None), ("b", 1, "its file was uploaded again", "c")]
    unknown = [(None, 7, INTERRUPTED_CALL, None), (None, 9, INTERRUPTED_CALL, None), (None, 50, "a 502", None)]
    orphans = [
        OrphanRow(remote_id, count, "local", None, None, reason, 0.0, "r", newer)
        for remote_id, count, reason, newer in ids + unknown
    ]
    printed = [json.dumps(orphan_json(orphan)).encode() for orphan in orphans]
    printed += [b'{"event": "journal.migrated"}', b"text"]
    assert ids_in(rows_in(printed), ["c"]) == Ids({"a", "b", "c"}, unused=1, unknown=66, after_kill=9)


GOOD = {"puts_completed": 1050, "puts_failed": 200, "wrong-etag": 30, "expired-url": 20}
FLAT = Trend(50.0, 51.0, 60.0, 1000)


def figures(**changed: Any) -> Figures:
    trends = {"uploader": (FLAT, FLAT), "server": (FLAT, FLAT)}
    plain: dict[str, Any] = {"files": 1000, "kills": 1, "finished": True, "orphans": 25, "signatures": 5}
    plain |= {"unknown": 300, "after_kill": 200, "most_asked": 100}
    return Figures(**{**plain, "server": GOOD, "trends": trends, **changed})


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "a file": ({"findings": Findings(lost=1)}, ["files lost"]),
    "bytes": ({"findings": Findings(wrong=1)}, ["files recorded wrongly"]),
    "a row": ({"findings": Findings(twice=1)}, ["files recorded twice"]),
    "a secret": ({"secrets": ["out: a signature"]}, ["secrets found"]),
    "the search": ({"signatures": 0}, ["signatures looked for"]),
    "the run": ({"finished": False}, ["the last run ended with"]),
    "a kill": ({"kills": 0}, ["kills of the uploader"]),
    "the program": ({"unexpected": ["run1 ended with 7"]}, ["runs with an unexpected exit code"]),
    "a PUT": ({"beyond": 1}, ["PUTs sent again"]),
    "an id": ({"unnamed": 1}, ["remote ids that no row accounts for"]),
    "calls of a kill": ({"after_kill": 201}, ["ids that may exist"]),
    "attempts": ({"server": {**GOOD, "puts_failed": 600}}, ["PUT attempts a file"]),
    "memory": ({"trends": {"server": (Trend(50.0, 70.0, 70.0, 1000), FLAT)}}, ["memory of the server, MiB"]),
    "descriptors": ({"trends": {"server": (FLAT, Trend(20.0, 50.0, 50.0, 1000))}}, ["descriptors of the server"]),
    "too short to tell": ({"trends": {"server": (Trend(5.0, 70.0, 70.0, 50), FLAT)}}, []),
}


@pytest.mark.parametrize("what", BAD)
def test_the_verdict_names_what_did_not_hold(what: str) -> None:
    changed, names = BAD[what]
    scenario = Scenario("kills", files=1000, kills=1, restarts=0, share=0.2)
    assert [line.name for line in lines(scenario, figures(**changed)) if line.met is False] == names


def test_urls_that_run_out_count_where_nothing_was_killed() -> None:
    scenario = Scenario("large", files=1000, kills=0, restarts=0, share=0.2)
    assert all(line.met is not False for line in lines(scenario, figures(kills=0)))
    (held,) = [line for line in lines(scenario, figures(kills=0, orphans=40)) if line.met is False]
    assert held.name == "URLs that expired unused"


def test_a_trend_is_that_of_its_first_and_last_tenth() -> None:
    assert trend([1.0] * 100 + [9.0] * 800 + [2.0] * 100) == Trend(1.0, 2.0, 9.0, 1000)
    assert trend([]).within(1.0) is None


def test_a_watch_that_fails_is_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soaking.watching.EVERY", 0.001)

    def failing() -> None:
        raise ZeroDivisionError

    watch = Watch(failing)
    with pytest.raises(ZeroDivisionError), watch:
        watch._thread.join()


@pytest.mark.parametrize("seed", range(20))
def test_the_files_last_until_the_last_disturbance(seed: int) -> None:
    plan, files, seen = Plan(200, 10, seed), 50_000, []
    while (disturbance := plan.next(files)) is not None:
        assert disturbance.after_files < files
        files -= disturbance.after_files
        seen.append(disturbance.kind)
    assert len([what for what in seen if what in UPLOADER]) == 200
    assert len(seen) == 210
    assert files < 25_000
