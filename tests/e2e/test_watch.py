"""`bulkup upload --watch`: files that arrive by all ways, and the end by a signal."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from e2e_world import World, ended, run, started, wait_for
from terminal_world import at_terminal

OLD = time.time() - 3600


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def write(path: Path, text: str) -> None:
    """Write a file that has not changed for an hour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (OLD, OLD))


def test_a_watch_uploads_what_arrives_until_it_is_stopped(world: World, tmp_path: Path) -> None:
    """It has one lock and one control socket for all of its runs."""
    write(world.source / "before.mp4", "before")
    write(tmp_path / "elsewhere" / "deep" / "moved.mp4", "moved")
    arguments = ("upload", str(world.source), *world.local, "--watch", "--json")
    with started(*arguments) as process:
        wait_for(lambda: world.settled() == 1)
        (tmp_path / "elsewhere").rename(world.source / "elsewhere")
        (world.source / "new.mp4").write_text("new")
        (world.source / "gone.mp4").write_text("gone")
        (world.source / "gone.mp4").unlink()
        wait_for(lambda: world.settled() == 3)
        wait_for(lambda: "watching" in run("control", "status", "--journal", str(world.journal)).out)
        world.upload(*world.local).expect(5)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert done.code == 143
    assert "Traceback" not in done.err
    assert "watching, 3 files uploaded since" in done.err
    summaries = [line for line in done.lines if line["event"] == "summary"]
    assert [line["files"]["uploaded"] for line in summaries if line["files"]["uploaded"]] in ([1, 2], [1, 1, 1])
    assert world.verify() == 3
    assert not Path(f"{world.journal}.control").exists()
    world.upload(*world.local).expect(0)


def test_a_watch_at_a_terminal(world: World) -> None:
    """One line follows the runs. It says what the log says elsewhere, and an excluded file changes nothing."""
    write(world.source / "before.mp4", "before")
    with at_terminal("upload", str(world.source), *world.local, "--watch", "--exclude", "*.log", width=120) as terminal:
        terminal.wait_for("watching since", "1 file uploaded, last ", "next look at all files 03:00")
        (world.source / "camera.log").write_text("not wanted")
        (world.source / "new.mp4").write_text("new")
        terminal.wait_for("watching since", "2 files uploaded, last ")
        rows = "\n".join(terminal.screen.text)
        assert rows.count("watching since") == 1
        assert rows.count("run started") == 2
        assert "uploaded since" not in rows
        terminal.type(b"\x03")
        assert terminal.end() == 130
        assert terminal.has_cursor()
    assert world.settled() == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--until", "06:00"), "watch cannot be combined with until"),
        (("--dry-run",), "--dry-run ends, so it has no --watch"),
    ],
)
def test_what_a_watch_cannot_be(world: World, options: tuple[str, ...], message: str) -> None:
    run("upload", str(world.source), *world.local, "--watch", *options).expect(2, message)
    run("retry", str(world.source), *world.local, "--watch").expect(2, "a retry ends, so it has no --watch")


def test_a_watch_of_a_file(world: World) -> None:
    write(world.source / "a.mp4", "a")
    run("upload", str(world.source / "a.mp4"), *world.local, "--watch").expect(2, "watch needs directories")


def test_a_stop_while_a_run_waits_for_its_secret(world: World) -> None:
    """The run does not begin."""
    marker = world.root / "asked"
    profile = world.root / "bulkup.toml"
    command = f"touch {marker}; sleep 2; echo key"
    profile.write_text(
        f'[profiles.night]\nsource = ["{world.source}"]\njournal = "{world.journal}"\nprovider = "magic-hour"\n'
        f'base_url = "http://127.0.0.1:9"\ntoken = "command:sh -c \'{command}\'"\n'
    )
    with started("upload", "--config", str(profile), "--profile", "night", "--watch") as process:
        wait_for(marker.exists)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert (done.code, "Traceback" in done.err) == (143, False)
    assert not Path(f"{world.journal}.control").exists()


def test_a_stop_while_a_notification_is_on_its_way(world: World) -> None:
    """It ends the notification, and then the watch in order."""
    marker = world.root / "notified"
    profile = world.root / "bulkup.toml"
    profile.write_text(
        f'[profiles.night]\nsource = ["{world.source}"]\njournal = "{world.journal}"\nprovider = "local"\n'
        f'store = "{world.store}"\n[profiles.night.notify]\n'
        f'on_success = ["sh", "-c", "touch {marker}; exec sleep 60"]\n'
    )
    with started("upload", "--config", str(profile), "--profile", "night", "--watch") as process:
        wait_for(marker.exists)
        with started("control", "status", "--watch", "--json", "--journal", str(world.journal)) as watching:
            assert watching.stdout is not None
            watching.stdout.readline()
            process.send_signal(signal.SIGTERM)
            done = ended(process)
            last = ended(watching)
    assert (done.code, "Traceback" in done.err) == (143, False)
    assert not Path(f"{world.journal}.control").exists()
    assert (last.lines[-1]["state"], last.lines[-1]["exit_code"]) == ("ended", 143)
