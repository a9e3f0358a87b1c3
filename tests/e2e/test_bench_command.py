"""`bulkup bench`, as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from e2e_world import COMMAND, TIMEOUT, TOKEN, Ended, ended, environment, run, serving, started
from secret_search import found_in, made_up

SMALL = ("--files", "20", "--size", "1k", "--concurrency", "2,4", "--batch-size", "10")


def bench(folder: Path, *options: str, **env: str) -> Ended:
    """Run a small bench in a folder of its own, with a separate folder for temporary files."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return run("bench", *SMALL, *options, env={"TMPDIR": str(temporary), **env}, cwd=folder)


def left(folder: Path) -> list[str]:
    """Return the files that are left in both folders."""
    return sorted(path.name for path in (*folder.iterdir(), *(folder / "tmp").iterdir()) if path.name != "tmp")


def test_out_of_the_box(tmp_path: Path) -> None:
    """The embedded server needs no account and no consent. Nothing is left behind, and no journal is used."""
    done = bench(tmp_path, "--provider", "local").expect(0, "All files are deleted afterwards", "trial 2 of at most 3")
    assert "Best: " in done.out
    assert "Limited by " in done.out
    assert left(tmp_path) == []
    run("status").expect(2, "there is no journal")


def test_a_service(tmp_path: Path) -> None:
    """The output is one document. Each created id is in the manifest, and no secret is shown at any log level."""
    (tmp_path / "mine.mp4").write_bytes(bytes(2000))
    token = made_up()
    with serving(tmp_path / "tmp" / "store", "--token", token, "--fault", "status-503=0.05") as url:
        to = ("--provider", "magic-hour", "--base-url", url, "--source", str(tmp_path / "mine.mp4"), "--json")
        done = bench(tmp_path, *to, "--yes", "--manifest", "ids.jsonl", "--log-level", "debug", BULKUP_TOKEN=token)
        done.expect(0, "remain at the service", "ids.jsonl")
    assert found_in(done.out + done.err + (tmp_path / "ids.jsonl").read_text(), [token]) == []
    assert "X-Amz-Signature=" not in done.out + done.err
    (said,) = done.lines
    assert (said["event"], said["exit_code"], said["provider"]) == ("bench", 0, "magic-hour")
    assert [(trial["concurrency"], trial["files"]) for trial in said["trials"]] == [(2, 20), (4, 20)]
    assert said["disk"]["bytes"] == 2000
    rows = [json.loads(line) for line in (tmp_path / "ids.jsonl").read_text().splitlines()]
    assert said["created"] == {"ids": 48, "unused": 0, "unknown": 0, "manifest": "ids.jsonl"}
    objects = tmp_path / "tmp" / "store" / "objects"
    stored = {str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file()}
    assert {row["remote_id"] for row in rows} == stored
    assert left(tmp_path) == ["ids.jsonl", "mine.mp4", "store"]


@pytest.mark.parametrize(("answer", "code"), [(b"\x03", 130), (b"y\n", 4)])
def test_the_question(tmp_path: Path, answer: bytes, code: int) -> None:
    """The command asks at the terminal. With consent it starts, and finds that the service does not exist."""
    asked = ["bench", *SMALL, "--provider", "magic-hour", "--base-url", "http://127.0.0.1:9"]
    given, said = at_a_terminal(asked, answer, tmp_path)
    assert given == code, said
    assert "remain at the service" in said.partition("Continue? [y/N]")[0]
    assert ("cannot connect" in said) is (code == 4)
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def at_a_terminal(arguments: list[str], answer: bytes, folder: Path) -> tuple[int, str]:
    """Run a command at a terminal, answer its question, and return the exit code and the output."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(COMMAND[0], [*COMMAND, *arguments], environment(TOKEN))
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, answer)
        while block := os.read(terminal, 4096):
            said += block
    except OSError:  # the other end of the terminal is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.decode()


@pytest.mark.slow
def test_credentials_that_are_refused(tmp_path: Path) -> None:
    """The command ends like an upload, and nothing was created."""
    with serving(tmp_path / "tmp" / "store") as url:
        to = ("--provider", "magic-hour", "--base-url", url, "--yes", "--json")
        done = bench(tmp_path, *to, BULKUP_TOKEN="wrong").expect(4, "401", "run it again")
    assert [line["event"] for line in done.lines] == ["error"]
    assert left(tmp_path) == ["store"]


def test_a_bench_that_is_interrupted(tmp_path: Path) -> None:
    """It shows the results so far and the created ids, and removes its generated files."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with serving(tmp_path / "store") as url:
        many = ("--files", "20", "--size", "1k", "--concurrency", ",".join(map(str, range(1, 500))), "--yes", "--json")
        to = ("--provider", "magic-hour", "--base-url", url, "--manifest", str(tmp_path / "ids"))
        with started("bench", *many, *to, env={**TOKEN, "TMPDIR": str(temporary)}) as process:
            assert process.stderr is not None
            while b"trial 3" not in (line := process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGINT)
            done = ended(process).expect(130)
    (said,) = done.lines
    assert (said["event"], said["exit_code"]) == ("bench", 130)
    assert len(said["trials"]) >= 2
    assert said["best"] is not None
    created = said["created"]
    assert len((tmp_path / "ids").read_text().splitlines()) >= created["ids"] >= 48
    assert list(temporary.iterdir()) == []


def test_a_bench_that_is_killed(tmp_path: Path) -> None:
    """Its list has the ids so far. The next bench completes the list, and removes the folder with the signatures."""
    temporary = tmp_path / "tmp"
    with serving(tmp_path / "store") as url:
        to = ("--provider", "magic-hour", "--base-url", url, "--yes", "--manifest", str(tmp_path / "ids"))
        many = ("--files", "20", "--size", "1k", "--concurrency", ",".join(map(str, range(1, 500))))
        temporary.mkdir()
        with started("bench", *many, *to, env={**TOKEN, "TMPDIR": str(temporary)}) as process:
            assert process.stderr is not None
            while b"trial 3" not in (line := process.stderr.readline()):
                assert line
            (folder,) = temporary.iterdir()
            process.kill()
            ended(process)
        so_far = remote_ids(tmp_path / "ids")
        assert len(so_far) >= 48
        listed = run("manifest", "--journal", str(folder / "journal.sqlite3")).expect(0).lines
        done = bench(tmp_path, "--provider", "local").expect(0, "the folder of a bench that was killed", str(folder))
    assert "kept" not in done.err
    assert remote_ids(tmp_path / "ids") >= so_far | {row["remote_id"] for row in listed} - {None}
    assert list(temporary.iterdir()) == []


def remote_ids(path: Path) -> set[str]:
    return {json.loads(line)["remote_id"] for line in path.read_text().splitlines()}


@pytest.mark.slow
def test_a_full_disk_behind_the_report(tmp_path: Path) -> None:
    """A full disk is an error. A closed pipe is not."""
    command = ("bench", *SMALL, "--provider", "local")
    with open("/dev/full", "wb") as full, started(*command, stdout=full) as process:
        _, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, b"No space left" in err, b"Traceback" in err) == (7, True, False)


@pytest.mark.slow
def test_a_profile(tmp_path: Path) -> None:
    """The profile's service and account are used. A missing source of the profile is only mentioned."""
    with serving(tmp_path / "tmp" / "store") as url:
        (tmp_path / "bulkup.toml").write_text(
            f'[profiles.p]\nprovider = "magic-hour"\nbase_url = "{url}"\nsource = "gone"\ntoken = "env:KEY"\n'
            'include = ["*.none"]\nconcurrency = 3\n'
        )
        done = bench(tmp_path, "--profile", "p", "--yes", "--json", KEY="local-token")
        done.expect(0, "the disk is not measured", "gone")
    (said,) = done.lines
    assert said["current"]["concurrency"] == 3
    assert said["disk"] is None


@pytest.mark.slow
def test_json_goes_to_a_pipe_whole(tmp_path: Path) -> None:
    """A reader that closes the pipe early does not change the exit code."""
    command = [*COMMAND, "bench", *SMALL, "--provider", "local", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment({"TMPDIR": str(tmp_path)})
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, b"Traceback" in err) == (0, False)
