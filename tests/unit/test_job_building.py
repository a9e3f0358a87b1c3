"""A job from a profile: its command, its credentials, and the variables that it will not have."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.cli.schedule.job_building import (
    BuiltJob,
    ScheduleOptions,
    build_job,
    bulkup_command,
    handed_over,
    job_environment,
    make_writable,
    schedule_name,
    secret_files,
    takes_files_away,
    unseen_variables,
    written_folders,
)
from bulkup.cli.schedule.schedule_times import parse_times
from bulkup.cli.schedule.scheduled_job import Credential
from bulkup.config import Settings
from bulkup.config.secret_source import SecretSource
from bulkup.errors import UsageError


class Profile:
    """A configuration file with one profile, in a folder with a source."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "media"
        self.config = root / "bulkup.toml"
        self.environ = {"HOME": str(root / "home"), "XDG_STATE_HOME": str(root / "state"), "LANG": "C"}
        self.source.mkdir()

    def write(self, *lines: str) -> None:
        self.config.write_text("\n".join(["[profiles.nightly]", *lines]) + "\n")

    def built(self, environ: Mapping[str, str] | None = None, **changes: Any) -> BuiltJob:
        values: dict[str, Any] = {
            "profile": "nightly",
            "config": str(self.config),
            "name": "nightly",
            "kind": "systemd",
            "times": parse_times(["02:00"], None),
            "delay": 300,
            "is_system": False,
            "user": None,
            "secrets": {},
        }
        return build_job(ScheduleOptions(**{**values, **changes}), {**self.environ, **(environ or {})}, "/x/bulkup")

    def refused(self, environ: Mapping[str, str] | None = None, **changes: Any) -> UsageError:
        with pytest.raises(UsageError) as caught:
            self.built(environ, **changes)
        return caught.value


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


def test_a_job_uploads_the_profile_from_any_folder(profile: Profile) -> None:
    profile.write('provider = "magic-hour"', f'source = ["{profile.source}"]', 'token = "file:key"', 'grace = "40s"')
    (profile.root / "key").write_text("secret")
    built = profile.built()
    job = built.job
    assert job.command[-5:] == ("upload", "--profile", "nightly", "--config", str(profile.config))
    assert os.path.isabs(job.command[0])
    assert job.environment == {name: profile.environ[name] for name in ("HOME", "XDG_STATE_HOME")}
    assert job.credentials == (Credential("bulkup.token", str(profile.root / "key")),)
    assert job.writable == (str(profile.root / "state" / "bulkup"),)
    assert job.stop_after == 100
    assert built.notes == ()


def test_the_store_of_the_provider_local_is_writable(profile: Profile) -> None:
    profile.write('provider = "local"', f'source = ["{profile.source}"]', f'store = "{profile.root}/store"')
    assert profile.built().job.writable == (str(profile.root / "state" / "bulkup"), str(profile.root / "store"))


@pytest.mark.parametrize("line", ['log_file = "out/nightly.log"', 'metrics_file = "out/nightly.prom"'])
def test_the_folders_of_other_files_are_writable(profile: Profile, line: str) -> None:
    profile.write('provider = "local"', f'source = ["{profile.source}"]', line)
    assert str(profile.root / "out") in profile.built().job.writable


def test_a_run_that_removes_uploaded_files_may_write_to_the_source(tmp_path: Path) -> None:
    settings = Settings(provider="magic-hour", source=("/srv/spool",), journal=str(tmp_path / "j"))
    removing = settings.model_copy(update={"delete_after_upload": True})
    assert written_folders(removing, "nightly", "/c", {}) == (str(tmp_path), "/srv/spool")
    assert takes_files_away(removing)
    assert not takes_files_away(settings)


@pytest.mark.parametrize(
    ("target", "folders"),
    [("/srv/done", ["/srv"]), ("/srv/a/done", ["/srv"]), ("/data/done", ["/srv/spool", "/data/done"])],
)
def test_a_run_that_moves_files_may_write_to_one_folder_above_both(
    tmp_path: Path, target: str, folders: list[str]
) -> None:
    """For systemd two folders are two mounts, between which no file can be moved. The root stays protected."""
    settings = Settings(provider="magic-hour", source=("/srv/spool",), journal=str(tmp_path / "j"), move_to=target)
    assert written_folders(settings, "nightly", "/c", {}) == (str(tmp_path), *folders)
    assert takes_files_away(settings)


def test_addresses_of_notifications_are_secrets_of_the_run(profile: Profile) -> None:
    """Those who know them can say that a night was good."""
    profile.write('provider = "local"', f'source = ["{profile.source}"]', "[profiles.nightly.notify]")
    text = profile.config.read_text()
    profile.config.write_text(text + 'ping_url = "env:PING"\nlimit = "1m"\n')
    assert "notify.ping_url = env:PING" in profile.refused().message
    (profile.root / "ping").write_text("https://ping.example.com/uuid")
    profile.config.write_text(text + 'ping_url = "file:ping"\nlimit = "1m"\non_failure = "mail me"\n')
    built = profile.built()
    assert built.job.credentials == (Credential("bulkup.notify.ping_url", str(profile.root / "ping")),)
    assert built.job.stop_after == 30 + 60 + 60
    assert ["restrictions of the service" in note for note in built.notes] == [True]


def test_a_profile_that_does_not_exist_is_refused(profile: Profile) -> None:
    profile.write('provider = "local"', f'source = ["{profile.source}"]')
    assert 'no profile "nightlY"' in profile.refused(profile="nightlY").message
    assert "cannot read" in profile.refused(config=str(profile.root / "none.toml")).message


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['provider = "local"'], "names no source"),
        (['source = ["."]'], "names no provider"),
        (['provider = "local"', 'source = ["missing"]'], "does not exist"),
        (['provider = "local"', 'source = ["media"]', 'files_from = "-"'], "standard input"),
        (['provider = "local"', 'source = ["media"]', "concurrency = 0"], "concurrency"),
        (['provider = "magic-hour"', 'source = ["media"]'], "magic-hour needs token"),
        (['provider = "magic-hour"', 'source = ["media"]', 'token = "file:none"'], "No such file"),
    ],
)
def test_a_profile_that_could_not_run_is_refused(profile: Profile, lines: list[str], said: str) -> None:
    profile.write(*lines)
    assert said in str(profile.refused())


def test_settings_of_the_present_environment_do_not_count(profile: Profile) -> None:
    """The schedule would not have them."""
    profile.write(f'source = ["{profile.source}"]')
    assert "names no provider" in profile.refused({"BULKUP_PROVIDER": "local"}).message


def test_a_secret_that_is_only_in_the_present_environment_is_refused(profile: Profile) -> None:
    profile.write('provider = "magic-hour"', f'source = ["{profile.source}"]', 'token = "env:MH_KEY"')
    error = profile.refused({"MH_KEY": "hidden-value"})
    assert "token = env:MH_KEY" in error.message
    assert "--secret MH_KEY=FILE" in error.hint
    assert "hidden-value" not in str(error) + error.hint
    assert 'token = "file:PATH"' in profile.refused({"MH_KEY": "x"}, kind="cron").hint


def test_a_secret_of_the_environment_is_handed_over_from_a_file(profile: Profile) -> None:
    profile.write('provider = "magic-hour"', f'source = ["{profile.source}"]', 'token = "env:MH_KEY"')
    key = profile.root / "key"
    key.write_text("secret\n")
    assert profile.built(secrets={"MH_KEY": str(key)}).job.credentials == (Credential("MH_KEY", str(key)),)
    key.write_text("two\nlines")
    assert "control character" in profile.refused(secrets={"MH_KEY": str(key)}).message
    key.unlink()
    assert "cannot read" in profile.refused(secrets={"MH_KEY": str(key)}).message
    assert "is for systemd" in profile.refused(secrets={"MH_KEY": str(key)}, kind="cron").message


def test_a_job_needs_no_credentials_that_the_workers_of_a_cluster_fetch(profile: Profile) -> None:
    lines = 'provider = "magic-hour"', f'source = ["{profile.source}"]', 'token = "env:MH_KEY"', 'cluster = "tls://a:1"'
    profile.write(*lines)
    assert "env:MH_KEY" in profile.refused().message
    profile.write(*lines, 'cluster_credentials = "workers"')
    assert profile.built().job.credentials == ()


def test_a_file_that_no_secret_needs_is_refused(profile: Profile) -> None:
    profile.write('provider = "local"', f'source = ["{profile.source}"]')
    (profile.root / "key").write_text("secret")
    assert "env:OTHER" in profile.refused(secrets={"OTHER": str(profile.root / "key")}).message


def test_notes_about_secrets_never_show_them() -> None:
    used = {name: SecretSource.parse(name, text) for name, text in SOURCES.items()}
    credentials, notes = handed_over(used, {}, "systemd")
    assert credentials == []
    assert ["from a command" in notes[0], "written out" in notes[1], len(notes)] == [True, True, 2]
    assert "hidden" not in "".join(notes)


SOURCES = {"token": "command:pass hidden", "api_key": "hidden-key", "access_key": "an-account"}


def test_variables_that_the_job_will_not_see_are_named_without_their_values() -> None:
    environ = {"BULKUP_CONCURRENCY": "9hidden", "https_proxy": "hidden", "AWS_PROFILE": "hidden", "LANG": "C"}
    (note,) = unseen_variables(environ, {}, "s3")
    assert ": AWS_PROFILE, BULKUP_CONCURRENCY, https_proxy;" in note
    assert "hidden" not in note
    (note,) = unseen_variables(environ, {}, "local")
    assert ": BULKUP_CONCURRENCY, https_proxy;" in note
    assert list(unseen_variables({"LANG": "C", "HOME": "/"}, {}, "s3")) == []


def test_a_job_of_another_user_has_that_users_folders() -> None:
    found = job_environment({"HOME": "/home/me", "XDG_STATE_HOME": "/elsewhere"}, "root")
    assert found["XDG_STATE_HOME"] == f"{found['HOME']}/.local/state"
    with pytest.raises(UsageError, match="no user"):
        job_environment({}, "no-such-user")


def test_relative_folders_of_the_environment_are_ignored() -> None:
    assert job_environment({"HOME": "/h", "XDG_STATE_HOME": "relative", "XDG_DATA_HOME": ""}, None) == {"HOME": "/h"}


def test_the_command_is_found_as_it_was_started(tmp_path: Path) -> None:
    program = tmp_path / "bulkup"
    program.touch(mode=0o755)
    assert bulkup_command(str(program)) == (str(program),)
    assert bulkup_command("/x/bulkup/__main__.py") == (sys.executable, "-P", "-m", "bulkup")


@pytest.mark.parametrize("name", ["", "a b", "-a", "../x", "ü", "a/b", "a@b", "x" * 101])
def test_a_name_that_units_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name of a schedule"):
        schedule_name(None, name)
    assert schedule_name("nightly", name) == "nightly"


def test_files_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert secret_files(["KEY=key", "B=/b=c"]) == {"KEY": f"{tmp_path}/key", "B": "/b=c"}
    for wrong in ("KEY", "KEY=", "=x", "a-b=x", "1=x"):
        with pytest.raises(UsageError, match="--secret"):
            secret_files([wrong])


def test_missing_folders_are_made_for_the_owner_alone(profile: Profile) -> None:
    profile.write('provider = "local"', f'source = ["{profile.source}"]', f'store = "{profile.root}/a/store"')
    job = profile.built().job
    for _ in range(2):
        make_writable(job)
    for folder in job.writable:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
