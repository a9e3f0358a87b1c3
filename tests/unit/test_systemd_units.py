"""The units of a schedule, also as systemd itself checks them."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from schedule_jobs import job

from bulkup.cli.schedule.schedule_times import parse_times
from bulkup.cli.schedule.scheduled_job import Credential, Mark, ScheduledJob, read_mark
from bulkup.cli.schedule.systemd_units import below_temporary, service_text, timer_text, unit_texts
from bulkup.errors import ExitCode, UsageError

NOBODY = 65534
ODD = "/srv/a b/100 % \"quoted\" 'too' \\ $HOME ${x} ; ü"


def odd_job(**changes: Any) -> ScheduledJob:
    """Return a job whose values need every rule of quoting."""
    values: dict[str, Any] = {
        "profile": 'a "b" %h',
        "config": f"{ODD}/bulkup.toml",
        "command": (sys.executable, "-P", "-m", "bulkup", "upload", "--config", f"{ODD}/bulkup.toml"),
        "environment": {"HOME": f"{ODD}/home", "XDG_STATE_HOME": "/srv/%d"},
        "credentials": (Credential("bulkup.token", f"{ODD}/token"), Credential("KEY", "/etc/key")),
        "writable": (f"{ODD}/state",),
        "times": parse_times(["02:00", "14:30"], "Mon-Fri"),
    }
    return job(**{**values, **changes})


JOBS = [
    pytest.param(job(command=(sys.executable, "-m", "bulkup")), id="plain"),
    pytest.param(odd_job(), id="odd"),
    pytest.param(odd_job(is_system=True), id="of-the-system"),
    pytest.param(odd_job(is_system=True, user="backup", uses_temporary=True), id="as-another-user"),
    pytest.param(odd_job(times=None), id="watch"),
    pytest.param(odd_job(times=None, is_system=True), id="watch-of-the-system"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")
@pytest.mark.parametrize("given", JOBS)
def test_systemd_accepts_the_units(given: ScheduledJob, tmp_path: Path) -> None:
    for name, text in unit_texts(given).items():
        (tmp_path / name).write_text(text)
    scope = "--system" if given.is_system else "--user"
    command = ["systemd-analyze", "verify", scope, "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    environ = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "bulkup-nightly" in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")
@pytest.mark.parametrize("line", ["ExecStart=relative", "ProtectSystem=perhaps", "OnCalendar=never", "Nicer=1"])
def test_systemd_refuses_units_with_a_fault(line: str, tmp_path: Path) -> None:
    """So the test above can fail."""
    for name, text in unit_texts(job(command=(sys.executable,))).items():
        section = "[Timer]" if line.startswith("OnCalendar") else "[Service]"
        (tmp_path / name).write_text(text.replace(section, f"{section}\n{line}"))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "bulkup-nightly" in done.stdout + done.stderr


def test_a_service_says_when_it_has_started_and_lives() -> None:
    lines = service_text(job()).splitlines()
    assert {"Type=notify", "NotifyAccess=main", "WatchdogSec=600", "NoNewPrivileges=yes"} <= set(lines)
    assert "TimeoutStopSec=90" in lines


def test_a_run_that_stopped_in_time_or_was_stopped_is_a_good_night() -> None:
    """Every other code needs somebody, also 3: a source that is empty because it is not mounted ends with it."""
    assert f"SuccessExitStatus={int(ExitCode.TIME_UP)} {int(ExitCode.SIGTERM)}" in service_text(job())


def test_a_service_of_the_system_may_write_only_to_its_folders() -> None:
    lines = service_text(odd_job(is_system=True)).splitlines()
    assert "ProtectSystem=strict" in lines
    assert [line for line in lines if line.startswith("ReadWritePaths=")] == [
        'ReadWritePaths="/srv/a b/100 %% \\"quoted\\" \'too\' \\\\ $HOME ${x} ; ü/state"'
    ]
    assert "CapabilityBoundingSet=CAP_DAC_READ_SEARCH" in lines
    assert "PrivateTmp=yes" in lines


def test_a_service_of_another_user_has_no_capabilities() -> None:
    lines = service_text(job(is_system=True, user="backup", uses_temporary=True)).splitlines()
    assert {"User=backup", "CapabilityBoundingSet="} <= set(lines)
    assert "PrivateTmp=yes" not in lines


def test_a_service_that_removes_uploaded_files_may_do_so() -> None:
    lines = service_text(job(is_system=True, takes_files_away=True)).splitlines()
    assert "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_FOWNER" in lines


def test_a_service_of_a_user_needs_no_namespaces() -> None:
    """Many systems do not let a user's service manager make them, and the service would not start."""
    text = service_text(job())
    assert not any(f"{name}=" in text for name in ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices"))


def test_secrets_are_handed_over_as_credentials() -> None:
    lines = service_text(odd_job()).splitlines()
    assert "LoadCredential=KEY:/etc/key" in lines
    assert f"LoadCredential=bulkup.token:{ODD.replace('%', '%%')}/token" in lines


def test_a_timer_makes_up_for_a_time_that_was_missed() -> None:
    lines = timer_text(job(delay=60), parse_times(["02:00", "14:00"], "Mon-Fri")).splitlines()
    assert [line for line in lines if line.startswith("OnCalendar=")] == [
        "OnCalendar=Mon..Fri *-*-* 02:00:00",
        "OnCalendar=Mon..Fri *-*-* 14:00:00",
    ]
    assert {"Persistent=true", "RandomizedDelaySec=60", "WantedBy=timers.target"} <= set(lines)


@pytest.mark.parametrize("given", JOBS)
def test_every_unit_has_the_mark_of_its_job(given: ScheduledJob) -> None:
    if given.times is None:
        marks = [Mark(given.profile, given.config, is_watch=True)]
    else:
        marks = [Mark(given.profile, given.config, tuple(given.times.at_texts()), given.times.weekdays_text())] * 2
    assert [read_mark(text.encode()) for text in unit_texts(given).values()] == marks


@pytest.mark.parametrize(("is_system", "target"), [(False, "default.target"), (True, "multi-user.target")])
def test_a_watch_is_a_service_that_starts_with_the_machine_and_after_a_failure(is_system: bool, target: str) -> None:
    """A stop in order, wrong settings and a journal in use end it. Its protection is that of a run."""
    watch, usual = (service_text(job(times=times, is_system=is_system)).splitlines() for times in (None, job().times))
    assert [line for line in watch if line not in usual and not line.startswith(("#", "Description="))] == [
        "Restart=on-failure",
        "RestartSec=60",
        f"RestartPreventExitStatus={int(ExitCode.USAGE)} {int(ExitCode.LOCKED)}",
        "[Install]",
        f"WantedBy={target}",
    ]
    assert {"Type=notify", "WatchdogSec=600", "SystemCallFilter=@system-service"} <= set(watch)
    assert list(unit_texts(job(times=None))) == ["bulkup-nightly.service"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[Unit]\n", b"# bulkup-schedule: {}", b"# bulkup-schedule: {x}", b"\xff\xfe", b"bulkup-schedule: 1"],
)
def test_other_files_have_no_mark(content: bytes) -> None:
    assert read_mark(content) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"config": "/a\nExecStart=/bin/sh", "command": ("/b", "/a\nExecStart=/bin/sh")},
        {"profile": "a\nb"},
        {"credentials": (Credential("KEY", "/etc/key "),)},
        {"environment": {"HOME": "/\udcff"}},
    ],
)
def test_a_value_that_a_unit_cannot_contain_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be written into a unit"):
        service_text(job(**changes))


@pytest.mark.parametrize(
    ("path", "expected"), [("/tmp/a", True), ("/var/tmp/a/b", True), ("/tmpfs/a", False), ("/srv/tmp/a", False)]
)
def test_paths_below_temporary_folders(path: str, expected: bool) -> None:
    """A service with PrivateTmp= has its own, so it would not see those files."""
    assert below_temporary(path) is expected


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can read: systemd does not run its own test as root."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for path in (folder, folder / "home", folder / "units"):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(folder / "home", NOBODY, NOBODY)
        yield folder


def read_by_systemd(job_: ScheduledJob, folder: Path) -> list[str]:
    """Return the lines of systemd's own description of a service."""
    for name, text in unit_texts(job_).items():
        (folder / "units" / name).write_text(text)
    home = str(folder / "home")
    command = ["/lib/systemd/systemd", "--test", "--user", "--log-target=console", "--unit=bulkup-nightly.service"]
    environ = {"PATH": "/usr/bin:/bin", "HOME": home, "XDG_RUNTIME_DIR": home, "LC_ALL": "C.UTF-8"}
    environ["SYSTEMD_UNIT_PATH"] = f"{folder}/units:"
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, **user)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    begin = lines.index("-> Unit bulkup-nightly.service:")
    end = next((at for at in range(begin + 1, len(lines)) if lines[at].startswith("-> Unit ")), len(lines))
    return lines[begin:end]


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")
def test_systemd_reads_every_value_as_it_was(open_folder: Path) -> None:
    """systemd describes values without quotes, and the command line with quotes of its own."""
    chance = random.Random(1)
    texts = ["".join(chance.choices("\\\"'%$ {}();#!@-:+=&|<>*?[]~^ab1ü世", k=12)) for _ in range(150)]
    texts = [text.strip() + "x" for text in texts]
    given = job(
        is_system=True,
        environment={f"VALUE{number}": text for number, text in enumerate(texts)},
        writable=tuple(f"/srv/{text}" for text in texts),
        command=("/bin/true", *texts),
    )
    lines = read_by_systemd(given, open_folder)
    for number, text in enumerate(texts):
        assert f"Environment: VALUE{number}={text}" in lines
    assert "ReadWritePaths: " + " ".join(given.writable) in lines
    shown, reload = [line.removeprefix("Command Line: ") for line in lines if line.startswith("Command Line: ")]
    assert shlex.split(reload.replace("\\$", "$")) == ["/bin/kill", "-HUP", "$MAINPID"]
    # It shows a `$` as `$$` still, which becomes one when the program is started.
    assert [word.replace("$$", "$") for word in shlex.split(shown.replace("\\$", "$"))] == ["/bin/true", *texts]


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")
@pytest.mark.parametrize("user", [None, "backup"])
def test_systemd_rates_the_service_of_the_system_as_little_exposed(user: str | None, tmp_path: Path) -> None:
    """On its scale from 0 (tight) to 100. A service without any protection has 96."""
    path = tmp_path / "bulkup-nightly.service"
    path.write_text(service_text(job(is_system=True, user=user, command=(sys.executable,))))
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=30", "--no-pager", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
