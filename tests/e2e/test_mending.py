"""From a failed night to a mended one: the commands that find out why files failed, and repair it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from e2e_world import COMMAND, TOKEN, World, environment, run, serving

LATER = ("--exclude", "folder 3/", "--exclude", "folder 5/")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with files, one of which the service does not accept."""
    world = World(tmp_path)
    world.fill(20)
    (world.source / "notes.txt").write_bytes(b"x")
    return world


def failed_night(world: World) -> str:
    """Upload some files, and then others while storage confirms other bytes than were sent.

    Return the port of the service, which is part of the account.
    """
    with serving(world.store) as url:
        world.upload(*world.to(url), *LATER, env=TOKEN).expect(3)
    port = url.rpartition(":")[2]
    with serving(world.store, "--port", port, "--fault", "wrong-etag") as url:
        world.upload(*world.to(url), env=TOKEN).expect(1)
    return port


def test_the_reason_is_found_and_the_files_are_mended(world: World) -> None:
    """`failures` names the reason and the next command; `retry` uploads only those files."""
    port = failed_night(world)
    rows = {row["path"]: row for row in world.manifest()}
    failed = sorted(path for path, row in rows.items() if row["status"] == "failed")
    assert 0 < len(failed) < 20

    said = run("failures", "--journal", str(world.journal)).expect(0).out
    assert f"{len(failed)} files failed: " in said
    assert "1 file rejected" in said
    assert "next:  bulkup retry --journal" in said
    groups = run("failures", "--json", "--journal", str(world.journal)).expect(0).lines
    assert {(group["status"], group["files"]) for group in groups} == {("failed", len(failed)), ("rejected", 1)}

    reason = next(group["reason"] for group in groups if group["status"] == "failed")
    listed = run("failures", "--reason", reason, "--json", "--journal", str(world.journal)).expect(0).lines
    assert [line["path"] for line in listed] == failed
    by_status = run("manifest", "--status", "failed,rejected", "--since", "last", "--journal", str(world.journal))
    assert [line["path"] for line in by_status.expect(0).lines] == sorted([*failed, "notes.txt"])

    with serving(world.store, "--port", port) as url:
        done = run("retry", str(world.source), "--json", *world.to(url), env=TOKEN).expect(0)
        assert done.summary["files"]["uploaded"] == done.summary["files"]["found"] == len(failed)
        again = run("retry", str(world.source), *world.to(url), env=TOKEN).expect(0)
        assert "No file is left to retry" in again.out
        rejected = run("retry", str(world.source), "--retry-rejected", "--json", *world.to(url), env=TOKEN).expect(3)
        assert rejected.summary["files"]["rejected"] == rejected.summary["files"]["found"] == 1
    left = run("failures", "--journal", str(world.journal)).expect(0).out
    assert "failed" not in left.replace("failures", "")


def test_where_a_file_stands(world: World) -> None:
    """By its path on disk, or in its source; with the reason, the run and the next command."""
    failed_night(world)
    row = next(row for row in world.manifest() if row["status"] == "failed")
    path = world.source / row["path"]
    said = run("status", str(path), "--journal", str(world.journal)).expect(0).out
    for text in (
        "status     failed",
        "why        " + row["error"],
        f"{row['attempts']} attempt",
        "as it was recorded",
        "bulkup retry",
    ):
        assert text in said
    path.unlink()
    (line,) = run("status", row["path"], "--json", "--journal", str(world.journal)).expect(0).lines
    assert (line["event"], line["status"], line["on_disk"]) == ("file", "failed", "deleted")
    last = run("runs", "--json", "--journal", str(world.journal)).expect(0).lines
    assert line["run"] == last[0]["run"]
    run("status", str(world.source / "none.mp4"), "--journal", str(world.journal)).expect(2, "has not met the file")


def test_a_run_that_ended_before_any_file_failed(world: World) -> None:
    """`failures` says how the last run ended: without a failed file, the reason is in its log."""
    journal = ("--journal", str(world.journal))
    with serving(world.store) as url:
        world.upload(*world.to(url), "--exclude", "notes.txt", env={"BULKUP_TOKEN": "wrong"}).expect(4)
        said = run("failures", *journal).expect(0).out
        assert said.startswith("No files failed.")
        assert "ended with 4 (the service refused, or cannot be used); 20 files remain" in said
        (ended,) = run("failures", "--json", *journal).expect(0).lines
        assert (ended["event"], ended["exit_code"], ended["remaining"]) == ("last_run", 4, 20)
        assert ended["error"] in said
        assert ended["hint"] in said
        world.upload(*world.to(url), "--exclude", "notes.txt", env=TOKEN).expect(0)
        assert run("failures", "--since", "last", *journal).expect(0).out == "No files failed.\n"


def test_a_file_is_searched_in_all_journals(world: World) -> None:
    run("upload", str(world.source), "--provider", "local").expect(0)
    path = next(path for path in world.source.rglob("*.*") if path.is_file())
    said = run("status", str(path)).expect(0).out
    assert "status     uploaded" in said
    assert "remote id  local/" in said
    run("status", str(world.root / "elsewhere.mp4")).expect(2, "has not met the file")


def test_a_source_that_the_journal_does_not_know(world: World) -> None:
    """A misspelt source must not show the figures of another one."""
    world.upload(*world.local).expect(0)
    for command in ("status", "runs", "manifest", "orphans", "failures", "verify"):
        run(command, "--journal", str(world.journal), str(world.source)).expect(0)
        run(command, "--journal", str(world.journal), str(world.root)).expect(2, "knows no source", str(world.source))
    run("manifest", "--journal", str(world.journal), str(world.root / "none")).expect(2, "knows no source")


def test_a_source_that_is_not_mounted_still_has_its_status(world: World) -> None:
    world.upload(*world.local).expect(0)
    world.source.rename(world.root / "moved")
    assert "uploaded" in run("status", str(world.source), "--journal", str(world.journal)).expect(0).out
    assert "is it mounted?" in run("verify", "--journal", str(world.journal)).expect(3).out


def test_wrong_values(world: World) -> None:
    world.upload(*world.local).expect(0)
    journal = ("--journal", str(world.journal))
    run("manifest", "--status", "done", *journal).expect(2, "--status", "uploaded")
    run("manifest", "--since", "zz", *journal).expect(2, "no run zz")
    run("failures", "--since", "", *journal).expect(2, "no run")
    run("verify", "--local", "--deep", *journal).expect(2, "--deep")
    run("verify", "--deep", *journal).expect(2, "no provider is chosen")
    run("retry", str(world.source), "--provider", "local", "--journal", str(world.root / "no")).expect(2, "no journal")


def test_verify_compares_disk_and_store(world: World) -> None:
    """The exit code says how bad it is. Lines come first, the figures last."""
    world.upload(*world.local).expect(0)
    rows = world.manifest()
    done = run("verify", str(world.source), *world.local).expect(0).out
    assert f"{len(rows)} uploaded files compared: nothing differs." in done
    assert f"service: {len(rows)} same" in done

    (world.source / rows[0]["path"]).unlink()
    found = run("verify", str(world.source), "--json", *world.local).expect(3)
    difference, last = found.lines
    assert (difference["path"], difference["disk"], difference["store"]) == (rows[0]["path"], "deleted", "same")
    assert (last["event"], last["exit_code"], last["differing"], last["lost"]) == ("verified", 3, 1, 0)
    marked_rows = run("manifest", "--on-disk", "--journal", str(world.journal)).expect(0).lines
    assert [row["on_disk"] for row in marked_rows] == ["deleted"] + ["same"] * (len(rows) - 1)

    stored = world.store / "objects" / rows[1]["remote_id"]
    stored.write_bytes(b"?" * stored.stat().st_size)
    run("verify", str(world.source), *world.local).expect(3)
    assert "different at the service" in run("verify", str(world.source), "--deep", *world.local).expect(1).out
    stored.unlink()
    assert "missing at the service" in run("verify", str(world.source), *world.local).expect(1).out
    assert "missing" not in run("verify", "--local", "--journal", str(world.journal)).expect(3).out


def test_without_a_provider_only_the_disk_is_compared(world: World) -> None:
    world.upload(*world.local).expect(0)
    done = run("verify", "--journal", str(world.journal)).expect(0)
    assert "the service was not asked" in done.out


def test_runs_fit_80_columns(world: World) -> None:
    for _ in range(2):
        world.upload(*world.local).expect(0)
    lines = run("runs", "--journal", str(world.journal)).expect(0).out.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines[1:])) <= 80


@pytest.mark.parametrize("command", ["manifest --on-disk", "failures --reason a", "verify --local", "runs"])
def test_a_reader_that_closes_the_pipe(world: World, command: str) -> None:
    """`| head -1` prints no error, and exits with 0."""
    failed_night(world)
    for path in world.source.rglob("*.*"):
        if path.is_file():
            path.unlink()
    arguments = [*COMMAND, *command.split(), "--journal", str(world.journal)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_parquet(world: World) -> None:
    """It is binary, so it goes to a file or a pipe."""
    world.upload(*world.local).expect(0)
    target = world.root / "manifest.parquet"
    run("manifest", "--format", "parquet", "-o", str(target), "--journal", str(world.journal)).expect(0)
    rows = world.manifest()
    assert [row["path"] for row in pq.read_table(target).to_pylist()] == [row["path"] for row in rows]
    piped = subprocess.run(
        [*COMMAND, "manifest", "--format", "parquet", "--journal", str(world.journal)],
        env=environment(),
        capture_output=True,
        check=True,
    )
    assert piped.stdout == target.read_bytes()


def test_a_retry_finds_service_and_journal_as_failures_does(tmp_path: Path) -> None:
    """By the source alone, or without any option if there is one journal."""
    world = World(tmp_path)
    (world.source / "notes.txt").write_bytes(b"no medium")
    env = {**TOKEN, "XDG_STATE_HOME": str(tmp_path / "state")}
    with serving(world.store) as url:
        run("upload", str(world.source), "--provider", "magic-hour", "--base-url", url, env=env).expect(3)
        for named in ([str(world.source)], []):
            assert "notes.txt" in run("failures", *named, "--reason", "", env=env).expect(0).out
            retried = run("retry", *named, "--json", "--retry-rejected", env=env).expect(3)
            assert retried.summary["files"]["rejected"] == 1
    run("retry", str(tmp_path / "other"), env=env).expect(2, "there is no journal")


def test_files_that_a_later_run_skips_are_no_failures(tmp_path: Path) -> None:
    """Until a run rejects them again."""
    world = World(tmp_path)
    (world.source / "a.mp4").write_bytes(b"a")
    (world.source / "notes.txt").write_bytes(b"no medium")
    journal = ("--journal", str(world.journal))

    def failed() -> tuple[int, int, int]:
        listed = run("failures", *journal, "--reason", "", "--json").expect(0).lines
        verified = run("verify", *journal, "--local", "--json").expect(0).lines[-1]
        return len(run("failures", *journal, "--json").expect(0).lines), len(listed), verified["not_uploaded"]

    with serving(world.store) as url:
        for options, code, number in (((), 3, 1), (("--unsupported", "skip"), 0, 0), ((), 3, 1)):
            world.upload(*world.to(url), *options, env=TOKEN).expect(code)
            assert failed() == (number, number, number)
