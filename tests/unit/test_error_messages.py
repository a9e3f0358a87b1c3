"""Error messages about settings: the place, the expected form, the given value, and all errors together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.config import load
from bulkup.config.catalogue import SETTINGS
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.errors import ExitCode, UsageError


def refused(
    cwd: Path,
    text: Any = None,
    options: Any = None,
    environ: Mapping[str, str] | None = None,
    profile: Any = "nightly",
    config_file: Any = None,
) -> UsageError:
    if text is not None:
        (cwd / "bulkup.toml").write_text(text)
    environ = {"XDG_CONFIG_HOME": f"{cwd}/user", **(environ or {})}
    with pytest.raises(UsageError) as caught:
        load(options or {}, profile=profile, config_file=config_file, environ=environ, cwd=str(cwd))
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_an_unknown_profile_gets_a_suggestion_and_the_list(tmp_path: Path) -> None:
    error = refused(tmp_path, "[profiles.nightly]\n[profiles.weekly]\n", profile="nightli")
    assert error.message == 'bulkup.toml: there is no profile "nightli"'
    assert error.hint == 'did you mean "nightly"? profiles in this file: nightly, weekly'


def test_an_unknown_profile_in_a_file_without_any(tmp_path: Path) -> None:
    assert refused(tmp_path, "").hint == "profiles in this file: none"


def test_an_unknown_key_gets_its_line_and_a_suggestion(tmp_path: Path) -> None:
    error = refused(tmp_path, "[profiles.nightly]\n\nconcurency = 3\n")
    assert error.message == 'bulkup.toml:3: unknown setting "concurency" in profile nightly'
    assert error.hint == 'did you mean "concurrency"?'


def test_an_option_name_for_a_key(tmp_path: Path) -> None:
    assert refused(tmp_path, '[profiles.nightly]\n"base-url" = ""').hint == 'did you mean "base_url"?'


def test_a_key_unlike_any_setting_gets_no_suggestion(tmp_path: Path) -> None:
    assert refused(tmp_path, "[profiles.nightly]\nzzz = 1").hint == ""


def test_a_wrong_value_in_the_file(tmp_path: Path) -> None:
    error = refused(tmp_path, '[profiles.nightly]\nattempts = 8\nconcurrency = "many"\n')
    assert error.message == "bulkup.toml:3: concurrency: expected auto, or a whole number from 1 to 1024, not 'many'"


def test_a_wrong_value_in_the_environment(tmp_path: Path) -> None:
    error = refused(tmp_path, environ={"BULKUP_CONCURRENCY": "0"}, profile=None)
    assert error.message == "BULKUP_CONCURRENCY: expected auto, or a whole number from 1 to 1024, not '0'"


def test_a_wrong_value_of_an_option(tmp_path: Path) -> None:
    error = refused(tmp_path, options={"min_size": "5 apples"}, profile=None)
    assert error.message.startswith("--min-size: expected a size in bytes")
    assert error.message.endswith("not '5 apples'")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("provider", "magichour", f"expected one of {', '.join(PROVIDER_DECLARATIONS)}, not 'magichour'"),
        ("unsupported", "ignore", "expected report or skip, not 'ignore'"),
        ("hidden", "no", "expected include or skip"),
        ("symlinks", True, "expected skip, inside or follow, not True"),
        ("identity", "loose", "expected strict, default, content or size-mtime"),
        ("log_level", "trace", "expected debug, info, warning or error"),
        ("concurrency", True, "expected a number, not true or false"),
        ("concurrency", 1025, "expected auto, or a whole number from 1 to 1024, not 1025"),
        ("concurrency", 1.5, "expected auto, or a whole number from 1 to 1024, not 1.5"),
        ("batch_size", 0, "expected a whole number from 1, not 0"),
        ("calls_in_flight", 0, "expected a whole number from 1, not 0"),
        ("attempts", 0, "expected a whole number from 1, not 0"),
        ("rate_limit", -1, "expected a number of calls per second, or 0 for no limit, not -1"),
        ("rate_limit", float("inf"), "expected a number of calls per second, or 0 for no limit, not inf"),
        ("grace", "soon", "expected a duration"),
        ("connect_timeout", 0, "longer than 0, not 0"),
        ("idle_timeout", "0s", "longer than 0, not '0s'"),
        ("wait", "perhaps", "expected true or false, not 'perhaps'"),
        ("include", ["a", "!"], "expected patterns in gitignore form, not ['a', '!']"),
        ("exclude", "#x", "expected patterns in gitignore form that can match a file"),
        ("exclude", [1], "expected a pattern"),
        ("include", 5, "expected patterns in gitignore form, not 5"),
        ("source", 5, "expected a path or a list of paths, not 5"),
        ("source", [""], "expected a path that is not empty"),
        ("ca_file", "", "expected a path that is not empty"),
        ("journal", "a\0b", "expected a path that is not empty and has no NUL"),
        ("destination", "", "expected a name without control characters"),
        ("destination", "a\nb", "expected a name without control characters, not 'a\\nb'"),
        ("base_url", 5, "expected an http or https URL"),
        ("base_url", "ftp://example.com", "the scheme must be http or https, not 'ftp://example.com'"),
        ("iam_url", "ftp://example.com", "the scheme must be http or https, not 'ftp://example.com'"),
        ("region", "Mars 1", "expected the name of a region, not 'Mars 1'"),
        ("bucket", "no", "expected a bucket's name of 3 to 255 letters, digits, dots and dashes, not 'no'"),
        ("key", "fixed", "many files would get the same key, not 'fixed'"),
        ("addressing", "dns", "expected auto, path or virtual, not 'dns'"),
        ("part_size", "1M", "expected a size from 5M to 5G, not '1M'"),
        ("url_lifetime", "8d", "from 1s to 7d, not '8d'"),
        ("metadata", ["a b=c"], "expected metadata such as project=x7"),
        ("metadata", {"a": "\u00e9"}, "expected metadata such as project=x7"),
        ("metadata", ["A=1", "a=2"], "a is given twice"),
        ("tags", ["a"], "expected tags such as project=x7"),
        ("tags", {"a": 5}, "expected tags such as project=x7"),
        ("content_types", ["mp4=video"], "expected content types by extension, such as mp4=video/mp4"),
        ("project_id", "a/b", "expected 1 to 64 letters, digits, _ or -, not 'a/b'"),
        ("asset_id", "", "expected 1 to 64 letters, digits, _ or -, not ''"),
        ("asset_id", "a\n", "expected 1 to 64 letters, digits, _ or -"),
        ("pipeline_id", "x" * 65, "expected 1 to 64 letters, digits, _ or -"),
        ("pipeline_id", 5, "expected 1 to 64 letters, digits, _ or -, not 5"),
        ("asset_file_category", "main", "expected one of MAIN, COVER, PAGE, SAMPLE, OTHER, WHOLE_MODEL"),
        ("ref", "main", "expected the full name of a ref, such as refs/heads/main, not 'main'"),
        ("ref", "refs/heads/a b", "expected the full name of a ref, such as refs/heads/main, not 'refs/heads/a b'"),
        ("ref", "refs//main", "expected the full name of a ref"),
        ("app_user_id", "é", "expected 1 to 64 printable ASCII characters, without a space at either end, not 'é'"),
        ("app_user_id", "a ", "without a space at either end, not 'a '"),
        ("app_user_id", "a\tb", "expected 1 to 64 printable ASCII characters"),
        ("confirm", "perhaps", "expected true or false, not 'perhaps'"),
        ("object_key", "uploads", "many files would get the same key, not 'uploads'"),
        ("expires_at", 30, "a duration needs its unit, not 30"),
        ("assets", 5, "expected a list of rules, each with match, asset_id"),
        ("assets", {"match": "*"}, "expected a list of rules, each with match, asset_id"),
        ("token", 5, "token: expected text"),
        ("token", "env:a b", "expected the name of an environment variable"),
    ],
)
def test_a_wrong_value_says_what_was_expected(tmp_path: Path, name: str, value: Any, expected: str) -> None:
    error = refused(tmp_path, options={name: value}, profile=None)
    assert error.message.startswith(f"{SETTINGS[name].option_name or name}: ")
    assert f" {name}: " not in error.message
    assert expected in error.message


def test_max_size_below_min_size(tmp_path: Path) -> None:
    error = refused(tmp_path, '[profiles.nightly]\nmin_size = "2k"\nmax_size = "1k"')
    what = "max_size: expected a size not below min_size, which is 2048 bytes, not '1k'"
    assert error.message == f"bulkup.toml:3: {what}"


def test_a_region_that_the_provider_does_not_have(tmp_path: Path) -> None:
    error = refused(tmp_path, options={"provider": "metastudio", "region": "cn-north-1"}, profile=None)
    assert error.message == "--region: expected cn-north-4, cn-east-3 or ap-southeast-3, not 'cn-north-1'"
    load({"provider": "s3", "region": "cn-north-1"}, profile=None, config_file=None, environ={}, cwd=str(tmp_path))


@pytest.mark.parametrize("base_url", ["https://metastudio.cn-north-4.myhuaweicloud.com:443/", "http://h"])
def test_a_region_that_base_url_contradicts(tmp_path: Path, base_url: str) -> None:
    options = {"region": "cn-east-3", "base_url": base_url}
    if base_url == "http://h":  # an address of one's own names no region
        load(options, profile=None, config_file=None, environ={}, cwd=str(tmp_path))
        return
    error = refused(tmp_path, options=options, profile=None)
    what = "expected the region that base_url names, which is cn-north-4, not 'cn-east-3'"
    assert error.message == f"--region: {what}"


RULES = """\
[profiles.nightly]
[[profiles.nightly.assets]]
match = "*.mp4"
asset_id = "a"

[[profiles.nightly.assets]]
macth = "*.png"
asset_id = "b"
asset_file_category = "main"

[[profiles.nightly.assets]]
match = "!x"
asset_id = "a b"
zzz = 1
"""


def test_an_error_in_a_rule_gets_its_line_and_key(tmp_path: Path) -> None:
    lines = refused(tmp_path, RULES).message.splitlines()
    categories = "MAIN, COVER, PAGE, SAMPLE, OTHER, WHOLE_MODEL, USER_MODIFIED_MODEL, TEMPORARY, PACKAGE"
    negated = "expected a pattern that can match; one that begins with ! only excludes"
    keys = "a rule has the keys match, asset_id, asset_file_category, asset_type"
    assert sorted(line.strip() for line in lines[1:]) == [
        f"bulkup.toml:12: assets: match of rule 3: {negated}, not '!x'",
        "bulkup.toml:13: assets: asset_id of rule 3: expected 1 to 64 letters, digits, _ or -, not 'a b'",
        f'bulkup.toml:14: assets: rule 3 has an unknown key "zzz" ({keys})',
        "bulkup.toml:6: assets: rule 2 has no match (expected a pattern in gitignore form)",
        'bulkup.toml:7: assets: rule 2 has an unknown key "macth" (did you mean "match"?)',
        f"bulkup.toml:9: assets: asset_file_category of rule 2: expected one of {categories}, not 'main'",
    ]


def test_a_category_that_the_assets_type_does_not_have(tmp_path: Path) -> None:
    """In the profile, in a rule, and in a rule to which the profile's category applies."""
    has = "an asset of type BUSINESS_CARD_TEMPLET has no OTHER files, only MAIN, COVER"
    profile = '[profiles.nightly]\nasset_id = "a"\nasset_type = "BUSINESS_CARD_TEMPLET"\n'
    assert f"bulkup.toml:3: asset_type: expected a type that has the category in asset_file_category: {has}" in (
        refused(tmp_path, profile).message
    )
    rule = (
        '[[profiles.nightly.assets]]\nmatch = "*"\nasset_id = "a"\nasset_type = "PPT"\nasset_file_category = "SAMPLE"\n'
    )
    assert "bulkup.toml:4: assets: asset_type of rule 1: expected a type with the category: an asset of type PPT" in (
        refused(tmp_path, rule).message
    )
    inherits = '[[profiles.nightly.assets]]\nmatch = "*"\nasset_id = "a"\nasset_type = "BUSINESS_CARD_TEMPLET"\n'
    assert f"assets: expected a category in rule 1, because asset_file_category applies: {has}" in (
        refused(tmp_path, inherits).message
    )


def test_rules_in_one_value_get_the_line_of_the_value(tmp_path: Path) -> None:
    error = refused(tmp_path, "[profiles.nightly]\nassets = [{ match = '*', asset_id = 'a' },\n7]\n")
    assert error.message == "bulkup.toml:2: assets: rule 2: expected a table, not 7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*.mp4", "BULKUP_ASSETS: expected a JSON list of rules; this is not JSON: "),
        ("[{", "BULKUP_ASSETS: expected a JSON list of rules; this is not JSON: "),
        ("{}", "BULKUP_ASSETS: expected a list of rules"),
        ('[{"match": ""}]', "2 problems in the settings:\n  BULKUP_ASSETS: assets: match of rule 1: expected pattern"),
        ('[{"match": "*", "asset_id": 5}]', "BULKUP_ASSETS: assets: asset_id of rule 1: expected 1 to 64 letters"),
    ],
)
def test_rules_in_the_environment_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, environ={"BULKUP_ASSETS": text}, profile=None).message.startswith(message)


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    assert len(refused(tmp_path, options={"provider": "x" * 9999}, profile=None).message) < 200


def test_a_value_that_is_not_utf8_can_still_be_printed(tmp_path: Path) -> None:
    for name in (
        "provider",
        "log_level",
        "concurrency",
        "destination",
        "grace",
        "wait",
        "base_url",
        "object_key",
        "assets",
    ):
        refused(tmp_path, environ={f"BULKUP_{name.upper()}": "\udcff"}, profile=None).message.encode()


def test_an_unknown_option_of_the_library(tmp_path: Path) -> None:
    error = refused(tmp_path, options={"concurency": 1}, profile=None)
    assert (error.message, error.hint) == ("concurency: no such setting", 'did you mean "concurrency"?')


def test_all_errors_are_reported_together(tmp_path: Path) -> None:
    text = "stray = 1\n[profiles.nightly]\nconcurency = 1\nattempts = 0\nlog_level = 'loud'\nsource = [1]\n"
    error = refused(tmp_path, text, options={"grace": "soon"}, environ={"BULKUP_IDLE_TIMEOUT": "x"})
    lines = error.message.splitlines()
    assert lines[0] == "7 problems in the settings:"
    assert sorted(line.strip().split(": ")[0] for line in lines[1:]) == [
        "--grace",
        "BULKUP_IDLE_TIMEOUT",
        "bulkup.toml:1",
        "bulkup.toml:3",
        "bulkup.toml:4",
        "bulkup.toml:5",
        "bulkup.toml:6",
    ]
    assert 'did you mean "concurrency"?' in lines[2]


def test_errors_in_another_profile_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text("[profiles.nightly]\n[profiles.other]\nzzz = 1\n")
    load({}, profile="nightly", config_file=None, environ={}, cwd=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[profiles.nightly]\n[nightly]\n", 'bulkup.toml:2: unknown key "nightly"', "[profiles.nightly]"),
        ("[profile.nightly]\n[profiles.nightly]\n", 'bulkup.toml:1: unknown key "profile"', '"profiles"'),
        ("token = 'a'\n[profiles.nightly]\n", 'bulkup.toml:1: unknown key "token"', "[profiles.NAME]"),
        (
            "[profiles]\ntoken = 'a'\n[profiles.nightly]\n",
            'bulkup.toml:2: "token" is directly in [profiles]',
            "NAME",
        ),
        (
            "[profiles.nightly]\njson = true",
            'bulkup.toml:2: "json" is not allowed in a profile',
            "--json or BULKUP_JSON",
        ),
        ("[profiles.nightly]\nquiet = true", 'bulkup.toml:2: "quiet" is not allowed in a profile', "--quiet"),
    ],
)
def test_keys_outside_the_profiles(tmp_path: Path, text: Any, message: Any, hint: Any) -> None:
    error = refused(tmp_path, text)
    assert error.message.startswith(message)
    assert hint in error.hint


def test_profiles_that_are_not_a_table(tmp_path: Path) -> None:
    assert 'bulkup.toml:1: "profiles" is not a table' in refused(tmp_path, "profiles = 1").message


def test_a_profile_in_the_wrong_place_explains_why_it_is_missing(tmp_path: Path) -> None:
    message = refused(tmp_path, "[nightly]\n").message
    assert 'bulkup.toml:1: unknown key "nightly" outside every profile' in message
    assert "a profile is written [profiles.nightly]" in message
    assert 'bulkup.toml: there is no profile "nightly"' in message


def test_wrong_syntax_gets_line_and_column(tmp_path: Path) -> None:
    error = refused(tmp_path, "[profiles.nightly]\nattempts = \n")
    assert error.message == "bulkup.toml:2:12: not valid TOML: Invalid value"


def test_wrong_syntax_at_the_end_of_the_file(tmp_path: Path) -> None:
    assert refused(tmp_path, "a").message.startswith("bulkup.toml: not valid TOML: Expected '='")


@pytest.mark.parametrize("text", ["a = " + "[" * 9999, "a = " + "1" * 9999])
def test_a_hostile_file(tmp_path: Path, text: Any) -> None:
    assert "not valid TOML" in refused(tmp_path, text).message


def test_a_file_that_is_not_utf8_gets_its_line(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_bytes(b"[profiles.nightly]\n# \xff\n")
    assert refused(tmp_path).message == "bulkup.toml:2: not UTF-8 text"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    for profile in ("nightly", None):
        error = refused(tmp_path, "", config_file="other.toml", profile=profile)
        assert error.message == "cannot read the configuration file other.toml: No such file or directory"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").mkdir()
    assert refused(tmp_path).message == "cannot read the configuration file bulkup.toml: Is a directory"


def test_a_dangling_link_is_an_error_and_not_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").symlink_to("gone")
    assert "No such file" in refused(tmp_path).message


def test_a_reason_that_names_the_value_is_not_followed_by_it_again(tmp_path: Path) -> None:
    said = refused(tmp_path, options={"bwlimit": "nonsense"}, profile=None).message
    assert said.startswith("--bwlimit: expected bytes per second")
    assert said.endswith("; nonsense is neither days nor a time with its rate")
    assert refused(tmp_path, options={"bwlimit": "08:00,2"}, profile=None).message.endswith(", not '08:00,2'")
