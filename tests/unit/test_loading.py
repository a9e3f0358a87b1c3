"""The layers of settings: their order, and the conversion of raw values."""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.config import PROVIDER_DECLARATIONS, AssetRule, ResolvedSettings, Settings, load, require_credentials
from bulkup.config.catalogue import SECRETS, SETTINGS
from bulkup.config.loading import DEFAULT
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret


def settle(
    cwd: Path,
    text: Any = None,
    options: Any = None,
    environ: Mapping[str, str] | None = None,
    profile: Any = "nightly",
    config_file: Any = None,
) -> ResolvedSettings:
    if text is not None:
        (cwd / "bulkup.toml").write_text(text)
    environ = {"XDG_CONFIG_HOME": f"{cwd}/user", **(environ or {})}
    return load(options or {}, profile=profile, config_file=config_file, environ=environ, cwd=str(cwd))


def test_without_any_layer_every_setting_has_its_default(tmp_path: Path) -> None:
    resolved = settle(tmp_path, profile=None)
    assert resolved.settings == Settings()
    assert resolved.origins == dict.fromkeys(SETTINGS, DEFAULT)
    assert (resolved.warnings, resolved.profile, resolved.config_file) == ((), None, None)


# One value for each layer, and the resulting value of the field.
LAYERED = {
    "concurrency": ((1, "auto", 3), (1, "auto", 3)),
    "batch_size": ((1, "2", 3), (1, 2, 3)),
    "unsupported": (("skip", "skip", "report"), ("skip", "skip", "report")),
    "retry_for": (("1m", "2m", 180), (60.0, 120.0, 180.0)),
    "include": ((["a"], "b,c", ["d"]), (("a",), ("b", "c"), ("d",))),
    "wait": ((True, "yes", False), (True, True, False)),
    "base_url": (("http://A/", "http://B/", "http://C/"), ("http://a", "http://b", "http://c")),
    "journal": (("/o", "/e", "/p"), ("/o", "/e", "/p")),
}
MATRIX = list(itertools.product(sorted(LAYERED), *[[True, False]] * 3))


@pytest.mark.parametrize(("name", "option", "variable", "profile"), MATRIX)
def test_option_before_environment_before_profile_before_default(
    tmp_path: Path, name: Any, option: Any, variable: Any, profile: Any
) -> None:
    raw, held = LAYERED[name]
    toml = str(raw[2]).lower() if isinstance(raw[2], bool) else repr(raw[2])
    resolved = settle(
        tmp_path,
        text=f"[profiles.nightly]\n{name} = {toml}\n" if profile else "[profiles.nightly]\n",
        options={name: raw[0]} if option else {name: None},
        environ={f"BULKUP_{name.upper()}": raw[1]} if variable else {},
    )
    expected = [
        (option, held[0], "option"),
        (variable, held[1], f"environment BULKUP_{name.upper()}"),
        (profile, held[2], "profile nightly (bulkup.toml line 2)"),
        (True, Settings.model_fields[name].default, DEFAULT),
    ]
    value, origin = next((value, origin) for given, value, origin in expected if given)
    assert getattr(resolved.settings, name) == value
    assert resolved.origins[name] == origin


def test_the_setting_json_has_its_own_name_everywhere(tmp_path: Path) -> None:
    assert settle(tmp_path, options={"json": True}, profile=None).settings.json_output
    resolved = settle(tmp_path, environ={"BULKUP_JSON": "1"}, profile=None)
    assert resolved.settings.json_output
    assert resolved.origins["json"] == "environment BULKUP_JSON"


def test_an_empty_variable_and_an_empty_list_of_options_are_not_set(tmp_path: Path) -> None:
    resolved = settle(tmp_path, environ={"BULKUP_CONCURRENCY": ""}, options={"include": []}, profile=None)
    assert resolved.settings == Settings()


def test_a_false_option_is_given(tmp_path: Path) -> None:
    resolved = settle(tmp_path, environ={"BULKUP_WAIT": "true"}, options={"wait": False}, profile=None)
    assert resolved.settings.wait is False


def test_lists_in_the_environment(tmp_path: Path) -> None:
    environ = {
        "BULKUP_SOURCE": os.pathsep.join(["/a,b", "/c"]),
        "BULKUP_INCLUDE": " *.mp4, *.mov,",
        "BULKUP_EXCLUDE": "a,b.txt\n*.tmp\n",
    }
    settings = settle(tmp_path, environ=environ, profile=None).settings
    assert settings.source == ("/a,b", "/c")
    assert settings.include == ("*.mp4", "*.mov")
    assert settings.exclude == ("a,b.txt", "*.tmp")


def test_one_source_needs_no_list(tmp_path: Path) -> None:
    assert settle(tmp_path, '[profiles.nightly]\nsource = "/a"').settings.source == ("/a",)


def test_relative_paths_are_relative_to_the_file_or_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text(
        '[profiles.nightly]\nsource = ["a", "/b", "~/c"]\ntoken = "file:key"\nfiles_from = "-"'
    )
    settings = settle(
        tmp_path, options={"journal": "j"}, environ={"BULKUP_STORE": "~/s"}, config_file="etc/my.toml"
    ).settings
    assert settings.source == (f"{tmp_path}/etc/a", "/b", "/home/me/c")
    assert str(settings.token) == f"file:{tmp_path}/etc/key"
    assert settings.files_from == "-"
    assert settings.journal == f"{tmp_path}/j"
    assert settings.store == "/home/me/s"


def test_a_tilde_in_an_option_is_a_name(tmp_path: Path) -> None:
    assert settle(tmp_path, options={"source": ["~"]}, profile=None).settings.source == (f"{tmp_path}/~",)


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"/a\xff")
    resolved = settle(tmp_path, options={"source": [name, b"/b\xff"], "exclude": [name]}, profile=None)
    assert resolved.settings.source == (name, os.fsdecode(b"/b\xff"))
    assert resolved.settings.model_dump(mode="json")["source"][0] == "/a\\udcff"


def test_secrets_in_variables_are_used_only_without_a_profile(tmp_path: Path) -> None:
    environ = {SETTINGS[name].variable: f"value of {name}" for name in SECRETS}
    without = settle(tmp_path, environ=environ, profile=None).settings
    for name in SECRETS:
        assert getattr(without, name).resolve({}) == Secret(f"value of {name}")
    text = "[profiles.nightly]\nprovider = 'magic-hour'\ntoken = 'env:BULKUP_TOKEN'"
    named = settle(tmp_path, text, environ=environ)
    assert [name for name in SECRETS if getattr(named.settings, name) is not None] == ["token"]
    assert require_credentials(named.settings, environ, profile="nightly") == {"token": Secret("value of token")}
    assert named.warnings == ()


def test_a_user_of_the_library_may_pass_secret_objects(tmp_path: Path) -> None:
    settings = settle(tmp_path, options={"token": Secret("abc")}, profile=None).settings
    assert settings.token is not None
    assert settings.token.resolve({}) == Secret("abc")
    assert settle(tmp_path, options={"token": settings.token}, profile=None).settings.token == settings.token


RULES = (AssetRule(match="*.png", asset_id="a", asset_file_category="COVER"), AssetRule(match="/x/", asset_id="b"))


def test_rules_are_tables_of_a_profile_or_json_in_the_environment(tmp_path: Path) -> None:
    text = """[profiles.nightly]
[[profiles.nightly.assets]]
match = "*.png"
asset_id = "a"
asset_file_category = "COVER"
[[profiles.nightly.assets]]
match = "/x/"
asset_id = "b"
"""
    resolved = settle(tmp_path, text)
    assert resolved.settings.assets == RULES
    assert resolved.origins["assets"] == "profile nightly (bulkup.toml line 2)"
    json = '[{"match": "*.png", "asset_id": "a", "asset_file_category": "COVER"}, {"match": "/x/", "asset_id": "b"}]'
    assert settle(tmp_path, environ={"BULKUP_ASSETS": json}, profile=None).settings.assets == RULES
    assert settle(tmp_path, options={"assets": RULES}, profile=None).settings.assets == RULES


def test_an_asset_map_is_relative_to_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text("[profiles.nightly]\nasset_map = 'm.csv'")
    assert settle(tmp_path, config_file="etc/my.toml").settings.asset_map == f"{tmp_path}/etc/m.csv"
    assert settle(tmp_path, options={"asset_map": "m.csv"}, profile=None).settings.asset_map == f"{tmp_path}/m.csv"


@pytest.mark.parametrize("rate", [0, 0.5, 10])
def test_a_rate_of_0_counts_as_set(tmp_path: Path, rate: float) -> None:
    assert settle(tmp_path, options={"rate_limit": rate}, profile=None).settings.rate_limit == rate


def test_the_file_in_the_current_directory_overrides_the_users_file(tmp_path: Path) -> None:
    (tmp_path / "user" / "bulkup").mkdir(parents=True)
    of_user = tmp_path / "user" / "bulkup" / "bulkup.toml"
    of_user.write_text("[profiles.nightly]\nattempts = 2")
    resolved = settle(tmp_path)
    assert (resolved.settings.attempts, resolved.config_file) == (2, str(of_user))
    assert resolved.origins["attempts"] == f"profile nightly ({of_user} line 2)"
    resolved = settle(tmp_path, "[profiles.nightly]\nattempts = 3")
    assert (resolved.settings.attempts, resolved.config_file) == (3, f"{tmp_path}/bulkup.toml")


def test_without_a_profile_no_file_is_read(tmp_path: Path) -> None:
    resolved = settle(tmp_path, "this is no TOML", profile=None)
    assert resolved.settings == Settings()
    assert resolved.config_file is None


def test_a_file_named_without_a_profile_is_a_warning(tmp_path: Path) -> None:
    resolved = settle(tmp_path, "[profiles.nightly]\nattempts = 3", profile=None, config_file="bulkup.toml")
    assert resolved.settings.attempts == Settings().attempts
    assert resolved.warnings == ("nothing in bulkup.toml is used, because no profile is named",)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
def test_a_literal_secret_that_others_can_read_is_a_warning(tmp_path: Path, mode: Any, warned: Any) -> None:
    (tmp_path / "bulkup.toml").write_text("[profiles.nightly]\ntoken = 'hunter2'")
    (tmp_path / "bulkup.toml").chmod(mode)
    warnings = settle(tmp_path).warnings
    assert bool(warnings) is warned
    assert "hunter2" not in "".join(warnings)
    if warned:
        assert warnings[0].startswith("bulkup.toml:2: token")
        assert "chmod 600 bulkup.toml" in warnings[0]


@pytest.mark.parametrize("name", SECRETS)
def test_account_names_that_others_can_read_cause_no_warning(tmp_path: Path, name: str) -> None:
    (tmp_path / "bulkup.toml").write_text(f"[profiles.nightly]\n{name} = 'hunter2'")
    (tmp_path / "bulkup.toml").chmod(0o644)
    assert bool(settle(tmp_path).warnings) is (name not in IDENTIFIERS)


def test_a_misspelt_variable_is_a_warning_and_a_foreign_one_is_not(tmp_path: Path) -> None:
    environ = {
        "BULKUP_CONCURENCY": "1",
        "BULKUP_SECRET_KEYS_FOLDER": "x",
        "BULKUP_MAX_DURATION": "1",
    }
    assert settle(tmp_path, environ=environ, profile=None).warnings == (
        "BULKUP_CONCURENCY is not a setting and has no effect; did you mean BULKUP_CONCURRENCY?",
    )


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_bytes(b"\xef\xbb\xbf[profiles.nightly]\r\n\r\nattempts = 3\r\n")
    resolved = settle(tmp_path)
    assert resolved.origins["attempts"] == "profile nightly (bulkup.toml line 3)"


def test_settings_are_immutable(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settle(tmp_path, profile=None).settings.attempts = 1


def test_every_provider_is_a_valid_provider() -> None:
    for name in PROVIDER_DECLARATIONS:
        assert Settings(provider=name).provider == name


def test_a_profile_without_a_file_names_the_searched_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        settle(tmp_path)
    assert caught.value.message == 'there is no configuration file, so no profile "nightly"'
    assert f"{tmp_path}/bulkup.toml" in caught.value.hint
    assert f"{tmp_path}/user/bulkup/bulkup.toml" in caught.value.hint


def test_variables_name_the_profile_and_its_file(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[profiles.nightly]\nattempts = 3\n[profiles.weekly]\nattempts = 4\n")
    environ = {"BULKUP_CONFIG": "other.toml", "BULKUP_PROFILE": "weekly"}
    named = settle(tmp_path, environ=environ, profile=None)
    assert (named.settings.attempts, named.profile, named.config_file) == (4, "weekly", str(tmp_path / "other.toml"))
    assert settle(tmp_path, environ=environ, profile="nightly").settings.attempts == 3
    (tmp_path / "third.toml").write_text("[profiles.weekly]\nattempts = 5\n")
    assert settle(tmp_path, environ=environ, profile=None, config_file="third.toml").settings.attempts == 5


def test_an_empty_variable_names_no_profile(tmp_path: Path) -> None:
    environ = {"BULKUP_CONFIG": "", "BULKUP_PROFILE": ""}
    assert settle(tmp_path, environ=environ, profile=None).config_file is None


def test_a_missing_file_that_a_variable_names_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml"):
        settle(tmp_path, environ={"BULKUP_CONFIG": "missing.toml"}, profile=None)


DEFAULTS = """
[defaults]
attempts = 7
concurrency = 8

[profiles.nightly]
attempts = 3
"""


def test_a_profile_replaces_the_defaults_of_its_file(tmp_path: Path) -> None:
    resolved = settle(tmp_path, DEFAULTS)
    assert (resolved.settings.attempts, resolved.settings.concurrency) == (3, 8)
    assert resolved.origins["concurrency"] == "[defaults] (bulkup.toml line 4)"
    assert resolved.origins["attempts"] == "profile nightly (bulkup.toml line 7)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults]\natempts = 1\n[profiles.nightly]\n", 'bulkup.toml:2: unknown setting "atempts" in [defaults]'),
        ("[defaults]\nattempts = 0\n[profiles.nightly]\n", "bulkup.toml:2: "),
        ("defaults = 1\n[profiles.nightly]\n", 'bulkup.toml:1: "defaults" is not a table'),
        ("[default]\nattempts = 1\n[profiles.nightly]\n", 'did you mean "defaults"?'),
    ],
)
def test_mistakes_in_the_defaults_are_errors_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        settle(tmp_path, text)
    assert message in f"{error.value} {error.value.hint}"


def test_the_region_of_the_aws_tools_has_its_variable_as_origin(tmp_path: Path) -> None:
    """It comes after all other ways to name the region."""
    text = '[profiles.nightly]\nprovider = "s3"\n'
    resolved = settle(tmp_path, text, environ={"AWS_REGION": "eu-west-1"})
    assert (resolved.settings.region, resolved.origins["region"]) == ("eu-west-1", "environment AWS_REGION")
    resolved = settle(tmp_path, f'{text}region = "eu-west-2"\n', environ={"AWS_REGION": "eu-west-1"})
    assert resolved.settings.region == "eu-west-2"
    assert resolved.origins["region"].startswith("profile nightly")
