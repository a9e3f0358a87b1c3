"""Users without a home directory, other locales, no threads, folders of other users: a message or a normal run."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from e2e_world import TIMEOUT, TOKEN, Ended, World, environment, run, serving

HOMELESS = "import pwd\ndef unknown(*_): raise KeyError('getpwuid(): uid not found')\npwd.getpwuid = unknown\n"
# Threads that C code starts are not counted.
FEW_THREADS = """
import _thread, threading
left, start = int({threads}), _thread.start_new_thread
def refused(*arguments):
    global left
    if not left:
        raise RuntimeError("can't start new thread")
    left -= 1
    return start(*arguments)
threading._start_new_thread = refused
"""
MAIN = "from bulkup.cli import main\nmain()\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(4)
    return world


def run_after(
    program: str, *arguments: str, env: Mapping[str, str | None] | None = None, cwd: Path | None = None
) -> Ended:
    """Run a command after some code. A variable of `env` that is None is removed."""
    whole = {**environment(), **(env or {})}
    done = subprocess.run(
        [sys.executable, "-c", program + MAIN, *arguments],
        env={name: value for name, value in whole.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
        cwd=cwd,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))


class TestWithoutAHome:
    """The user has no HOME and no entry in the list of users, as in a container with `--user 12345`."""

    ENV = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"))

    def test_a_run_works_if_its_paths_are_given(self, world: World) -> None:
        run_after(HOMELESS, "upload", str(world.source), *world.local, "--json", env=self.ENV).expect(0)
        run_after(HOMELESS, "status", "--journal", str(world.journal), env=self.ENV).expect(0)
        assert world.verify() == 4

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (["upload", "{source}", "--provider", "local"], "--store"),
            (["upload", "{source}", "--provider", "local", "--journal", "{root}/j"], "--store"),
            (["upload", "{source}", "--provider", "local", "--store", "{root}/s"], "--journal"),
            (["upload", "{source}", "--provider", "local", "--source-id", "x", "--dry-run"], "--journal"),
            (["status", "{source}", "--provider", "magic-hour"], "--journal"),
            (["status"], "--journal"),
            (["upload", "{source}", "--profile", "p"], "--config"),
            (["config", "check"], "no configuration file"),
        ],
    )
    def test_a_missing_path_is_named_with_its_option(self, world: World, command: list[str], said: str) -> None:
        given = [part.format(source=world.source, root=world.root) for part in command]
        run_after(HOMELESS, *given, env=self.ENV, cwd=world.root).expect(2, said)

    def test_a_tilde_is_refused(self, world: World) -> None:
        """It would become a folder of that name."""
        env = {**self.ENV, "BULKUP_JOURNAL": "~/journal"}
        run_after(HOMELESS, "upload", str(world.source), env=env, cwd=world.root).expect(2, "~/journal", "HOME")
        assert not (world.root / "~").exists()


@pytest.mark.parametrize("threads", [0, 1, 2, 4, 6])
def test_a_limit_of_threads_is_named(world: World, threads: int) -> None:
    """Whichever thread cannot be started, the command ends. The journal can be used by the next run."""
    program = FEW_THREADS.format(threads=threads)
    done = run_after(program, "upload", str(world.source), *world.local, "--log-level", "error")
    if done.code:
        done.expect(7, "cannot start another thread", "ulimit -u")
    world.upload(*world.local).expect(0)
    assert world.verify() == 4


def test_sending_processes_name_a_limit_of_threads(world: World, tmp_path: Path) -> None:
    """The run ends with the reason."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'bulkup.pipeline.processes' in sys.orig_argv:\n"
        + "".join(f"    {line}\n" for line in FEW_THREADS.format(threads=0).splitlines())
    )
    (world.source / "large.mp4").write_bytes(b"x" * 3_000_000)
    env = {"PYTHONPATH": str(tmp_path)}
    done = world.upload(*world.local, "--processes", "2", env=env)
    assert done.code in (0, 7), done
    if done.code:
        done.expect(7, "cannot start another thread", "ulimit -u")


def test_a_store_of_another_user(world: World) -> None:
    """Whether a folder, a file or a lock cannot be written, the message names the store."""
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    world.upload(*world.local).expect(0)
    for folder in ("state", "objects", ""):
        (world.store / folder).chmod(0o500)
        done = run("upload", str(world.source), *world.local[:-1], str(world.root / "j"))
        (world.store / folder).chmod(0o700)
        assert done.code in (0, 1, 4, 7)
        assert "unexpected error" not in done.err


def test_a_temporary_folder_that_is_missing(world: World) -> None:
    program = "import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/nonexistent']\n"
    run_after(program, "upload", str(world.source), *world.local).expect(7, "a temporary file cannot be made", "TMPDIR")


def test_a_working_directory_that_was_deleted(world: World) -> None:
    """Absolute paths work, relative ones do not."""
    gone = world.root / "gone"
    program = f"import os\nos.mkdir({str(gone)!r})\nos.chdir({str(gone)!r})\nos.rmdir({str(gone)!r})\n"
    env = {"PWD": str(gone)}
    run_after(program, "upload", str(world.source), *world.local, env=env).expect(0)
    run_after(program, "upload", "source", *world.local, env=env).expect(2, "cannot use the source")
    assert world.verify() == 4


@pytest.fixture(scope="module")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables of a locale that is not UTF-8. It is compiled, because few systems have one."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("there is no localedef")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("there are no sources of locales")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


def test_object_keys_do_not_depend_on_the_locale(world: World, latin1: dict[str, str]) -> None:
    """Nor do the paths in the output, patterns, and options with such letters."""
    (world.source / "é").mkdir()
    (world.source / "é" / "é.mp4").write_text("x")
    (world.source / "é" / "ä.mp4").write_text("y")
    stored = []
    with serving(world.store) as url:
        for number, env in enumerate((latin1, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {})):
            world.journal = world.root / f"é{number}"
            options = [*world.to(url, "xvid"), "--pipeline-id", "1", "--processes", "2", "--exclude", "ä*"]
            done = world.upload(*options, env={**TOKEN, **env}).expect(0)
            assert "é/é.mp4" in {line.get("path") for line in done.lines}
            assert "é/ä.mp4" not in {line.get("path") for line in done.lines}
            assert world.journal.exists()
            keys = {str(row["remote"]["object_key"]) for row in world.manifest()}
            stored.append(keys)
    assert stored == [stored[0]] * 3
    assert "uploads/é/é.mp4" in stored[0]


def test_an_encoding_without_some_letters(world: World) -> None:
    """The output continues, if necessary with escaped letters."""
    (world.source / "é.docx").write_text("x")
    env = {"PYTHONIOENCODING": "ascii"}
    for options in (["--dry-run"], [], ["--json"]):
        run("upload", str(world.source), *world.local, *options, env=env).expect(0)
    for command in ("status", "runs", "manifest"):
        run(command, "--journal", str(world.journal), env=env).expect(0)


@pytest.mark.parametrize("number", [5, 6, 7, 10, 16])
def test_too_few_descriptors_for_an_event_loop(world: World, number: int) -> None:
    """Such a limit has a message. libuv would abort the process, without one."""
    limit = (number, number)

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)

    # Without PYTHONPATH, coverage is not measured: its data file needs a descriptor too.
    world.upload(*world.local, preexec_fn=lower, env={"PYTHONPATH": ""}).expect(7, "out of file descriptors")


def test_a_closed_stream_without_a_null_device(world: World) -> None:
    program = "import os\nos.close(0)\nos.devnull = '/nonexistent'\n"
    done = run_after(program, "upload", str(world.source), *world.local)
    assert done.code == 7
    assert "Traceback" not in done.err
