"""Runs killed at any instant: recorded files stay recorded, all others are uploaded by the next run, and every file is
checked."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from e2e_world import API_KEY, TOKEN, World, puts, serving, started
from sending_ways import Way, every

CREDENTIALS = {"magic-hour": TOKEN, "move-ugc": API_KEY}
# Small groups and few workers, so that every stage is busy when the kill comes.
SMALL = ("--batch-size", "20", "--concurrency", "8", "--log-level", "error")
# The budget of files in the pipeline at these sizes: the groups in flight, one more, and twice the workers.
IN_FLIGHT = 20 * (4 + 1) + 2 * 8


def object_of(row: dict[str, Any]) -> str:
    """Return where the embedded server keeps the object of a manifest row."""
    if row["provider"] != "move-ugc":
        return str(row["remote_id"])
    suffix = Path(row["path"]).suffix.lower()
    return f"file-production-storage/{row['remote_id'].removeprefix('file-')}{suffix}"


def killed_run(world: World, options: list[str], env: Mapping[str, str], chance: random.Random) -> None:
    """Start a run and kill it, either while it starts or after some files were settled."""
    with started("upload", str(world.source), "--json", *options, *SMALL, env=env) as process:
        assert process.stdout is not None
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.0, 1.0))
        else:
            for _ in range(chance.randrange(1, 60)):
                process.stdout.readline()
        process.kill()
        process.communicate()


def through_kills(world: World, url: str, provider: str, kills: int, given: Sequence[str] = ()) -> None:
    """Kill several runs against one server, let the last run end, and check every file."""
    chance, options, env = random.Random(kills), [*world.to(url, provider), *given], CREDENTIALS[provider]
    unrecorded = 0
    for _ in range(kills):
        killed_run(world, options, env, chance)
        before, unrecorded = unrecorded, puts(url) - world.settled()
        assert before <= unrecorded <= before + IN_FLIGHT
    summary = world.upload(*options, env=env).expect(0).summary
    files = world.verify(object_of)
    assert summary["files"]["found"] == files
    assert puts(url) - files == unrecorded


def through_kills_of_local(world: World, kills: int) -> None:
    """The same with runs that start their own server."""
    chance, unrecorded = random.Random(kills), 0
    for _ in range(kills):
        killed_run(world, world.local, {}, chance)
        with serving(world.store) as url:
            before, unrecorded = unrecorded, puts(url) - world.settled()
        assert before <= unrecorded <= before + IN_FLIGHT
    world.upload(*world.local).expect(0)
    files = world.verify()
    with serving(world.store) as url:
        assert puts(url) - files == unrecorded


@pytest.mark.parametrize("provider", ["magic-hour", "move-ugc"])
def test_kills_against_a_server_in_another_process(tmp_path: Path, provider: str) -> None:
    """After a few kills over a few hundred files, each file is stored byte for byte and in the manifest once."""
    world = World(tmp_path)
    world.fill(300)
    with serving(world.store) as url:
        through_kills(world, url, provider, kills=3)


@pytest.mark.parametrize("way", every())
def test_kills_on_every_way(tmp_path: Path, way: Way) -> None:
    """Small and larger files, both senders, with and without sending processes."""
    world = World(tmp_path)
    world.fill(100, least=way.least)
    with serving(world.store) as url:
        through_kills(world, url, "magic-hour", kills=1, given=way.options)


def test_kills_of_runs_with_their_own_server(tmp_path: Path) -> None:
    """The same with provider `local`. Its server dies with each run and uses the same port in the next."""
    world = World(tmp_path)
    world.fill(300)
    through_kills_of_local(world, kills=2)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["magic-hour", "move-ugc"])
def test_twenty_kills_over_thousands_of_files(tmp_path: Path, provider: str) -> None:
    """Twenty kills over five thousand files, against a server in another process."""
    world = World(tmp_path)
    world.fill(5000)
    with serving(world.store) as url:
        through_kills(world, url, provider, kills=20)


@pytest.mark.slow
def test_twenty_kills_of_runs_with_their_own_server(tmp_path: Path) -> None:
    """Twenty kills over five thousand files with provider `local`."""
    world = World(tmp_path)
    world.fill(5000)
    through_kills_of_local(world, kills=20)


def test_a_resumed_run_uses_its_tickets_again(tmp_path: Path) -> None:
    """Tickets that were requested but not used before a kill are used by the next run, without an API call."""
    world = World(tmp_path)
    world.fill(120)
    with serving(world.store, "--fault", "slow-body") as url:
        options = [*world.to(url), "--batch-size", "60", "--concurrency", "2"]
        with started("upload", str(world.source), "--json", *options, env=TOKEN) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
            process.communicate()
    with serving(world.store, "--port", url.rpartition(":")[2]):
        summary = world.upload(*options, env=TOKEN).expect(0).summary
    assert summary["reused_tickets"] > 0
    world.verify()


def test_a_second_run_calls_and_sends_nothing(tmp_path: Path) -> None:
    """An unchanged directory causes no API call. If one file changes, only that file is uploaded again."""
    world = World(tmp_path)
    world.fill(30)
    with serving(world.store) as url:
        world.upload(*world.to(url), env=TOKEN).expect(0)
        again = world.upload(*world.to(url), env=TOKEN).expect(0).summary
        assert (again["presign"]["calls"], again["files"]["skipped"], puts(url)) == (0, 30, 30)
        changed = next(path for path in sorted(world.source.rglob("*")) if path.is_file())
        changed.write_bytes(b"other bytes")
        third = world.upload(*world.to(url), env=TOKEN).expect(0).summary
        assert (third["files"]["uploaded"], puts(url)) == (1, 31)
    world.verify()
