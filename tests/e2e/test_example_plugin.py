"""The example of a plug-in is built, installed beside bulkup, and used: the template for other packages must work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from e2e_world import World, environment, run

EXAMPLE = Path(__file__).parents[2] / "examples" / "bulkup-parcel"
PROFILE = """
[profiles.parcel]
source = "{source}"
provider = "parcel"
token = "env:PARCEL_TOKEN"

[profiles.parcel.plugin]
{setting}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Build and install the example in a folder of its own, and return the variables that make Python search there."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder)]
    done = subprocess.run([*pip, *options, str(EXAMPLE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


def test_its_own_tests_pass(installed: Mapping[str, str], tmp_path: Path) -> None:
    """They run the suite that `bulkup.testing` gives to every plug-in."""
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*pytest_command, "--basetemp", str(tmp_path / "base"), "tests"],
        cwd=EXAMPLE,
        env={**environment(installed), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_a_profile_with_it_is_checked(installed: Mapping[str, str], tmp_path: Path) -> None:
    config, source = tmp_path / "config.toml", tmp_path / "source"
    source.mkdir()
    variables = {**installed, "PARCEL_TOKEN": "secret-parcel-token"}
    config.write_text(PROFILE.format(source=source, setting='shelf = "left"'))
    run("config", "check", "--config", str(config), env=variables).expect(0)
    config.write_text(PROFILE.format(source=source, setting='shell = "left"'))
    run("config", "check", "--config", str(config), env=variables).expect(
        2, "config.toml:7", "unknown setting shell; the only one is shelf"
    )


def test_without_it_its_name_is_unknown(tmp_path: Path) -> None:
    world = World(tmp_path)
    run("upload", str(world.source), "--provider", "parcel").expect(2, "--provider: expected one of", "docs/plugins.md")


def test_a_missing_token_is_named(installed: Mapping[str, str], tmp_path: Path) -> None:
    """The declaration has the credentials."""
    world = World(tmp_path)
    world.fill(3)
    options = ["--provider", "parcel", "--base-url", "http://127.0.0.1:9", "--journal", str(world.journal)]
    run("upload", str(world.source), *options, env=installed).expect(2, "parcel needs token")


def test_it_is_listed_with_its_package(installed: Mapping[str, str]) -> None:
    listed = {line.split()[0]: line for line in run("provider", "list", env=installed).expect(0).out.splitlines()}
    assert listed["parcel"].endswith("the package bulkup-parcel 1.0.0")
    assert {"magic-hour", "s3", "local"} <= set(listed)
    assert "parcel" not in run("provider", "list").expect(0).out
