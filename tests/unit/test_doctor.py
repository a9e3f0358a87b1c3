"""The conclusions of `bulkup doctor` from its findings."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from bulkup.api.doctor import Severity, examine_journal, examine_machine, examine_network, examine_sources
from bulkup.api.doctor.machine import clock_finding, disk_finding
from bulkup.api.doctor.network import certificate_finding
from bulkup.transport.reachability import Reached

GIB, MIB, DAY = 1024**3, 1024**2, 86_400


def test_this_machine_is_in_order() -> None:
    found = {one.subject: one for one in examine_machine()}
    assert list(found) == ["bulkup", "libraries", "extras", "descriptors", "clock"]
    assert "SQLite" in found["libraries"].text


@pytest.mark.parametrize(
    ("free", "severity"), [(2 * GIB, Severity.OK), (500 * MIB, Severity.WARNING), (50 * MIB, Severity.ERROR)]
)
def test_space_for_the_journal(free: int, severity: Severity) -> None:
    assert disk_finding("/var", free).severity is severity


@pytest.mark.parametrize(("now", "severity"), [(0.0, Severity.ERROR), (2_000_000_000.0, Severity.OK)])
def test_a_clock_that_was_never_set(now: float, severity: Severity) -> None:
    assert clock_finding(now).severity is severity


@pytest.mark.parametrize(("days", "severity"), [(3, Severity.WARNING), (90, Severity.OK)])
def test_a_certificate_that_ends_soon(days: int, severity: Severity) -> None:
    found = certificate_finding(Reached("192.0.2.1", 0.02, "TLSv1.3", days * DAY), 0.0)
    assert (found.severity, f"valid for {days} days" in found.text) == (severity, True)


def test_a_journal_that_does_not_exist_yet(tmp_path: Path) -> None:
    found = list(examine_journal(str(tmp_path / "none" / "journal")))
    assert [one.subject for one in found] == ["disk", "journal"]
    assert "does not exist yet" in found[1].text


def test_a_damaged_journal_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"SQLite format 3\x00" + bytes(4080) + b"garbage" * 1000)
    assert list(examine_journal(str(path)))[-1].severity is Severity.ERROR


def test_a_foreign_file_is_an_error(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "journal")
    connection.execute("CREATE TABLE cookies (name)")
    connection.commit()
    connection.close()
    assert list(examine_journal(str(tmp_path / "journal")))[-1].severity is Severity.ERROR


def test_each_source_is_examined(tmp_path: Path) -> None:
    """A file system that is not mounted leaves an empty directory, or none."""
    filled, empty = tmp_path / "filled", tmp_path / "empty"
    filled.mkdir()
    empty.mkdir()
    (filled / "a.mp4").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    names = [filled, filled / "a.mp4", empty, tmp_path / "missing", tmp_path / "pipe"]
    found = list(examine_sources(map(str, names)))
    assert {one.subject for one in found} == {"source"}
    assert [one.severity for one in found] == [
        Severity.OK,
        Severity.OK,
        Severity.WARNING,
        Severity.ERROR,
        Severity.ERROR,
    ]
    assert all(str(name) in one.text for name, one in zip(names, found, strict=True))
    assert "mounted" in found[2].advice
    assert "No such file" in found[3].text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_source_that_this_user_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        (tmp_path / name).chmod(0)
    found = list(examine_sources([str(tmp_path / "file"), str(tmp_path / "folder")]))
    (tmp_path / "folder").chmod(0o700)
    assert [one.severity for one in found] == [Severity.ERROR] * 2


def test_a_service_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = list(examine_network("http://127.0.0.1:9", None, 0.0))
    assert [(one.subject, one.severity) for one in found] == [("proxy", Severity.OK), ("service", Severity.ERROR)]


def test_a_proxy_is_reached_instead_of_the_service_and_keeps_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:hunter2@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    found = list(examine_network("http://service.example", None, 0.0))
    assert [(one.subject, one.severity) for one in found] == [("proxy", Severity.OK), ("proxy", Severity.ERROR)]
    assert "hunter2" not in str(found)
