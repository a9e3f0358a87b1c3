"""The examples of examples/cluster: they can be read, and their command lines run the shards that they promise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # the tests need no more of it
from e2e_world import Ended, World, environment, serving

CLUSTER = Path(__file__).parents[2] / "examples/cluster"
ARRAY = CLUSTER / "slurm-array.sbatch"
JOB = CLUSTER / "kubernetes-indexed-job.yaml"


class Node(World):
    """A machine with the command `bulkup`, a profile, and a home that all tasks share."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.fill(30)
        (root / "bulkup.toml").write_text(
            f'[profiles.nightly]\nprovider = "magic-hour"\nbase_url = "{url}"\nsource = ["source"]\n'
            'token = "env:SERVICE_TOKEN"\n'
        )
        (root / "bin").mkdir()
        command = root / "bin" / "bulkup"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bulkup "$@"\n')
        command.chmod(0o755)

    def run_task(self, command: list[str], variables: Mapping[str, str]) -> Ended:
        """Run what a batch system runs, with its variables."""
        env = environment(
            {
                "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                "BULKUP_CONFIG": str(self.root / "bulkup.toml"),
                "SERVICE_TOKEN": "local-token",
                "XDG_STATE_HOME": str(self.root / "state"),
                **variables,
            }
        )
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def journals(self) -> list[str]:
        """Return the names of the journals."""
        return sorted(path.name for path in self.root.rglob("nightly*.sqlite3"))


@pytest.fixture
def node(tmp_path: Path) -> Any:
    with serving(tmp_path / "store") as url:
        yield Node(tmp_path, url)


def slurm(task: int, count: int, least: int, step: int = 1) -> dict[str, str]:
    """Return the variables of a task of an array."""
    values = {"ID": task, "COUNT": count, "MIN": least, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


def shard_of(node: Node, variables: Mapping[str, str]) -> str:
    """Return the option that the script passes to the command `bulkup`."""
    command = node.root / "bin" / "bulkup"
    command.write_text('#!/bin/sh\necho "$@"\n')
    words = node.run_task(["bash", str(ARRAY)], variables).expect(0).out.split()
    return words[words.index("--shard") + 1]


def test_the_script_of_slurm_is_a_shell_script_with_an_array() -> None:
    subprocess.run(["bash", "-n", str(ARRAY)], check=True)
    options = [line.split()[1] for line in ARRAY.read_text().splitlines() if line.startswith("#SBATCH")]
    assert "--array=0-7" in options
    assert "--signal=TERM@120" in options


def test_the_tasks_of_an_array_are_its_shards(node: Node) -> None:
    """From any first number, with steps, and for some tasks alone."""
    assert [shard_of(node, slurm(task, 3, 0)) for task in range(3)] == ["1/3", "2/3", "3/3"]
    assert [shard_of(node, slurm(task, 2, 1)) for task in (1, 2)] == ["1/2", "2/2"]
    assert [shard_of(node, slurm(task, 3, 4, 3)) for task in (4, 7, 10)] == ["1/3", "2/3", "3/3"]
    assert shard_of(node, {**slurm(3, 1, 3), "SHARDS": "8", "FIRST": "0"}) == "4/8"


def test_an_array_uploads_the_tree(node: Node) -> None:
    """A task that is repeated as an array of its own, without the number of shards, is refused."""
    for task in range(2):
        node.run_task(["bash", str(ARRAY)], slurm(task, 2, 0)).expect(0)
    assert node.journals() == ["nightly+1of2.sqlite3", "nightly+2of2.sqlite3"]
    assert len(list((node.store / "objects").rglob("*.*"))) == 30
    node.run_task(["bash", str(ARRAY)], slurm(1, 1, 1)).expect(2, "there is a journal of runs with 2 shards")
    node.run_task(["bash", str(ARRAY)], {**slurm(1, 1, 1), "SHARDS": "2", "FIRST": "0"}).expect(0)


def test_the_job_of_kubernetes_uploads_the_tree(node: Node) -> None:
    """Its container is run here, for each index, with three shards in place of eight."""
    job = yaml.safe_load(JOB.read_text(encoding="utf-8"))
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {one["name"]: one.get("value", "") for one in container["env"]}
    assert (job["kind"], spec["completionMode"]) == ("Job", "Indexed")
    assert variables["SHARDS"] == str(spec["completions"]) == str(spec["maxFailedIndexes"])
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert variables["XDG_STATE_HOME"] in {mount["mountPath"] for mount in container["volumeMounts"]}
    for index in range(3):
        given = {"SHARDS": "3", "JOB_COMPLETION_INDEX": str(index), "XDG_STATE_HOME": str(node.root / "state")}
        node.run_task([*container["command"], *container["args"]], given).expect(0)
    assert node.journals() == [f"nightly+{number}of3.sqlite3" for number in (1, 2, 3)]
    assert len(list((node.store / "objects").rglob("*.*"))) == 30
