"""The installer of system packages: it uses apt-get where it may, and otherwise prints the command to run."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tools.system_packages import Tool, install, main


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_command(folder: Path, name: str, script: str) -> None:
    """Make a command that runs a shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def gadget(folder: Path) -> Tool:
    """Return a tool that is installed once `apt-get` of `with_apt` has run."""
    return Tool("gadget", (folder / "gadget").exists, ("gadget-package", "gadget-dev"), "brewed-gadget")


def with_apt(folder: Path) -> Path:
    """Make an apt-get that writes its arguments to the returned file and installs the gadget, and a sudo."""
    log = folder / "apt.log"
    # Only words of the shell itself, because PATH has no other command.
    remember = f'echo "$DEBIAN_FRONTEND $*" >> {log}'
    write_command(folder, "apt-get", f'{remember}\ncase "$1" in install) : > {folder}/gadget;; esac')
    write_command(folder, "sudo", 'shift\nexec "$@"')
    return log


def test_it_installs_what_is_missing(commands: Path) -> None:
    """All packages in one call, after an update, without a question."""
    log = with_apt(commands)
    assert install([gadget(commands)]) == 0
    update, installation = log.read_text().splitlines()
    assert update.startswith("noninteractive update ")
    assert installation.startswith("noninteractive install ")
    assert installation.endswith(" gadget-package gadget-dev")


def test_it_does_nothing_if_nothing_is_missing(commands: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The second `make test` needs neither root nor a network."""
    log = with_apt(commands)
    (commands / "gadget").touch()
    assert install([gadget(commands)]) == 0
    assert not log.exists()
    assert capfd.readouterr() == ("", "")


def test_it_prints_the_command_where_it_may_not_install(
    commands: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A user without root and sudo."""
    log = with_apt(commands)
    (commands / "sudo").unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert install([gadget(commands)]) == 1
    assert not log.exists()
    said = capfd.readouterr().err
    assert "gadget is not installed\n" in said
    assert "sudo apt-get update && sudo apt-get install -y gadget-package gadget-dev\n" in said


def test_a_failed_installation_is_an_error(commands: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The check is whether the tool exists, not the exit code of apt-get."""
    write_command(commands, "apt-get", "exit 100")
    write_command(commands, "sudo", "exit 1")
    assert install([gadget(commands)]) == 1
    assert "gadget is not installed\n" in capfd.readouterr().err


def test_an_unknown_package_does_not_keep_the_others_away(commands: Path) -> None:
    """apt-get installs none of several packages if it does not know one of them."""
    with_apt(commands)
    write_command(commands, "apt-get", f'case "$*" in install*odd*) exit 100;; install*) : > {commands}/gadget;; esac')
    odd = Tool("odd", (commands / "odd").exists, ("odd-package",), required=False)

    assert install([odd, gadget(commands)]) == 0
    assert (commands / "gadget").exists()


@pytest.mark.parametrize(
    ("platform", "line"), [("darwin", "brew install brewed-gadget"), ("freebsd14", "your package manager (gadget)")]
)
def test_other_systems(
    platform: str, line: str, commands: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without apt-get the packages have other names."""
    monkeypatch.setattr("sys.platform", platform)
    assert install([gadget(commands)]) == 1
    assert f"Install with: {line}\n" in capfd.readouterr().err


def test_an_optional_tool_is_named_and_no_error(commands: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Benchmarks run with the programs that are installed."""
    assert install([replace(gadget(commands), required=False)]) == 0
    assert "gadget is not installed; benchmarks that need it are left out\n" in capfd.readouterr().err


def test_the_makefile_names_known_targets(capfd: pytest.CaptureFixture[str]) -> None:
    """A target that does not exist is a usage error."""
    makefile = Path(__file__).parents[2].joinpath("Makefile").read_text()
    named = set(re.findall(r"system_packages\.py ([a-z-]+)", makefile))
    assert main(["unknown"]) == 2
    usage = capfd.readouterr().err.strip().rpartition(" ")[2]
    assert named == set(usage.split("|"))


def test_this_machine_has_what_the_tests_need() -> None:
    """The tests run, so the probes must find the compiler and nginx."""
    assert main(["test"]) == 0
