"""The example file and the documentation say what the settings are, all of them, with their true defaults."""

import os
import re
import tomllib
from typing import Any

import pytest

from bulkup.config import PROVIDERS, Settings, load, require_settings
from bulkup.config.explain import expects
from bulkup.config.names import COMMAND_ONLY, FIELDS, TABLES, option_of, variable_of
from bulkup.config.requirements import credential_names
from bulkup.config.secret_names import SECRETS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


def read(name: Any) -> str:
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


EXAMPLE = read("config.example.toml")
DOCUMENT = read("docs/settings.md")
DESCRIPTIONS = {name: Settings.model_fields[field].description or "" for name, field in FIELDS.items()}
IN_FILE = [name for name in FIELDS if name not in COMMAND_ONLY]


def reference(name: Any) -> tuple[str, Any]:
    """The one commented line of a setting, and the comment above it."""
    section = EXAMPLE.partition("# [profiles.reference]")[2]
    found = re.findall(rf"((?:^# .*\n)*)^# ({name} = .*)$", section, re.MULTILINE)
    assert len(found) == 1, f"{name} stands there {len(found)} times"
    comment, line = found[0]
    return comment, tomllib.loads(line)[name]


@pytest.mark.parametrize("name", IN_FILE)
def test_the_example_names_every_setting_with_its_true_default(name: Any) -> None:
    comment, value = reference(name)
    default = Settings.model_fields[FIELDS[name]].default
    held = getattr(Settings.model_validate({FIELDS[name]: value}), FIELDS[name])
    if default is None:
        assert "Default: not set" in comment
        assert held is not None
    else:
        assert held == default


@pytest.mark.parametrize("name", IN_FILE)
def test_the_example_names_the_unit_where_there_is_one(name: Any) -> None:
    for word, unit in (("Seconds.", "seconds"), ("Bytes;", "bytes")):
        if word in DESCRIPTIONS[name]:
            assert unit in reference(name)[0]


def test_the_settings_left_out_of_the_example_are_no_settings_of_a_profile() -> None:
    for name in COMMAND_ONLY:
        assert not re.search(rf"^# {name} = ", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("profile", tomllib.loads(EXAMPLE)["profiles"])
def test_the_profiles_of_the_example_load_without_a_warning(profile: Any) -> None:
    path = os.path.join(ROOT, "config.example.toml")
    resolved = load({}, profile=profile, config_file=path, environ={}, cwd=ROOT)
    assert resolved.warnings == ()
    assert resolved.settings.source
    require_settings(resolved.settings)
    credential_names(resolved.settings, profile=profile)  # raises where they are too few


def test_the_example_has_a_profile_for_every_provider() -> None:
    profiles = tomllib.loads(EXAMPLE)["profiles"].values()
    assert {profile["provider"] for profile in profiles} == set(PROVIDERS)


@pytest.mark.parametrize("name", TABLES)
def test_a_setting_that_is_a_table_is_shown_as_one(name: Any) -> None:
    shown = [profile[name] for profile in tomllib.loads(EXAMPLE)["profiles"].values() if name in profile]
    assert len(shown[0]) > 1
    assert f"\n[[profiles.avatars.{name}]]\n" in EXAMPLE
    assert f"a table `[[profiles.NAME.{name}]]`" in DOCUMENT.partition(f"### {name}\n")[2].partition("\n### ")[0]


def test_the_document_tells_the_credentials_of_every_provider() -> None:
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", DOCUMENT, re.MULTILINE))
    assert set(told) == set(PROVIDERS)
    for name, provider in PROVIDERS.items():
        secrets = {one for ways in provider.credentials for one in ways} | set(provider.optional_secrets)
        assert set(re.findall(r"`([a-z_]+)`", told[name])) == secrets


def test_only_secrets_and_tables_have_no_option() -> None:
    assert {name for name in FIELDS if option_of(name) is None} == {*SECRETS, *TABLES}


def test_the_document_has_one_heading_for_each_setting() -> None:
    assert re.findall(r"^### (.*)$", DOCUMENT, re.MULTILINE) == list(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_section_of_the_document_says_what_the_field_says(name: Any) -> None:
    section = " ".join(DOCUMENT.partition(f"### {name}\n")[2].partition("\n### ")[0].split())
    assert DESCRIPTIONS[name] in section
    assert f"takes: {expects(FIELDS[name])} - option" in section
    assert f"environment: `{variable_of(name)}`" in section
    option = option_of(name)
    assert (
        f"option: `{option}`" in section
        or (option == "SOURCE" and "option: the arguments `SOURCE...`" in section)
        or (option is None and "option: none" in section)
    )
    assert (f"in a profile: `{name}`" in section) is (name not in COMMAND_ONLY)
    assert COMMAND_ONLY.get(name, "") in section


@pytest.mark.parametrize("name", FIELDS)
def test_a_description_tells_the_default(name: Any) -> None:
    default = Settings.model_fields[FIELDS[name]].default
    told = DESCRIPTIONS[name].partition("Default: ")[2]
    if isinstance(default, bool):
        assert told.startswith(str(default).lower())
    elif isinstance(default, float | int):
        assert re.findall(r"[0-9]+", told)[0] == f"{default:g}"
    elif isinstance(default, str):
        assert told.startswith(f"`{default}`")
    else:
        assert told
