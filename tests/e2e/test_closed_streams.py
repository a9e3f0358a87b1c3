"""Commands whose standard input, output or error was closed by the program that started them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from e2e_world import COMMAND, TIMEOUT, Ended, World, environment, run

CLOSED = ("<&-", ">&-", "<&- >&- 2>&-")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(4)
    return world


def closed(redirections: str, *command: str) -> Ended:
    """Run a command with redirections of the shell."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("redirections", CLOSED)
def test_an_upload_ends_as_with_open_streams(world: World, redirections: str) -> None:
    """All files are uploaded. The embedded server and the sending processes start as well."""
    options = [*world.local, "--json", "--processes", "2"]
    closed(redirections, *COMMAND, "upload", str(world.source), *options).expect(0)
    assert world.verify() == 4


def test_other_commands_end_as_with_open_streams(world: World) -> None:
    """Output to a closed stream is dropped."""
    world.upload(*world.local).expect(0)
    for command in (["--version"], ["status", "--journal", str(world.journal)], ["config", "show"]):
        closed(">&-", *COMMAND, *command).expect(0)
    closed(CLOSED[-1], *COMMAND, "demo", str(world.source)).expect(0)
    closed(CLOSED[-1], *COMMAND, "status", "--no-such-option").expect(2)


def test_a_library_user_may_have_closed_streams(world: World) -> None:
    """The log has somewhere to go, and no socket of the run becomes standard output."""
    program = world.root / "program.py"
    program.write_text(
        "import asyncio, sys, bulkup\n"
        "summary = asyncio.run(bulkup.upload(sys.argv[1], provider='local', store=sys.argv[2], journal=sys.argv[3]))\n"
        "raise SystemExit(summary.exit_code)\n"
    )
    paths = [str(world.source), str(world.store), str(world.journal)]
    closed("<&- >&- 2>&-", COMMAND[0], str(program), *paths).expect(0)
    assert world.verify() == 4


def test_descriptor_0_stays_open_after_a_list_of_names(world: World) -> None:
    """A socket that took its number would make uvloop abort."""
    names = "".join(f"{os.path.relpath(path, world.source)}\n" for path in world.source.rglob("*.*"))
    listed = world.root / "names"
    listed.write_text(names)
    with listed.open("rb") as stdin:
        run("upload", str(world.source), *world.local, "--files-from", "-", "--json", stdin=stdin).expect(0)
    assert world.verify() == 4
