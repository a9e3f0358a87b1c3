"""The manual page names every command and option, and groff has no complaint."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from e2e_world import run

from bulkup.cli.app import COMMANDS
from bulkup.config.catalogue import SETTINGS


def test_commands_and_options_are_listed() -> None:
    page = run("man").expect(0).out.replace("\\-", "-")
    assert [name for name in COMMANDS if f".SH BULKUP {name.upper()}" not in page] == []
    assert [one.option_name for one in SETTINGS.values() if one.option_name and one.option_name not in page] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_shows_it_without_warnings() -> None:
    page = run("man").expect(0).out
    command = ["groff", "-man", "-ww", "-z", "-K", "utf8", "-T", "utf8"]
    done = subprocess.run(command, input=page.encode(), capture_output=True, check=True)
    assert done.stderr == b""
