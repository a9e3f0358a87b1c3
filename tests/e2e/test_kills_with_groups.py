"""Runs with groups of hundreds of files, killed at any instant: few files are sent twice, and few ids are unknown."""

from __future__ import annotations

import contextlib
import json
import random
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_world import TOKEN, World, puts, serving, started

from bulkup.errors import JournalError
from bulkup.journal import Reader

FILES = 6000
WORKERS = 16
CALLS = 4


@dataclass(frozen=True)
class Ids:
    """The ids that a journal accounts for: of uploaded files, known ones without a file, and unknown ones.

    `cut_off` is the number of files in calls that the last run did not hear an answer to.
    """

    recorded: int
    unused: int
    unknown: int
    cut_off: int


def ids_in(journal: Path) -> Ids:
    """Return the ids that a journal accounts for, all 0 if no run has begun."""
    with contextlib.suppress(JournalError), Reader(str(journal)) as reader:
        recorded = sum(row.status == "uploaded" for row in reader.manifest())
        live, orphans = list(reader.interrupted()), list(reader.orphans())
        return Ids(
            recorded,
            sum(row.count for row in (*live, *orphans) if row.remote_id is not None),
            sum(row.count for row in orphans if row.remote_id is None),
            sum(row.count for row in live if row.remote_id is None),
        )
    return Ids(0, 0, 0, 0)


def ids_made(url: str) -> int:
    """Return how many ids the server has made."""
    with urllib.request.urlopen(f"{url}/-/stats") as answer:
        return int(json.load(answer)["tickets"])


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("group", [100, 500])
def test_twenty_kills(tmp_path: Path, group: int, processes: int) -> None:
    """At most the files in flight are sent again, and at most the ids of the calls under way are unknown."""
    world, chance = World(tmp_path), random.Random(group + processes)
    world.fill(FILES, largest=6_000)
    sent_again = 0
    with serving(world.store) as url:
        options = [*world.to(url), "--batch-size", str(group), "--calls-in-flight", str(CALLS)]
        options += ["--concurrency", str(WORKERS), "--processes", str(processes), "--log-level", "error"]
        for _ in range(20):
            kill_one(world, options, chance)
            before, sent_again = sent_again, puts(url) - world.settled()
            assert before <= sent_again <= before + WORKERS
            ids = ids_in(world.journal)
            assert ids.cut_off <= group * CALLS
            assert ids_made(url) <= ids.recorded + ids.unused + ids.unknown + ids.cut_off
        last = ids.unknown + ids.cut_off
        summary = world.upload(*options, env=TOKEN).expect(0).summary
        assert puts(url) - FILES == sent_again
        ids = ids_in(world.journal)
        assert (ids.recorded, ids.cut_off, ids.unknown) == (FILES, 0, last)
        assert FILES + ids.unused <= ids_made(url) <= FILES + ids.unused + ids.unknown
    assert summary["files"]["found"] == world.verify()


def kill_one(world: World, options: list[str], chance: random.Random) -> None:
    """Start a run and kill it, either while it starts or after some files were settled."""
    with started("upload", str(world.source), "--json", *options, env=TOKEN) as process:
        assert process.stdout is not None
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0.0, 1.5))
        else:
            for _ in range(chance.randrange(1, 400)):
                process.stdout.readline()
        process.kill()
        process.communicate()
