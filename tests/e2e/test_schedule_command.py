"""`bulkup schedule`, with programs of service managers that record how they are called."""

from __future__ import annotations

import json
import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_world import Ended, World, run

SYSTEM = "/usr/bin:/bin"
AT = ("--at", "02:00", "--weekdays", "Mon-Fri")


class Machine:
    """A machine of one user: a home, a profile, and a folder with the programs of its service manager."""

    def __init__(self, root: Path) -> None:
        self.world = World(root)
        self.world.fill(4)
        self.home = root / "home"
        self.programs = root / "programs"
        self.log = root / "calls"
        self.config = root / "my config" / "bulkup.toml"
        for folder in (self.home, self.programs, self.config.parent):
            folder.mkdir()
        self.log.touch()
        self.config.write_text(
            f'[profiles.nightly]\nprovider = "local"\nsource = ["{self.world.source}"]\nstore = "{self.world.store}"\n'
        )
        self.units = self.home / ".config/systemd/user"

    def program(self, name: str, script: str) -> None:
        """Make a program that records its arguments and then runs a shell script."""
        path = self.programs / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {shlex.quote(str(self.log))}\n{script}\n')
        path.chmod(0o755)

    def schedule(self, command: str, *options: str, profile: str | None = "nightly", **env: str) -> Ended:
        """Run a command of `bulkup schedule` for the profile."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        path = f"{self.programs}:{SYSTEM}"
        given = ("--user", *options) if profile is None else ("--profile", profile, "--user", *options)
        whole = {
            **environ,
            "PATH": path,
            "HOME": str(self.home),
            "XDG_STATE_HOME": f"{self.home}/state",
            "TZ": "UTC",
            **env,
        }
        done = subprocess.run(
            [sys.executable, "-m", "bulkup", "schedule", command, *given],
            env={**whole, "PYTHONWARNINGS": "error", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def calls(self) -> list[str]:
        """Return the calls of programs since the last time."""
        found = self.log.read_text().splitlines()
        self.log.write_text("")
        return found

    def files(self) -> dict[str, bytes]:
        """Return the files in the home, without those of cron."""
        return {str(path.relative_to(self.home)): path.read_bytes() for path in self.home.rglob("*") if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SHOWN = """
case "$*" in
  *show*timer*) printf 'UnitFileState=enabled\\nActiveState=active\\n'
    printf 'NextElapseUSecRealtime=Tue 2026-12-01 02:00:00 UTC\\n';;
  *show*service*) printf 'ActiveState=inactive\\nResult=exit-code\\nExecMainStatus=3\\n'
    printf 'ExecMainStartTimestamp=Mon 2026-11-30 02:03:00 UTC\\nExecMainExitTimestamp=Mon 2026-11-30 02:04:00 UTC\\n';;
esac
"""


class TestSystemd:
    CONFIG = ("--kind", "systemd")

    @pytest.fixture(autouse=True)
    def _systemd(self, machine: Machine) -> None:
        machine.program("systemctl", SHOWN)
        machine.program("loginctl", "echo Linger=no")

    def test_install_writes_what_show_prints_and_remove_undoes_it(self, machine: Machine) -> None:
        given = ("--config", str(machine.config), *self.CONFIG)
        shown = machine.schedule("show", *AT, *given).expect(0).out
        assert machine.calls() == []
        assert machine.files() == {}
        machine.schedule("install", *AT, *given).expect(0, "enable-linger")
        written = {Path(name).name: content.decode() for name, content in machine.files().items()}
        assert set(written) == {"bulkup-nightly.service", "bulkup-nightly.timer"}
        assert all(text in shown for text in written.values())
        assert [call for call in machine.calls() if call.startswith("systemctl")] == [
            "systemctl --user daemon-reload",
            "systemctl --user show --property=UnitPath --value",
            "systemctl --user enable bulkup-nightly.timer",
            "systemctl --user restart bulkup-nightly.timer",
        ]
        machine.schedule("remove", *self.CONFIG).expect(0)
        assert machine.files() == {}
        assert machine.calls()[0] == "systemctl --user disable --now bulkup-nightly.timer"
        machine.schedule("remove").expect(2, "there is no schedule nightly")

    def test_the_command_of_the_service_uploads_and_reports(self, machine: Machine) -> None:
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(0)
        lines = (machine.units / "bulkup-nightly.service").read_text().splitlines()
        (command,) = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
        variables = [shlex.split(line.partition("=")[2])[0] for line in lines if line.startswith("Environment=")]
        environ = {"PATH": "/usr/bin:/bin", **dict(variable.split("=", 1) for variable in variables)}
        argv = shlex.split(command)  # nothing in it needs more than a shell's quotes
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        status = machine.schedule("status", *self.CONFIG).expect(0).out
        assert "next run    Tue 2026-12-01 02:00" in status
        assert "last start  Mon 2026-11-30 02:03, exit 3 (incomplete)" in status
        assert "exit 0 (complete)" in status
        (line,) = machine.schedule("status", "--json").expect(0).lines
        assert line["enabled"]
        assert line["exit_code"] == 3
        assert (line["next_run"], line["last_start"]) == ("2026-12-01T02:00:00.000Z", "2026-11-30T02:03:00.000Z")
        assert [one["exit_code"] for one in line["runs"]] == [0]

    def test_a_watch_is_a_service_without_a_timer(self, machine: Machine) -> None:
        given = ("--watch", "--config", str(machine.config), *self.CONFIG)
        shown = machine.schedule("show", *given).expect(0).out
        machine.schedule("install", *given).expect(0, "the watch works only while you are logged in")
        (written,) = machine.files().values()
        assert written.decode() in shown
        (command,) = [line for line in written.decode().splitlines() if line.startswith("ExecStart=")]
        assert shlex.split(command)[-1] == "--watch"
        assert [call for call in machine.calls() if call.startswith("systemctl")][2:] == [
            "systemctl --user enable bulkup-nightly.service",
            "systemctl --user restart bulkup-nightly.service",
        ]
        machine.schedule("install", *AT, *given[1:]).expect(2, "is the watch of this profile")
        machine.program("systemctl", "printf 'ActiveState=active\\nUnitFileState=enabled\\n'")
        status = machine.schedule("status", profile=None).expect(0).out
        assert "nightly: systemd, watches, running now" in status
        assert "next run" not in status
        (line,) = machine.schedule("status", "--json").expect(0).lines
        assert (line["watch"], line["at"], line["weekdays"], line["next_run"]) == (True, [], None, None)
        machine.calls()
        assert "bulkup-nightly.service" in machine.schedule("remove", *self.CONFIG).expect(0).out
        assert machine.files() == {}
        assert machine.calls() == [
            "systemctl --user disable --now bulkup-nightly.service",
            "systemctl --user daemon-reload",
            "systemctl --user reset-failed bulkup-nightly.service",
        ]

    def test_a_watch_does_not_take_the_place_of_a_schedule_with_times(self, machine: Machine) -> None:
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(0)
        before = machine.files()
        given = ("--watch", "--config", str(machine.config), *self.CONFIG)
        machine.schedule("install", *given).expect(2, "is the schedule with times", "schedule remove")
        assert machine.files() == before

    def test_a_watch_needs_a_profile_that_can_be_watched(self, machine: Machine) -> None:
        machine.config.write_text(machine.config.read_text() + 'until = "06:00"\n')
        given = ("--watch", "--config", str(machine.config), *self.CONFIG)
        machine.schedule("install", *given).expect(2, "watch cannot be combined with until")
        assert (machine.files(), machine.calls()) == ({}, [])

    def test_if_systemd_does_not_answer_nothing_is_left(self, machine: Machine) -> None:
        machine.program("systemctl", 'case "$*" in *enable*) echo "no bus" >&2; exit 1;; esac')
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(
            7, "no bus", "--kind cron"
        )
        assert machine.files() == {}

    def test_a_folder_that_systemd_does_not_read_is_refused(self, machine: Machine) -> None:
        """systemd has an environment of its own: XDG_CONFIG_HOME of a shell need not be set there."""
        machine.program("systemctl", 'case "$*" in *UnitPath*) echo "/etc/systemd/user /usr/lib/systemd/user";; esac')
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(2, "XDG_CONFIG_HOME")
        assert machine.files() == {}
        folders = f'echo "/etc/systemd/user {machine.units}"'
        machine.program("systemctl", f'case "$*" in *UnitPath*) {folders};; esac')
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(0)

    def test_a_unit_of_somebody_else_is_kept(self, machine: Machine) -> None:
        machine.units.mkdir(parents=True)
        (machine.units / "bulkup-nightly.timer").write_text("[Timer]\n")
        for command in (("install", *AT, "--config", str(machine.config)), ("remove",)):
            machine.schedule(*command, *self.CONFIG).expect(2, "bulkup did not write it")
        assert machine.files() == {".config/systemd/user/bulkup-nightly.timer": b"[Timer]\n"}
        assert machine.calls() == []

    def test_two_files_with_one_profile_need_two_names(self, machine: Machine, tmp_path: Path) -> None:
        other = tmp_path / "other.toml"
        (tmp_path / "elsewhere").mkdir()
        other.write_text(machine.config.read_text().replace(str(machine.world.source), str(tmp_path / "elsewhere")))
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(0)
        before = machine.files()
        machine.schedule("install", *AT, "--config", str(other), *self.CONFIG).expect(2, str(machine.config), "--name")
        assert machine.files() == before
        machine.schedule("install", *AT, "--config", str(other), "--name", "second", *self.CONFIG).expect(0)
        assert len(machine.files()) == 4
        (machine.units / "bulkup-of-others.timer").write_text("[Timer]\n")
        everything = machine.schedule("status", "--json", profile=None).expect(0).lines
        assert [(one["name"], one["config"]) for one in everything] == [
            ("nightly", str(machine.config)),
            ("second", str(other)),
        ]
        (machine.units / "bulkup-of-others.timer").unlink()
        machine.schedule("remove", "--config", str(other), *self.CONFIG).expect(2, "about profile nightly")
        machine.schedule("remove", "--name", "second", *self.CONFIG).expect(0)
        assert machine.files() == before

    def test_a_profile_that_fails_its_check_is_not_installed(self, machine: Machine) -> None:
        machine.config.write_text(machine.config.read_text() + "concurrency = 0\n")
        machine.schedule("install", *AT, "--config", str(machine.config), *self.CONFIG).expect(2, "concurrency")
        given = ("--config", str(machine.config), "--profile", "x", *self.CONFIG)
        machine.schedule("install", *AT, *given).expect(2, 'no profile "x"')
        assert (machine.files(), machine.calls()) == ({}, [])

    def test_a_secret_of_the_environment_is_not_printed(self, machine: Machine) -> None:
        machine.config.write_text(
            f'[profiles.nightly]\nprovider = "magic-hour"\nsource = ["{machine.world.source}"]\ntoken = "env:MH_KEY"\n'
        )
        given = ("install", *AT, "--config", str(machine.config), *self.CONFIG)
        refused = machine.schedule(*given, MH_KEY="hidden-key").expect(2, "env:MH_KEY", "--secret MH_KEY=FILE")
        key = machine.home / "key"
        key.write_text("hidden-key\n")
        done = machine.schedule(*given, "--secret", f"MH_KEY={key}", MH_KEY="hidden-key").expect(0)
        service = (machine.units / "bulkup-nightly.service").read_text()
        assert f"LoadCredential=MH_KEY:{key}" in service
        assert "hidden-key" not in refused.out + refused.err + done.out + done.err + service


FAKE_CRONTAB = """
case "$1" in
  -l) if [ -f "$HOME/tab" ]; then cat "$HOME/tab"; else echo "no crontab for me" >&2; exit 1; fi;;
  -r) rm "$HOME/tab";;
  -) cat > "$HOME/tab";;
esac
"""
OTHERS = b"MAILTO=me\n# a comment \xff\n*/5 * * * * /bin/true % input\n\n"


class TestCron:
    @pytest.mark.parametrize("before", [None, OTHERS])
    def test_other_lines_are_kept(self, machine: Machine, before: bytes | None) -> None:
        machine.program("crontab", FAKE_CRONTAB)
        tab = machine.home / "tab"
        if before is not None:
            tab.write_bytes(before)
        given = ("--config", str(machine.config), "--kind", "cron")
        shown = machine.schedule("show", *AT, *given).expect(0).out.encode()
        for at in ("03:00", "02:00"):
            machine.schedule("install", "--at", at, "--weekdays", "Mon-Fri", *given).expect(0, "cron makes up for no")
        written = tab.read_bytes()
        assert written.startswith(before or b"# BEGIN bulkup")
        assert written.removeprefix(before or b"") in shown
        assert written.count(b" --log-level warning ") == 1
        status = machine.schedule("status").expect(0).out
        assert "nightly: cron, at 02:00 on Mon-Fri, enabled" in status
        assert "no run yet" in status
        assert machine.schedule("status", profile=None).expect(0).out == status
        machine.schedule("remove").expect(0)
        assert "No schedules of this user" in machine.schedule("status", profile=None).expect(0).out
        assert (tab.read_bytes() if tab.exists() else None) == before

    def test_the_line_for_cron_uploads(self, machine: Machine) -> None:
        machine.program("crontab", FAKE_CRONTAB)
        machine.schedule("install", *AT, "--config", str(machine.config), "--kind", "cron").expect(0)
        (line,) = [one for one in (machine.home / "tab").read_text().splitlines() if one.startswith("0 2 ")]
        command = line.split(" ", 5)[5].replace("\\%", "%")
        done = subprocess.run(
            ["/bin/sh", "-c", command], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False, cwd="/"
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert "exit 0 (complete)" in machine.schedule("status").expect(0).out
        (machine.world.source / "unreadable.mp4").symlink_to(machine.world.source / "none.mp4")
        machine.config.write_text(machine.config.read_text() + 'symlinks = "follow"\n')
        bad = subprocess.run(
            ["/bin/sh", "-c", command], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
        )
        assert "unreadable.mp4" in bad.stdout
        assert bad.stdout.endswith("exit code 3\n")

    def test_a_crontab_that_cannot_be_read_is_not_replaced(self, machine: Machine) -> None:
        machine.program("crontab", "echo 'you are not allowed to use this program' >&2; exit 1")
        given = ("--config", str(machine.config), "--kind", "cron")
        machine.schedule("install", *AT, *given).expect(7, "you are not allowed")
        assert machine.calls() == ["crontab -l"]

    @pytest.mark.skipif(shutil.which("crontab", path=SYSTEM) is None, reason="crontab is not installed")
    def test_the_crontab_of_this_machine(self, machine: Machine) -> None:
        if subprocess.run(["crontab", "-l"], capture_output=True, check=False).returncode == 0:
            pytest.skip("this user has a crontab, which a test must not touch")
        given = ("--config", str(machine.config), "--kind", "cron")
        try:
            machine.schedule("install", *AT, *given).expect(0)
            assert "bulkup-schedule" in subprocess.check_output(["crontab", "-l"], text=True)
            machine.schedule("remove", "--kind", "cron").expect(0)
            assert subprocess.run(["crontab", "-l"], capture_output=True, check=False).returncode == 1
        finally:
            subprocess.run(["crontab", "-r"], capture_output=True, check=False)


def test_launchd(machine: Machine) -> None:
    machine.program(
        "launchctl", 'case "$1" in print) printf "state = not running\\nlast exit code = 1\\n";; bootout) exit 3;; esac'
    )
    given = ("--config", str(machine.config), "--kind", "launchd")
    machine.schedule("install", *AT, *given).expect(0, "is appended to")
    path = machine.home / "Library/LaunchAgents/bulkup.nightly.plist"
    values = plistlib.loads(path.read_bytes())
    assert values["ProgramArguments"][-4:] == ["--profile", "nightly", "--config", str(machine.config)]
    assert f"launchctl bootstrap gui/{os.geteuid()} {path}" in machine.calls()
    assert "exit 1 (some files failed)" in machine.schedule("status", "--kind", "launchd").expect(0).out
    machine.schedule("remove", "--kind", "launchd").expect(0)
    assert not path.exists()


def test_without_a_service_manager_the_message_says_what_to_do(machine: Machine) -> None:
    """This machine may have one; then the choice is tested above."""
    if os.path.isdir("/run/systemd/system") or shutil.which("crontab", path=SYSTEM):
        pytest.skip("this machine has a service manager")
    machine.schedule("install", *AT, "--config", str(machine.config)).expect(2, "neither systemd nor", "schedule show")
    machine.schedule("status").expect(2, "there is no schedule nightly")


def test_the_program_of_a_kind_that_is_not_installed_is_named(machine: Machine) -> None:
    given = ("--config", str(machine.config), "--kind", "launchd")
    machine.schedule("install", *AT, *given).expect(7, "no program launchctl")
    assert [name for name in machine.files() if name.endswith(".plist")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "25:00"), "--at"),
        (("--at", "02:00", "--weekdays", "x"), "--weekdays"),
        (("--at", "02:00", "--kind", "x"), "--kind"),
        (("--at", "02:00", "--kind", "cron", "--random-delay", "x"), "--random-delay"),
        (("--at", "02:00", "--kind", "cron", "--run-as", "root"), "--run-as"),
        (("--at", "02:00", "--kind", "cron", "--name", "a b"), "--name"),
        (("--at", "02:00", "--kind", "cron", "--secret", "x"), "--secret"),
        (("--kind", "systemd"), "--at is missing"),
        (("--watch", "--at", "02:00", "--kind", "systemd"), "--watch has no --at"),
        (("--watch", "--weekdays", "Mon", "--kind", "systemd"), "--watch has no --at"),
        (("--watch", "--kind", "cron"), "cron starts programs at times"),
    ],
)
def test_wrong_options_are_refused(machine: Machine, options: tuple[str, ...], said: str) -> None:
    machine.schedule("install", *options, "--config", str(machine.config)).expect(2, said)
    assert (machine.files(), machine.calls()) == ({}, [])


def test_a_schedule_of_the_system_is_shown_to_every_user(machine: Machine) -> None:
    given = ("--profile", "nightly", "--config", str(machine.config), "--system", "--kind", "systemd", *AT)
    shown = run("schedule", "show", *given).expect(0).out
    assert "/etc/systemd/system/bulkup-nightly.service" in shown
    assert "ProtectSystem=strict" in shown
    assert json.dumps(str(machine.config)) in shown
