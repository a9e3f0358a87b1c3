"""`--shard K/N`: several runs share a tree, on one home and at the same time."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from e2e_world import COMMAND, TOKEN, Ended, World, environment, run, serving

from bulkup.model.shard import Shard

NIGHTLY = ("--profile", "nightly", "--config")
BOTH = ("1/2", "2/2")


class Home(World):
    """A world with a profile, whose journals are in the state folder."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.config = root / "bulkup.toml"
        self.config.write_text(
            f'[profiles.nightly]\nprovider = "magic-hour"\nbase_url = "{url}"\nsource = ["source"]\n'
            'token = "env:BULKUP_TOKEN"\n'
        )
        self.env = {**TOKEN, "XDG_STATE_HOME": str(root / "state")}

    def run(self, command: str, *options: str) -> Ended:
        return run(command, *NIGHTLY, str(self.config), *options, env=self.env)

    def at_once(self, command: str, shards: tuple[str, ...], *options: str) -> list[Ended]:
        """Run a command for several shards at the same time."""
        processes = [
            subprocess.Popen(
                [*COMMAND, command, *NIGHTLY, str(self.config), "--shard", shard, *options],
                env=environment(self.env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for shard in shards
        ]
        outputs = [process.communicate(timeout=120) for process in processes]
        return [
            Ended(process.returncode, out.decode(), err.decode())
            for process, (out, err) in zip(processes, outputs, strict=True)
        ]

    def rows(self, shard: str) -> list[dict[str, Any]]:
        return self.run("manifest", "--shard", shard).expect(0).lines

    def journal_of(self, shard: str) -> Path:
        name = f"nightly+{shard.replace('/', 'of')}.sqlite3"
        return self.root / "state" / "bulkup" / name


@pytest.fixture
def home(tmp_path: Path) -> Any:
    with serving(tmp_path / "store") as url:
        made = Home(tmp_path, url)
        made.fill(60)
        yield made


def files_of(home: Home) -> set[str]:
    return {str(path.relative_to(home.source)) for path in home.source.rglob("*") if path.is_file()}


def test_shards_at_the_same_time_upload_each_file_once(home: Home) -> None:
    """Each has a journal and a summary of its own, and knows its files in the next run."""
    first = [one.expect(0).summary for one in home.at_once("upload", BOTH, "--json")]
    assert sum(one["files"]["uploaded"] for one in first) == 60
    for one in first:
        assert one["ignored"]["other_shards"] == 60 - one["files"]["found"]
        assert one["ignored"]["filtered"] == 0
    rows = [row for shard in BOTH for row in home.rows(shard)]
    assert sorted(row["path"] for row in rows) == sorted(files_of(home))
    assert {row["status"] for row in rows} == {"uploaded"}
    assert len(list((home.store / "objects").rglob("*.*"))) == 60
    merged = run("manifest", "merge", str(home.journal_of("1/2")), env=home.env).expect(0, "shards 2/2")
    assert merged.lines == home.rows("1/2")
    both = run("manifest", "merge", *(str(home.journal_of(shard)) for shard in BOTH), env=home.env).expect(0)
    assert both.lines == sorted(rows, key=lambda row: str(row["path"]).encode())
    assert both.err == "60 files of 2 journals.\n"
    again = [one.expect(0).summary["files"] for one in home.at_once("upload", BOTH, "--json")]
    assert [(one["uploaded"], one["skipped"]) for one in again] == [(0, one["files"]["found"]) for one in first]


def test_commands_find_the_journal_of_a_shard(home: Home) -> None:
    """A refused file is found, and sent by a retry of its shard alone."""
    (home.source / "notes.txt").write_text("no medium")
    owner, other = BOTH if Shard(1, 2).takes(b"notes.txt") else BOTH[::-1]
    assert [one.code for one in home.at_once("upload", (owner, other))] == [3, 0]
    home.run("status").expect(2, "nightly.sqlite3", "there are journals of the shards 1/2, 2/2", "--shard K/N")
    shown = json.loads(home.run("status", "--shard", owner, "--json").expect(0).out)
    assert (shown["last_run"]["shard"], shown["files"]["rejected"]) == (owner, 1)
    assert f"bulkup retry --profile nightly --config {home.config} --shard {owner}" in (
        home.run("failures", "--shard", owner).expect(0).out
    )
    assert "rejected" in home.run("status", str(home.source / "notes.txt")).expect(0).out
    home.run("verify", "--local", "--shard", owner).expect(0)
    again = home.run("retry", "--shard", owner, "--retry-rejected", "--json").expect(3).summary["files"]
    assert (again["found"], again["rejected"]) == (1, 1)


def test_a_dry_run_counts_the_files_of_other_shards(home: Home) -> None:
    out = home.run("upload", "--shard", "1/2", "--dry-run").expect(0).out
    count = home.run("upload", "--shard", "1/2", "--dry-run", "--json").expect(0).lines[-1]
    assert count["files"]["upload"] + count["other_shards"] == 60
    assert f"{count['other_shards']} files belong to other shards." in out


def test_another_number_of_shards_needs_copies_of_the_journals(home: Home) -> None:
    """A run of it is refused otherwise, as docs/how-to/shards.md says."""
    home.at_once("upload", BOTH)
    said = "would upload again what is in it"
    home.run("upload", "--shard", "1/4").expect(2, "runs with 2 shards", "nightly+1of2.sqlite3", said)
    home.run("upload", "--dry-run").expect(2, said)
    for number in range(1, 5):
        shutil.copy(home.journal_of(f"{(number - 1) % 2 + 1}/2"), home.journal_of(f"{number}/4"))
    for shard in BOTH:
        home.journal_of(shard).unlink()
    files = [one.expect(0).summary["files"] for one in home.at_once("upload", ("2/4", "3/4"), "--json")]
    assert [one["uploaded"] for one in files] == [0, 0]
    assert all(one["skipped"] for one in files)


def test_shards_with_one_named_journal_do_not_run_together(home: Home) -> None:
    named = ("--journal", str(home.journal))
    home.run("upload", "--shard", "1/2", *named).expect(0)
    home.run("upload", "--shard", "2/2", *named).expect(2, "is that of shard 1/2, and this run takes shard 2/2")


def test_each_shard_removes_its_own_files_from_the_source(home: Home) -> None:
    ended = home.run("upload", "--shard", "2/2", "--delete-after-upload", "--json").expect(0).summary
    assert ended["removed"] == ended["files"]["uploaded"] > 0
    assert len(files_of(home)) == 60 - ended["removed"] == ended["ignored"]["other_shards"]


def test_a_list_of_files_is_shared_too(home: Home, tmp_path: Path) -> None:
    names = sorted(files_of(home))[:20]
    listed = tmp_path / "list"
    listed.write_text("".join(f"{name}\n" for name in names))
    for one in home.at_once("upload", BOTH, "--files-from", str(listed)):
        one.expect(0)
    assert sorted(row["path"] for shard in BOTH for row in home.rows(shard)) == names
