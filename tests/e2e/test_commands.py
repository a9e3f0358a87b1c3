"""All commands except long uploads: their output, and the files that they must not touch."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from e2e_world import COMMAND, TOKEN, World, ended, environment, md5, puts, run, serving, started


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(8)
    return world


@pytest.fixture
def uploaded(world: World) -> World:
    """Upload the files to the default journal."""
    run("upload", str(world.source), "--provider", "local").expect(0)
    return world


COMMANDS = (
    *(
        "upload",
        "status",
        "failures",
        "report",
        "dashboard",
        "runs",
        "manifest",
        "verify",
        "retry",
        "orphans",
        "serve",
        "demo",
        "bench",
    ),
    *("config", "config show", "config check", "provider", "provider new", "provider try"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command: str) -> None:
    """`-h` prints the help, with status 0."""
    assert f"bulkup {command} [OPTIONS]" in run(*command.split(), "-h").expect(0).out


def test_help_of_all_commands() -> None:
    """`bulkup`, `bulkup -h` and `bulkup --help` list the commands. Without a command the exit code is still 2."""
    said = run("--help").expect(0).out
    assert all(command.split()[0] in said for command in COMMANDS)
    assert said.strip() == run("-h").expect(0).out.strip() == run().expect(2).out.strip()


def test_the_version_and_a_misspelt_command() -> None:
    """The version is one line. For a misspelt command the most similar one is suggested."""
    assert run("--version").expect(0).out.startswith("bulkup ")
    assert run("uplod").expect(2, "upload").out == ""


def test_a_dry_run_writes_and_calls_nothing(world: World) -> None:
    """It lists the files that a run would upload. There is no call, no journal and no store."""
    (world.source / "notes.docx").write_bytes(b"x")
    with serving(world.store) as url:
        before = sorted(world.root.iterdir())
        done = run("upload", str(world.source), "--dry-run", *world.to(url), env=TOKEN).expect(0)
        lines = world.upload("--dry-run", *world.to(url), env=TOKEN).expect(0).lines
        assert puts(url) == 0
    assert sorted(world.root.iterdir()) == before
    assert "Nothing was sent or written" in done.out
    assert lines[-1] == {"event": "dry-run", "files": {"upload": 8, "rejected": 1}, "bytes": lines[-1]["bytes"]}
    world.upload("--dry-run", *world.local).expect(0)
    assert not world.journal.exists()


def test_status_and_runs(uploaded: World) -> None:
    """Both print text or JSON. They find the journal by its source and provider."""
    for selector in ([], [str(uploaded.source)], ["--provider", "local"]):
        assert "uploaded" in run("status", *selector).expect(0).out
    (line,) = run("status", "--json").expect(0).lines
    assert line["files"] == {"uploaded": 8}
    assert line["running"] is False
    (ran,) = run("runs", "--json").expect(0).lines
    assert (ran["exit_code"], ran["summary"]["files"]["uploaded"]) == (0, 8)
    assert ran["run"][:8] in run("runs").expect(0).out
    assert "No orphans." in run("orphans").expect(0).out
    assert run("orphans", "--json").expect(0).out == ""


def test_reading_without_a_journal(tmp_path: Path) -> None:
    """The commands say that there is no journal yet, and how to start."""
    for command in ("status", "runs", "manifest", "orphans"):
        run(command).expect(2, "there is no journal", "bulkup upload")
    done = run("status", "--json", "--journal", str(tmp_path / "none")).expect(7, "there is no journal")
    assert done.lines[-1]["exit_code"] == 7
    assert not (tmp_path / "none").exists()


def test_several_journals(uploaded: World, tmp_path: Path) -> None:
    """The message names the journals, so that the user can choose one."""
    other = tmp_path / "other"
    other.mkdir()
    run("upload", str(other), "--provider", "local").expect(0)
    assert run("status").expect(2, "several journals").err.count("--journal ") == 2
    run("status", str(other)).expect(0)


def test_the_manifest_in_both_forms(uploaded: World) -> None:
    """JSON lines and CSV have the same content, on standard output and in a file."""
    rows = run("manifest").expect(0).lines
    text = run("manifest", "--format", "csv").expect(0).out
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["path"] for row in table] == [row["path"] for row in rows]
    for row, line in zip(rows, table, strict=True):
        assert row["md5"] == line["md5"] == md5(uploaded.source / row["path"])
    run("manifest", "-o", str(uploaded.root / "out.jsonl")).expect(0)
    assert [json.loads(line) for line in (uploaded.root / "out.jsonl").read_text().splitlines()] == rows
    run("manifest", "--format", "xml").expect(2, "xml")
    run("manifest", "-o", str(uploaded.root / "no" / "out")).expect(7, "cannot write")


def test_a_reader_that_closes_the_pipe(uploaded: World) -> None:
    """`bulkup manifest | head -1` prints no error, and exits with 0."""
    dry_run = ["upload", str(uploaded.source), "--provider", "local", "--dry-run"]
    for command in (["manifest"], ["manifest", "--format", "csv"], ["runs"], ["status", "--json"], dry_run):
        with started(*command) as process:
            assert process.stdout is not None
            process.stdout.close()
            process.stdout = None
            _, err = process.communicate()
        assert (process.returncode, err) == (0, b"")


def test_a_full_disk_behind_the_manifest(uploaded: World) -> None:
    """A failed write is reported."""
    with open("/dev/full", "wb") as full, started("manifest", stdout=full) as process:
        _, err = process.communicate()
    assert (process.returncode, b"No space left" in err) == (7, True)
    assert b"Traceback" not in err


def test_orphans_of_a_call_that_was_cut_off(world: World) -> None:
    """An API call without an answer may have created ids. They are counted and listed."""
    with serving(world.store, "--fault", "short-answer,first=1") as url:
        world.upload(*world.to(url), env=TOKEN).expect(0)
    (line,) = run("orphans", "--json", "--journal", str(world.journal)).expect(0).lines
    assert (line["remote_id"], line["count"]) == (None, 8)
    assert "up to 8 unknown ids" in run("orphans", "--journal", str(world.journal)).expect(0).out


def test_config_show_and_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`show` prints values with their origins and masks secrets. `check` exits with 2 for invalid profiles."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bulkup.toml").write_text('[profiles.n]\nprovider = "magic-hour"\ntoken = "hunter2"\n')
    done = run("config", "show", "--profile", "n", "--json").expect(0, "token is written out")
    assert done.lines[0]["settings"]["provider"]["value"] == "magic-hour"
    assert "hunter2" not in done.out + done.err
    assert "1 profile is fine" in run("config", "check").expect(0).out
    (tmp_path / "bulkup.toml").write_text('[profiles.n]\nprovidr = "local"\n')
    run("config", "check").expect(2, "bulkup.toml:2", 'did you mean "provider"')


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('log_file = "{root}/none/b.log"', "log_file: cannot write"),
        ('log_file = "{root}"', "Is a directory"),
        ('metrics_file = "{root}/none/b.prom"', "metrics_file: cannot write into"),
        ('report = "{root}/media/{{run}}.html"', "is inside the source"),
        ("report = {{}}", "report needs path"),
    ],
)
def test_check_examines_the_files_that_a_run_writes(tmp_path: Path, line: str, complaint: str) -> None:
    """Otherwise the first night would find out."""
    (tmp_path / "media").mkdir()
    profile = f'[profiles.n]\nprovider = "local"\nsource = "{tmp_path}/media"\n' + line.format(root=tmp_path)
    (tmp_path / "b.toml").write_text(profile)
    run("config", "check", "--config", str(tmp_path / "b.toml")).expect(2, complaint)
    assert not (tmp_path / "none").exists()


def test_serve_prints_exactly_one_line(tmp_path: Path) -> None:
    """It prints one JSON line once it listens, and nothing more."""
    with started("serve", "--store", str(tmp_path / "store")) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert (line["event"], line["pid"]) == ("listening", process.pid)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_quiet_says_nothing_when_all_is_well(world: World) -> None:
    """There is neither progress nor a summary. With `--json` only the JSON lines are printed."""
    done = run("upload", str(world.source), *world.local, "--quiet").expect(0)
    assert done.out + done.err == ""
    lines = world.upload(*world.local, "--quiet").expect(0)
    assert (lines.summary["files"]["skipped"], lines.err) == (8, "")


def test_progress_on_a_terminal(world: World) -> None:
    """A terminal as standard error gets the live display, also with `--json`, and its cursor back."""
    master, slave = pty.openpty()
    command = [*COMMAND, "upload", str(world.source), "--json", *world.local]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment({"TERM": "xterm"})) as process:
        os.close(slave)
        out, _ = process.communicate(timeout=60)
    shown = os.read(master, 1 << 20).decode()
    os.close(master)
    assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "summary"
    assert "8 of 8 files" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_an_unexpected_fault_is_one_line(world: World) -> None:
    """A bug of the program is reported in one line. The traceback is printed on request only."""
    broken = world.root / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import bulkup.api.uploader as u\n"
        "async def begin(*a, **k): raise LookupError('a bug')\n"
        "u.Journal.begin_run = begin\n"
    )
    env = {"PYTHONPATH": str(broken)}
    done = world.upload(*world.local, env=env).expect(7, "unexpected error: LookupError: a bug", "LOG_LEVEL=debug")
    assert done.lines[-1]["exit_code"] == 7
    told = world.upload(*world.local, "--log-level", "debug", env=env)
    assert (told.code, "Traceback" in told.err) == (7, True)
