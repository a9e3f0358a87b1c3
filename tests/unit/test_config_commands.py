"""`bulkup config show` and `bulkup config check`, as the command line runs them."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bulkup.cli.config_commands import PLACE_HINTS, config_app
from bulkup.config.catalogue import SETTINGS
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.errors import UsageError

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in [name for name in os.environ if name.startswith("BULKUP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "src").mkdir()

    def run(*args: str, text: str | None = None) -> Result:
        if text is not None:
            (tmp_path / "bulkup.toml").write_text(text)
            (tmp_path / "bulkup.toml").chmod(0o644)
        return CliRunner().invoke(config_app, args)

    return run


def complaint(result: Any) -> UsageError:
    assert result.exit_code != 0
    assert isinstance(result.exception, UsageError)
    return result.exception


def test_show_names_every_setting_with_value_and_origin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKUP_EXCLUDE", "[ab]*.tmp,x")
    text = "[profiles.n]\nprovider = 'magic-hour'\nretry_for = '1m'\nwait = true"
    result = run("show", "--profile", "n", text=text)
    assert result.exit_code == 0
    cells = [[cell.strip() for cell in line.split("│")] for line in result.stdout.splitlines()]
    rows = {row[1]: row[2:4] for row in cells if len(row) == 5}
    assert set(SETTINGS) <= set(rows)
    assert rows["retry_for"] == ["60", "profile n (bulkup.toml line 3)"]
    assert rows["exclude"] == ["[ab]*.tmp", "environment BULKUP_EXCLUDE"]
    assert rows["base_url"] == ["https://api.magichour.ai", "default"]
    assert rows["wait"] == ["true", "profile n (bulkup.toml line 4)"]
    assert rows["null"] == ["false", "default"]


def test_show_masks_secrets_and_runs_nothing(run: Run, tmp_path: Path) -> None:
    touch = f'command:{sys.executable} -c \'open("ran", "w")\''
    result = run("show", "--profile", "n", text=f'[profiles.n]\ntoken = "hunter2"\napi_key = """{touch}"""')
    assert "hunter2" not in result.output
    assert "***" in result.stdout
    assert not (tmp_path / "ran").exists()
    assert "env:KEY" in run("show", "--profile", "n", text='[profiles.n]\ntoken = "env:KEY"').stdout


METASTUDIO = """
[profiles.n]
source = "src"
provider = "metastudio"
region = "cn-east-3"
project_id = "p"
expires_at = "36h"
auth_token = "hunter2"
asset_map = "map.csv"
[[profiles.n.assets]]
match = "[ab].png"
asset_id = "a"
[[profiles.n.assets]]
match = "*"
asset_id = "b"
asset_file_category = "COVER"
"""


def test_show_of_rules_times_and_the_url_of_a_region(run: Run) -> None:
    result = run("show", "--profile", "n", text=METASTUDIO)
    lines = [" ".join(line.replace("│", "").split()) for line in result.stdout.splitlines()]
    assert "assets match = [ab].png, asset_id = a profile n (bulkup.toml line 10)" in lines
    assert "match = *, asset_id = b, asset_file_category = COVER" in lines
    assert "base_url https://metastudio.cn-east-3.myhuaweicloud.com default" in lines
    assert "expires_at 36h profile n (bulkup.toml line 7)" in lines
    shown = json.loads(run("show", "--profile", "n", "--json").stdout)["settings"]
    rule = {"match": "[ab].png", "asset_id": "a", "asset_file_category": None, "asset_type": None}
    assert shown["assets"]["value"][0] == rule
    assert shown["auth_token"]["value"] == "***"


def test_show_as_json_is_one_object(run: Run, tmp_path: Path) -> None:
    result = run("show", "--json", "--profile", "n", text="[profiles.n]\ntoken = 'hunter2'\nsource = 'src'")
    shown = json.loads(result.stdout)
    assert shown["profile"] == "n"
    assert shown["config_file"] == f"{tmp_path}/bulkup.toml"
    assert set(shown["settings"]) == set(SETTINGS)
    assert shown["settings"]["token"] == {"value": "***", "origin": "profile n (bulkup.toml line 2)"}
    assert shown["settings"]["source"]["value"] == [f"{tmp_path}/src"]
    assert result.stdout.count("\n") == 1


def test_show_without_any_file(run: Run) -> None:
    shown = json.loads(run("show", "--json").stdout)
    assert (shown["profile"], shown["config_file"]) == (None, None)


def test_warnings_go_to_standard_error(run: Run) -> None:
    result = run("show", "--json", "--config", "bulkup.toml", text="[profiles.n]\n")
    json.loads(result.stdout)
    assert result.stderr == "warning: nothing in bulkup.toml is used, because no profile is named\n"


GOOD = """
[profiles.a]
source = "src"
provider = "local"
[profiles.b]
source = ["src"]
provider = "magic-hour"
token = "env:KEY"
"""


def test_check_of_valid_profiles(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "abc")
    result = run("check", text=GOOD)
    assert (result.exit_code, result.stdout) == (0, "2 profiles are fine\n")
    assert run("check", "--profile", "a").stdout == "1 profile is fine\n"


def test_check_reports_all_errors_of_all_profiles(run: Run, tmp_path: Path) -> None:
    text = """\
[profiles.a]
source = ["src", "gone"]
provider = "magic-hour"
token = "env:NO_SUCH_KEY"
ca_file = "none.pem"
[profiles.b]
provider = "move-ugc"
[profiles.c]
attempts = 0
[profiles.d]
source = "src"
journal = "src/j"
"""
    lines = complaint(run("check", text=text)).message.splitlines()
    why = "so it would be uploaded and change while it is read"
    inside = f"{tmp_path}/src/j is inside the source {tmp_path}/src, {why}"
    assert lines[0] == "6 problems in the settings:"
    assert [line.strip() for line in lines[1:]] == [
        f"bulkup.toml:2: source: {tmp_path}/gone does not exist",
        f"bulkup.toml:5: ca_file: {tmp_path}/none.pem does not exist",
        "bulkup.toml:4: token: env:NO_SUCH_KEY is not set (set the environment variable NO_SUCH_KEY)",
        'bulkup.toml:6: move-ugc needs api_key (write `api_key = "env:NAME"` in profile b)',
        "bulkup.toml:9: attempts: expected a whole number from 1, not 0",
        f"bulkup.toml:12: journal: {inside} (name a path outside every source with --journal)",
    ]


def test_check_reports_missing_credentials_and_settings(run: Run) -> None:
    text = """\
[profiles.a]
provider = "metastudio"
access_key = "id"
[profiles.b]
provider = "xvid"
client_id = "env:NO_SUCH_KEY"
client_secret = "x"
"""
    lines = complaint(run("check", text=text)).message.splitlines()
    ways = "access_key and secret_key, or auth_token, or iam_user, iam_domain and iam_password"
    secret = '`secret_key = "env:NAME"`'
    project = 'use --project-id, set BULKUP_PROJECT_ID, or write `project_id = "..."` in a profile'
    asset = 'use --asset-id, set BULKUP_ASSET_ID, or write `asset_id = "..."` in a profile'
    pipeline = 'use --pipeline-id, set BULKUP_PIPELINE_ID, or write `pipeline_id = "..."` in a profile'
    assert [line.strip() for line in lines[1:]] == [
        f"bulkup.toml:1: metastudio needs {ways}; access_key is set without secret_key (write {secret} in profile a)",
        f"bulkup.toml:1: metastudio needs project_id, and asset_id, assets or asset_map ({project}; {asset})",
        "bulkup.toml:6: client_id: env:NO_SUCH_KEY is not set (set the environment variable NO_SUCH_KEY)",
        f"bulkup.toml:4: xvid needs pipeline_id ({pipeline})",
    ]


def test_check_reads_the_asset_map(run: Run, tmp_path: Path) -> None:
    where = f"{tmp_path}/map.csv"
    error = complaint(run("check", text=METASTUDIO))
    assert error.message == f"bulkup.toml:9: asset_map: {where} does not exist"
    (tmp_path / "src" / "a").touch()
    (tmp_path / "map.csv").write_text("path,asset_id\na,one\n")
    assert run("check").stdout == "1 profile is fine\n"
    (tmp_path / "map.csv").write_text("path,asset_id\nb,one\n")
    assert complaint(run("check")).message == f"{where}:2: path 'b' does not exist in '{tmp_path}/src'"
    (tmp_path / "map.csv").write_text("path,asset_id\n" + "b,one\n" * 25)
    lines = complaint(run("check")).message.splitlines()
    assert lines[-1].strip() == "bulkup.toml:9: asset_map: 5 more problems in the file"


def test_check_requires_one_directory_for_an_asset_map(run: Run, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("path,asset_id\n")
    (tmp_path / "other").mkdir()
    text = METASTUDIO.replace('"src"', '["src", "other"]')
    what = "asset_map needs exactly one source, the directory that its paths are relative to"
    assert complaint(run("check", text=text)).message == f"bulkup.toml:9: {what}"


def test_check_requires_one_source_for_a_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    text = "[profiles.a]\nsource = ['src', 'other']\nsource_id = 'media'\n"
    message = complaint(run("check", text=text)).message
    assert message == "bulkup.toml:3: source_id is the name of one source, and 2 are given"
    assert run("check", text=text.replace(", 'other'", "")).exit_code == 0


def test_check_names_the_variable_of_a_wrong_value(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BULKUP_SOURCE", "gone")
    error = complaint(run("check", text="[profiles.a]\n[profiles.b]\n"))
    assert error.message == f"BULKUP_SOURCE: source: {tmp_path}/gone does not exist"


def test_check_reports_a_store_inside_a_source(run: Run) -> None:
    text = "[profiles.a]\nsource = 'src'\nstore = 'src/s'\n"
    assert run("check", text=text).exit_code == 0  # no provider, so nothing is stored there
    message = complaint(run("check", text=text + "provider = 'local'")).message
    assert message.startswith("bulkup.toml:3: store: ")


def test_check_reports_an_identity_service_over_plain_http(run: Run, tmp_path: Path) -> None:
    """Only for the provider that has an identity service, and in all of its profiles."""
    text = METASTUDIO.replace('asset_map = "map.csv"', 'iam_url = "http://iam.example"')
    message = complaint(run("check", text=text)).message
    assert message.startswith("bulkup.toml:9: iam_url: http://iam.example ")
    assert "base_url, which is https://metastudio.cn-east-3.myhuaweicloud.com" in message
    two = text + text.replace("profiles.n", "profiles.m")
    assert complaint(run("check", text=two)).message.startswith("2 problems in the settings:")
    other = '[profiles.n]\nprovider = "magic-hour"\ntoken = "env:HOME"\niam_url = "http://iam.example"'
    assert run("check", text=other).exit_code == 0


def test_check_runs_commands_only_on_request(run: Run) -> None:
    text = f"""[profiles.a]\ntoken = '''command:{sys.executable} -c "raise SystemExit(3)"'''"""
    assert run("check", text=text).exit_code == 0
    error = complaint(run("check", "--run-commands"))
    assert error.message.startswith("bulkup.toml:2: token: command:")
    assert error.message.endswith("*** exited with status 3")


def test_check_of_an_unknown_profile(run: Run) -> None:
    assert 'no profile "x"' in complaint(run("check", "--profile", "x", text=GOOD)).message


def test_check_without_a_file(run: Run, tmp_path: Path) -> None:
    error = complaint(run("check"))
    assert error.message == "there is no configuration file"
    assert f"{tmp_path}/user/bulkup/bulkup.toml" in error.hint


def test_check_prints_warnings(run: Run) -> None:
    result = run("check", text="[profiles.a]\ntoken = 'hunter2'")
    assert result.stdout == "1 profile is fine\n"
    assert result.stderr.startswith("warning: bulkup.toml:2: token is written out")


TWO_MAINS = """
[profiles.a]
source = "src"
provider = "metastudio"
access_key = "AK"
secret_key = "env:KEY"
project_id = "p"
asset_id = "a1"
asset_file_category = "MAIN"
journal = "journal.sqlite3"
"""


def test_check_reports_files_with_the_same_place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asset has one MAIN file, so the check scans the whole tree."""
    monkeypatch.setenv("KEY", "abc")
    (tmp_path / "src" / "one.mp4").write_bytes(b"1")
    assert run("check", text=TWO_MAINS).exit_code == 0
    for number in range(30):
        (tmp_path / "src" / f"{number:02}.mp4").write_bytes(b"1")
    message = complaint(run("check", text=TWO_MAINS)).message
    assert message.startswith("profile a: files that are mapped to the same place:\n")
    assert message.count("MAIN of asset a1") == 20
    assert message.endswith("... and 10 more")


ONE_KEY = """
[profiles.x]
source = "src"
provider = "xvid"
token = "env:KEY"
pipeline_id = "p"
object_key = "{name}"
journal = "journal.sqlite3"
"""


def test_check_reports_equal_object_keys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template without the folder maps files with the same name to the same key."""
    monkeypatch.setenv("KEY", "abc")
    for folder in ("a", "b"):
        (tmp_path / "src" / folder).mkdir()
        (tmp_path / "src" / folder / "clip.mp4").write_bytes(b"1")
    message = complaint(run("check", text=ONE_KEY)).message
    assert message.count("\n") == 1
    assert "its place at xvid, clip.mp4, is taken by" in message
    assert run("check", text=ONE_KEY.replace("{name}", "{path}")).exit_code == 0


def test_check_reports_place_conflicts_of_all_profiles(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check covers all profiles, and each hint names the settings of its provider."""
    monkeypatch.setenv("KEY", "abc")
    for folder in ("a", "b"):
        (tmp_path / "src" / folder).mkdir()
        (tmp_path / "src" / folder / "clip.mp4").write_bytes(b"1")
    sound = GOOD.replace("profiles.a", "profiles.sound").replace("profiles.b", "profiles.too")
    error = complaint(run("check", text=TWO_MAINS + sound + ONE_KEY))
    lines = [line.strip() for line in error.message.splitlines()]
    assert lines[0] == "profile a: files that are mapped to the same place:"
    assert "clip.mp4: its place at metastudio, MAIN of asset a1, is taken by" in lines[1]
    assert lines[2] == "profile x: files that are mapped to the same place:"
    assert "clip.mp4: its place at xvid, clip.mp4, is taken by" in lines[3]
    assert len(lines) == 4
    of_mains = "change asset_file_category, or the assets' rules and map, so that no asset has two MAIN files"
    of_names = "rename files in one asset whose names differ only by case, or name them in the map"
    of_metastudio = f"{of_mains}; {of_names}"
    of_xvid = "change object_key so that each file has a key of its own"
    assert error.hint == f"{of_metastudio}; {of_xvid}"
    assert complaint(run("check", "--profile", "a")).hint == of_metastudio
    assert complaint(run("check", "--profile", "x")).hint == of_xvid


def test_every_provider_with_places_has_its_own_hint() -> None:
    assert set(PLACE_HINTS) == {name for name, provider in PROVIDER_DECLARATIONS.items() if provider.places}
